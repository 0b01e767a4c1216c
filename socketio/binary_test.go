package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type filePart struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

type files struct {
	Title string     `json:"title"`
	Parts []filePart `json:"parts"`
}

var upload = NewCall[files, files]("upload")

// Bytes in a payload are attachments both ways: of events, calls, questions and their answers.
func TestTypedBinary(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.Handle(
			upload.On(func(_ context.Context, _ *Socket, req files) (files, error) {
				for i := range req.Parts {
					req.Parts[i].Data = append(req.Parts[i].Data, 0xff)
				}
				return req, nil
			}),
			NewEvent[[]byte]("raw").On(func(_ context.Context, s *Socket, data []byte) error {
				return NewEvent[[]byte]("raw").Emit(s, append(data, 0xee))
			}),
		)
		p, s := join(t, srv, "/")
		other, _ := join(t, srv, "/")
		const p0, p1 = `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`

		p.send(`52-7["upload",{"title":"<t>","parts":[{"name":"a","data":` + p1 + `},{"data":null},{"data":` + p0 + `},{"data":"AQI="}]}]`)
		p.sendBinary(1)
		p.sendBinary(2)
		p.want(`64-7[{"title":"<t>","parts":[{"name":"a","data":`+p0+`},{"name":"","data":`+p1+`},{"name":"","data":{"_placeholder":true,"num":2}},{"name":"","data":{"_placeholder":true,"num":3}}]}]`,
			"b02ff", "bff", "b01ff", "b0102ff")
		p.send(`51-["raw",` + p0 + `]`)
		p.sendBinary()
		p.want(`51-["raw",`+p0+`]`, "bee")
		p.send(`51-["raw",{"\u005fplaceholder":true,"num":0}]`) // the same key
		p.sendBinary(1)
		p.want(`51-["raw",`+p0+`]`, "b01ee")

		data := []byte{9}
		if err := NewEvent[map[string][]byte]("broadcast").Emit(ns, map[string][]byte{"x": data}); err != nil {
			t.Fatal(err)
		}
		data[0] = 8 // what was emitted does not see it
		p.want(`51-["broadcast",{"x":`+p0+`}]`, "b09")
		other.want(`51-["broadcast",{"x":`+p0+`}]`, "b09")
		NewEvent[files]("none").Emit(s, files{Parts: []filePart{{"a", nil}}})
		p.want(`2["none",{"title":"","parts":[{"name":"a","data":null}]}]`)

		answers := make(chan files, 1)
		s.Go(func(ctx context.Context) {
			answer, err := upload.Ask(ctx, s, files{Parts: []filePart{{"q", []byte{1}}}})
			if err != nil {
				t.Error(err)
			}
			answers <- answer
		})
		p.want(`51-0["upload",{"title":"","parts":[{"name":"q","data":`+p0+`}]}]`, "b01")
		p.send(`61-0[{"parts":[{"name":"r","data":` + p0 + `}]}]`)
		p.sendBinary(5, 6)
		if a := <-answers; len(a.Parts) != 1 || string(a.Parts[0].Data) != "\x05\x06" {
			t.Errorf("got answer %v", a)
		}

		s.Go(func(ctx context.Context) {
			all, err := upload.AskAll(ctx, ns.To(s.ID()), files{Parts: []filePart{{"q", []byte{1}}}})
			if err != nil || len(all) != 1 {
				t.Errorf("got %v, %v", all, err)
			}
			answers <- all[0].Value
		})
		p.want(`51-1["upload",{"title":"","parts":[{"name":"q","data":`+p0+`}]}]`, "b01")
		p.send(`61-1[{"parts":[{"name":"r","data":` + p0 + `}]}]`)
		p.sendBinary(7)
		if a := <-answers; len(a.Parts) != 1 || string(a.Parts[0].Data) != "\x07" {
			t.Errorf("got answer %v", a)
		}
	})
}

func TestTypedBinaryErrors(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/").Handle(upload.On(func(_ context.Context, _ *Socket, req files) (files, error) {
			return files{Parts: make([]filePart, 1)}, nil
		}))
		p, s := join(t, srv, "/")
		const p0 = `{"_placeholder":true,"num":0}`
		for _, tt := range []struct{ parts, want string }{
			{`{},{},{"data":"not base64"}`, "parts.2.data: want binary, got string"},
			{`{},{"data":7}`, "parts.1.data: want binary, got number"},
			{`{"data":{"a":1}}`, "parts.0.data: want binary, got object"},
			{`{"name":` + p0 + `}`, "parts.0.name: want string, got binary"},
		} {
			p.send(`51-0["upload",{"parts":[` + tt.parts + `]}]`)
			p.sendBinary(1)
			p.want(`30[{"ok":false,"error":{"code":"bad_request","message":"event upload: ` + tt.want + `"}}]`)
		}

		many := files{Parts: make([]filePart, 11)}
		for i := range many.Parts {
			many.Parts[i].Data = []byte{}
		}
		err := NewEvent[files]("many").Emit(s, many)
		if err == nil || err.Error() != "encode event many: socketio: 11 attachments, at most 10 fit in a packet" {
			t.Errorf("got %v, want an error about the number of attachments", err)
		}
		if _, err := EncodeArgs(many); err == nil || !strings.Contains(err.Error(), "11 attachments") {
			t.Errorf("got %v, want an error about the number of attachments", err)
		}
		p.want()
	})
}

func TestArgsWithBytes(t *testing.T) {
	args, err := EncodeArgs(filePart{"x", []byte("y")})
	if err != nil || len(args.JSON) != 1 || string(args.JSON[0]) != `{"name":"x","data":{"_placeholder":true,"num":0}}` || len(args.Attachments) != 1 {
		t.Errorf("got %s, %q, %v", args.JSON, args.Attachments, err)
	}
	back, err := DecodeArgs[filePart]("x", args)
	if err != nil || string(back.Data) != "y" {
		t.Errorf("got %v, %v", back, err)
	}
	_, err = DecodeArgs[filePart]("x", Args{JSON: []json.RawMessage{[]byte(`{"data":true}`)}})
	if e, ok := errors.AsType[*PayloadError](err); !ok || e.Error() != "event x: data: want binary, got bool" {
		t.Errorf("got %v", err)
	}
}

// Where an array goes wrong, the error says at which index, also in types without bytes.
func TestPayloadErrorHasIndexes(t *testing.T) {
	_, err := DecodeArgs[struct{ List []map[string]int }]("x", Args{JSON: []json.RawMessage{[]byte(`{"list":[{},{"a":1,"b":"2"}]}`)}})
	if e, ok := errors.AsType[*PayloadError](err); !ok || e.Field != "list.1.b" {
		t.Errorf("got %v, want list.1.b", err)
	}
}
