package main

import (
	"bytes"
	"fmt"
	"strings"
)

// markdown makes the tables: what each side says on each namespace, and the fields of each type.
func (c *catalogue) markdown() []byte {
	var b bytes.Buffer
	for _, n := range c.namespaces {
		fmt.Fprintf(&b, "\n## Namespace `%s`\n", n.path)
		if n.doc != "" {
			fmt.Fprintf(&b, "\n%s\n", mdText(n.doc))
		}
		if n.auth != nil {
			fmt.Fprintf(&b, "\nA client connects with `auth`: %s.\n", argument(*n.auth))
		}
		for _, side := range []struct {
			title    string
			messages []*message
		}{{"A client says", n.client}, {"The server says", n.server}} {
			if len(side.messages) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n%s:\n\n| event | payload | acknowledged with | |\n| --- | --- | --- | --- |\n", side.title)
			for _, m := range side.messages {
				answer := ""
				if m.answer != nil {
					answer = argument(*m.answer)
					if m.refused {
						answer += " or [`" + c.refusal.name + "`](#" + strings.ToLower(c.refusal.name) + ")"
					}
				}
				row(&b, "`"+m.name+"`", argument(m.payload), answer, mdText(meaning(m.doc, "`"+m.name+"`")))
			}
		}
	}
	b.WriteString("\n## Types\n")
	for _, t := range c.types {
		fmt.Fprintf(&b, "\n### %s\n", t.name)
		if t.doc != "" {
			fmt.Fprintf(&b, "\n%s\n", mdText(t.doc))
		}
		switch {
		case t.shape.kind == object:
			if t.also != "" {
				fmt.Fprintf(&b, "\nA %s, or:\n", t.also)
			}
			b.WriteString("\n| field | type | |\n| --- | --- | --- |\n")
			rows(&b, "", t.shape.fields)
		case t.values != nil:
			fmt.Fprintf(&b, "\nOne of `%s`.\n", strings.Join(quoted(t.values), "`, `"))
		default:
			also := ""
			if t.also != "" {
				also = " or " + t.also
			}
			fmt.Fprintf(&b, "\nA value of type %s%s.\n", mdType(t.shape), also)
		}
	}
	return b.Bytes()
}

// meaning is the comment of a table's row, which begins with the name already.
func meaning(doc, name string) string { return strings.TrimPrefix(doc, name+" ") }

// rows writes a row for each field; those of a field that is an object without a name come after it.
func rows(b *bytes.Buffer, prefix string, fields []field) {
	for _, f := range fields {
		name := prefix + f.name
		mark := ""
		if f.optional {
			mark = "?"
		}
		inner, suffix := f.shape, "."
		for inner.kind == list {
			inner, suffix = *inner.elem, "[]"+suffix
		}
		if inner.kind != object {
			row(b, "`"+name+mark+"`", mdType(f.shape), mdText(f.doc))
			continue
		}
		row(b, "`"+name+mark+"`", strings.Repeat("list of ", strings.Count(suffix, "[]"))+"object", mdText(f.doc))
		rows(b, name+suffix, inner.fields)
	}
}

func row(b *bytes.Buffer, cells ...string) {
	for _, c := range cells {
		c = strings.ReplaceAll(strings.ReplaceAll(flow(c), "\n\n", "<br>"), "|", `\|`)
		b.WriteString(strings.TrimRight("| "+c, " ") + " ")
	}
	b.WriteString("|\n")
}

// mdText keeps what looks like an element of HTML from becoming one.
func mdText(doc string) string { return strings.ReplaceAll(doc, "<", "&lt;") }

func argument(s shape) string {
	switch s.kind {
	case nothing:
		return "nothing"
	case several:
		return "any arguments"
	}
	return mdType(s)
}

func mdType(s shape) string {
	var t string
	switch s.kind {
	case list:
		return "list of " + mdType(*s.elem)
	case record:
		return "object: " + mdType(*s.elem) + " by " + mdType(*s.key)
	case object:
		t = "object"
	case mention:
		t = "[`" + s.ref.name + "`](#" + strings.ToLower(s.ref.name) + ")"
	case unknown:
		return "any JSON"
	case text:
		t = "string"
		if s.format == "date-time" {
			t = "time, as in RFC 3339"
		}
	case binary:
		t = "binary"
	case integer:
		t = "integer"
	case number:
		t = "number"
	case truth:
		t = "boolean"
		if s.is != nil {
			t = fmt.Sprintf("`%t`", *s.is)
		}
	default:
		t = "nothing"
	}
	if s.null {
		t += " or null"
	}
	return t
}
