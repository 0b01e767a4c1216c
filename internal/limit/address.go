package limit

import (
	"net/netip"
	"strings"
)

// Address is what the limits of one address are kept by, of the far end of a connection, such as
// "203.0.113.7:51234": the address without its port. Of IPv6 it is the network of 64 bits, which is what one
// household or one machine is given; it has as many addresses in it as it likes. What is no address is
// returned as it is.
func Address(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		both, err := netip.ParseAddrPort(remote)
		if err != nil {
			return strings.Clone(remote)
		}
		addr = both.Addr()
	}
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}
