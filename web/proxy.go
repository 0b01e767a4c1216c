package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientsOwn hands on each request with the address of the client that made it in RemoteAddr, also where it
// came through proxies that are trusted. It stands before everything, so that HTTP, sockets of all kinds, their
// limits and their log lines know of one address.
func (s *server) clientsOwn(next http.Handler) http.Handler {
	if len(s.TrustedProxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client := clientOf(r, s.TrustedProxies); client != r.RemoteAddr {
			r = r.WithContext(r.Context()) // a copy
			r.RemoteAddr = client
		}
		next.ServeHTTP(w, r)
	})
}

// clientOf is the address, with a port, of who made a request. Only who sent it is known for sure; if that is a
// proxy that is trusted, so is the one that it names last in Forwarded (RFC 7239) or X-Forwarded-For, and so on
// from there. Where a proxy names nobody, or hides whom it speaks for, the client's address is the proxy's.
//
// A proxy that sets one of the fields passes the other on as the client has written it. So where both are there
// and lead to different clients neither is believed.
func clientOf(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !trusts(trusted, peer.Addr()) {
		return r.RemoteAddr
	}
	var found []netip.Addr
	if lines := r.Header.Values("Forwarded"); len(lines) > 0 {
		found = append(found, farthest(peer.Addr(), lines, forwardedFor, trusted))
	}
	if lines := r.Header.Values("X-Forwarded-For"); len(lines) > 0 {
		found = append(found, farthest(peer.Addr(), lines, func(line string) []string { return strings.Split(line, ",") }, trusted))
	}
	if len(found) == 0 || found[0] != found[len(found)-1] || found[0] == peer.Addr() {
		return r.RemoteAddr
	}
	return netip.AddrPortFrom(found[0], 0).String() // a port of the client's is nobody's here
}

// farthest is the farthest from here of those that are known: it goes through the lines, each of which hops
// takes apart, from right to left, from one trusted hop to the one that this one names.
func farthest(from netip.Addr, lines []string, hops func(line string) []string, trusted []netip.Prefix) netip.Addr {
	for _, line := range slices.Backward(lines) {
		named := hops(line)
		for _, name := range slices.Backward(named) {
			hop, ok := parseHop(name)
			if !ok {
				return from
			}
			if from = hop; !trusts(trusted, hop) {
				return from
			}
		}
		if len(named) == 0 {
			return from
		}
	}
	return from
}

func trusts(trusted []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, network := range trusted {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address as proxies write it: alone or with a port, IPv6 with or without brackets.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	addr, err := netip.ParseAddr(text)
	if err != nil {
		addr, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	}
	if err != nil {
		var both netip.AddrPort
		both, err = netip.ParseAddrPort(text)
		addr = both.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}

// forwardedFor returns the values of for= in a line of Forwarded, one for each hop, "" for one that has none. It
// returns nothing of a line that is no such list. A comma or a semicolon in a quoted value ends nothing: a client
// may have chosen it, as the name of the host that it asked for.
func forwardedFor(line string) (hops []string) {
	hop := ""
	for {
		name, rest, ok := strings.Cut(line, "=")
		if name = strings.Trim(name, " \t"); !ok || name == "" || strings.ContainsAny(name, ",; \t\"") {
			return nil
		}
		value, rest, ok := forwardedValue(rest)
		if !ok {
			return nil
		}
		if strings.EqualFold(name, "for") {
			hop = value
		}
		rest = strings.TrimLeft(rest, " \t")
		switch {
		case rest == "":
			return append(hops, hop)
		case rest[0] == ',':
			hops, hop = append(hops, hop), ""
		case rest[0] != ';':
			return nil
		}
		line = rest[1:]
	}
}

// forwardedValue reads a token or a quoted string.
func forwardedValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",; \t\"")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}
