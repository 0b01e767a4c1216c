package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// An entries is a JSON object whose fields keep their order.
type entries []entry

type entry struct {
	key   string
	value any
}

func (e *entries) add(key string, value any) { *e = append(*e, entry{key, value}) }

// say adds a text, if there is one, with its lines joined.
func (e *entries) say(key, doc string) {
	if doc = flow(doc); doc != "" {
		e.add(key, doc)
	}
}

// MarshalJSON implements json.Marshaler.
func (e entries) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, entry := range e {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{entry.key, entry.value} {
			if j > 0 {
				b.WriteByte(':')
			}
			if err := plainJSON(&b, "", v); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func plainJSON(b *bytes.Buffer, indent string, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}

const asyncapiDescription = `The events of each namespace, as they travel in Socket.IO packets (protocol version 5) over WebSocket or HTTP polling. ` +
	`A channel is a namespace, and its address is the path that a client connects to. The name of a message is the name of its event, and its payload is the first argument. ` +
	`A reply is the acknowledgement. The document takes the side of the server: what it receives, a client emits.`

// asyncapi makes the AsyncAPI 3 document: a channel for each namespace, and an operation for each event
// that one side says there.
func (c *catalogue) asyncapi() []byte {
	channels, operations, schemas := entries{}, entries{}, entries{}
	for _, n := range c.namespaces {
		key := strings.ToLower(n.title[:1]) + n.title[1:]
		here := "#/channels/" + key
		messages := entries{}
		add := func(id string, m entries) entries {
			messages.add(id, m)
			return ref(here + "/messages/" + id)
		}
		if n.auth != nil {
			add("auth", payload(entries{{"name", "auth"}, {"title", "What a client connects with"}}, *n.auth))
		}
		refused := false
		for _, side := range []struct {
			action, prefix string
			messages       []*message
		}{{"receive", "client", n.client}, {"send", "server", n.server}} {
			for _, m := range side.messages {
				// The same event may be said by both sides, and by other namespaces.
				id := side.prefix + m.id
				said := entries{{"name", m.name}, {"title", m.name}}
				said.say("summary", m.doc)
				said = payload(said, m.payload)
				op := entries{{"action", side.action}, {"channel", ref(here)}, {"title", m.name}}
				op.say("summary", m.doc)
				op.add("messages", []any{add(id, said)})
				if m.answer != nil {
					answers := []any{add(id+"Ack", payload(entries{{"name", m.name + " ack"}, {"title", "The acknowledgement of " + m.name}}, *m.answer))}
					if m.refused {
						refused = true
						answers = append(answers, ref(here+"/messages/refusal"))
					}
					op.add("reply", entries{{"channel", ref(here)}, {"messages", answers}})
				}
				operations.add(key+title(id), op)
			}
		}
		if refused {
			add("refusal", payload(entries{{"name", "refusal"}, {"title", "The acknowledgement of a request that was refused"}},
				shape{kind: mention, ref: c.refusal}))
		}
		channel := entries{{"address", n.path}, {"title", n.path}}
		channel.say("description", n.doc)
		channel.add("messages", messages)
		channels.add(key, channel)
	}
	for _, t := range c.types {
		schemas.add(t.name, schemaOf(t))
	}
	var b bytes.Buffer
	err := plainJSON(&b, "  ", entries{
		{"asyncapi", "3.0.0"},
		{"info", entries{{"title", "Jobcast"}, {"version", "1"}, {"description", asyncapiDescription}}},
		{"defaultContentType", "application/json"},
		{"servers", entries{{"local", entries{
			{"host", "127.0.0.1:8080"}, {"pathname", "/socket.io/"}, {"protocol", "ws"},
			{"description", "Where make run listens."},
		}}}},
		{"channels", channels},
		{"operations", operations},
		{"components", entries{{"schemas", schemas}}},
	})
	if err != nil {
		panic(fmt.Sprintf("encode the document: %v", err)) // it is made of texts
	}
	return b.Bytes()
}

func ref(to string) entries { return entries{{"$ref", to}} }

// payload adds what a message carries. An event without an argument has no payload.
func payload(m entries, s shape) entries {
	switch s.kind {
	case nothing:
	case several:
		m.add("payload", entries{{"type", "array"}, {"description", "all arguments of the event; there may be any number, of any kind"}})
	default:
		m.add("payload", schema(s))
	}
	return m
}

func schemaOf(t *named) entries {
	s := entries{}
	s.say("description", t.doc)
	if t.also != "" {
		return append(s, entry{"anyOf", []any{entries{{"type", t.also}}, schema(t.shape)}})
	}
	s = append(s, schema(t.shape)...)
	if t.values != nil {
		s.add("enum", t.values)
	}
	return s
}

// schema makes a JSON Schema of draft 7, which is what AsyncAPI extends.
func schema(s shape) entries {
	typed := func(name string, more ...entry) entries {
		if s.null {
			return append(entries{{"type", []any{name, "null"}}}, more...)
		}
		return append(entries{{"type", name}}, more...)
	}
	switch s.kind {
	case truth:
		if s.is != nil {
			return entries{{"const", *s.is}}
		}
		return typed("boolean")
	case integer:
		if s.unsigned {
			return typed("integer", entry{"minimum", 0})
		}
		return typed("integer")
	case number:
		return typed("number")
	case text:
		if s.format == "" {
			return typed("string")
		}
		return typed("string", entry{"format", s.format})
	case binary:
		return typed("string", entry{"contentMediaType", "application/octet-stream"})
	case list:
		return typed("array", entry{"items", schema(*s.elem)})
	case record:
		more := []entry{{"additionalProperties", schema(*s.elem)}}
		if s.key.kind == mention {
			more = append(more, entry{"propertyNames", schema(*s.key)})
		}
		return typed("object", more...)
	case object:
		properties, required := entries{}, []any{}
		for _, f := range s.fields {
			p := entries{}
			p.say("description", f.doc)
			in := schema(f.shape)
			if len(p) > 0 && len(in) > 0 && in[0].key == "$ref" {
				in = entries{{"allOf", []any{in}}} // what stands beside $ref is not read
			}
			properties.add(f.name, append(p, in...))
			if !f.optional {
				required = append(required, f.name)
			}
		}
		more := []entry{{"properties", properties}}
		if len(required) > 0 {
			more = append(more, entry{"required", required})
		}
		return typed("object", more...)
	case mention:
		to := ref("#/components/schemas/" + s.ref.name)
		if s.null {
			return entries{{"anyOf", []any{to, entries{{"type", "null"}}}}}
		}
		return to
	case nothing:
		return typed("object", entry{"maxProperties", 0})
	case several:
		return typed("array")
	}
	return entries{}
}

// flow joins the lines of each paragraph.
func flow(doc string) string {
	paragraphs := strings.Split(doc, "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.TrimSpace(strings.Join(paragraphs, "\n\n"))
}
