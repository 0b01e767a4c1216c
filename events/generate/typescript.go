package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// typescript makes the declarations: for each namespace two maps of events, as the Socket type of
// socket.io-client takes them, and the types that they mention.
func (c *catalogue) typescript() []byte {
	var b bytes.Buffer
	b.WriteString("// Made by: go generate ./events. The events of each namespace, for the types of socket.io-client:\n//\n")
	for _, n := range c.namespaces {
		fmt.Fprintf(&b, "//     const socket: Socket<%s, %s> = io(%q);\n", serverSays(n), clientSays(n), n.path)
	}
	for _, n := range c.namespaces {
		b.WriteString("\n")
		tsDoc(&b, "", n.doc+"\n\nWhat the server says.")
		tsMap(&b, c, serverSays(n), n.server)
		b.WriteString("\n")
		auth := ""
		if n.auth != nil {
			auth = " It connects with auth: " + tsType(*n.auth, "") + "."
		}
		tsDoc(&b, "", n.doc+"\n\nWhat a client says."+auth)
		tsMap(&b, c, clientSays(n), n.client)
	}
	for _, t := range c.types {
		b.WriteString("\n")
		tsDoc(&b, "", t.doc)
		switch {
		case t.shape.kind == object && t.also == "":
			fmt.Fprintf(&b, "export interface %s %s\n", t.name, tsType(t.shape, ""))
		case t.also != "":
			fmt.Fprintf(&b, "export type %s = %s | %s;\n", t.name, t.also, tsType(t.shape, ""))
		case t.values != nil:
			fmt.Fprintf(&b, "export type %s =\n  | %s;\n", t.name, strings.Join(quoted(t.values), "\n  | "))
		default:
			fmt.Fprintf(&b, "export type %s = %s;\n", t.name, tsType(t.shape, ""))
		}
	}
	return b.Bytes()
}

func serverSays(n *namespace) string { return n.title + "ServerToClient" }
func clientSays(n *namespace) string { return n.title + "ClientToServer" }

func tsMap(b *bytes.Buffer, c *catalogue, name string, messages []*message) {
	fmt.Fprintf(b, "export interface %s {", name)
	for i, m := range messages {
		if i == 0 {
			b.WriteString("\n")
		}
		var args []string
		switch m.payload.kind {
		case nothing:
		case several:
			args = append(args, "...args: any[]")
		default:
			args = append(args, "payload: "+tsType(m.payload, "  "))
		}
		doc := m.doc
		if m.answer != nil {
			if m.payload.kind == several {
				// A rest parameter is the last one: the acknowledgement is among the arguments.
				doc = strings.TrimSpace(doc + "\n\nThe last argument may be a function, which gets the acknowledgement.")
			} else {
				args = append(args, "ack: ("+tsAnswer(c, m)+") => void")
			}
		}
		tsDoc(b, "  ", doc)
		fmt.Fprintf(b, "  %s: (%s) => void;\n", tsKey(m.name), strings.Join(args, ", "))
	}
	b.WriteString("}\n")
}

func tsAnswer(c *catalogue, m *message) string {
	switch m.answer.kind {
	case nothing:
		if m.refused {
			return "refusal?: " + c.refusal.name
		}
		return ""
	case several:
		return "...answer: any[]"
	}
	answer := "answer: " + tsType(*m.answer, "  ")
	if m.refused && m.answer.kind != unknown {
		answer += " | " + c.refusal.name
	}
	return answer
}

// tsType writes a type; indent is that of the line on which it begins.
func tsType(s shape, indent string) string {
	var t string
	switch s.kind {
	case unknown:
		return "unknown"
	case truth:
		t = "boolean"
		if s.is != nil {
			t = strconv.FormatBool(*s.is)
		}
	case integer, number:
		t = "number"
	case text:
		t = "string"
	case binary:
		t = "ArrayBuffer | Uint8Array"
	case list:
		t = tsType(*s.elem, indent)
		if s.elem.null || s.elem.kind == binary || s.elem.kind == list && strings.Contains(t, "|") {
			t = "(" + t + ")"
		}
		t += "[]"
	case record:
		t = fmt.Sprintf("Record<%s, %s>", tsType(*s.key, indent), tsType(*s.elem, indent))
		if s.key.ref != nil && s.key.ref.values != nil {
			t = "Partial<" + t + ">"
		}
	case object:
		var b bytes.Buffer
		b.WriteString("{")
		for i, f := range s.fields {
			if i == 0 {
				b.WriteString("\n")
			}
			tsDoc(&b, indent+"  ", f.doc)
			mark := ""
			if f.optional {
				mark = "?"
			}
			fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, tsKey(f.name), mark, tsType(f.shape, indent+"  "))
		}
		b.WriteString(indent + "}")
		t = b.String()
	case mention:
		t = s.ref.name
	case nothing:
		t = "Record<string, never>"
	case several:
		t = "unknown[]"
	}
	if s.null {
		t += " | null"
	}
	return t
}

var plainKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

func tsKey(name string) string {
	if plainKey.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

func quoted(values []string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = strconv.Quote(v)
	}
	return all
}

func tsDoc(b *bytes.Buffer, indent, doc string) {
	doc = strings.ReplaceAll(doc, "*/", "*\u200b/")
	switch {
	case doc == "":
	case !strings.Contains(doc, "\n"):
		fmt.Fprintf(b, "%s/** %s */\n", indent, doc)
	default:
		fmt.Fprintf(b, "%s/**\n", indent)
		for line := range strings.SplitSeq(doc, "\n") {
			b.WriteString(strings.TrimRight(indent+" * "+line, " ") + "\n")
		}
		fmt.Fprintf(b, "%s */\n", indent)
	}
}
