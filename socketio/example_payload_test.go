package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// Bytes in a payload travel as binary attachments. A page gets each as an ArrayBuffer.
func ExampleEvent_binary() {
	type File struct {
		Name string `json:"name"`
		Data []byte `json:"data"`
	}
	upload := socketio.NewCall[File, int]("upload")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(upload.On(func(ctx context.Context, s *socketio.Socket, f File) (int, error) {
		return len(f.Data), nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	fmt.Println(client.Call(context.Background(), page, upload, File{"a.bin", make([]byte, 1000)}))
	// Output: 1000 <nil>
}

// Args are the arguments as they are on the wire: any number, and not decoded.
func ExampleArgs() {
	log := socketio.NewCall[socketio.Args, socketio.Args]("log")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(log.On(func(ctx context.Context, s *socketio.Socket, args socketio.Args) (socketio.Args, error) {
		fmt.Printf("%s with %d attachments\n", args.JSON, len(args.Attachments))
		return args, nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	// socket.emitWithAck("log", 1, "two", buffer)
	args, err := client.Call(context.Background(), page, log, socketio.Args{
		JSON:        []json.RawMessage{[]byte(`1`), []byte(`"two"`), []byte(`{"_placeholder":true,"num":0}`)},
		Attachments: [][]byte{{1, 2, 3}},
	})
	fmt.Println(args.Attachments, err)
	// Output:
	// [1 "two" {"_placeholder":true,"num":0}] with 1 attachments
	// [[1 2 3]] <nil>
}

// A volatile event is dropped where it cannot leave at once: what counts is now, or never.
func ExampleEvent_Volatile() {
	position := socketio.NewEvent[[2]int]("position").Volatile()
	server := socketio.New(socketio.Config{})
	page := connect(server, "/")
	defer end(server, page)
	positions := receive(page, position)

	for s := range server.Of("/").Sockets() {
		fmt.Println(position.Emit(s, [2]int{3, 4}))
	}
	fmt.Println(<-positions) // nothing was in its way
	// Output:
	// <nil>
	// [3 4]
}

// Of a progress only the newest counts: an older one of the same job that still waits for the client is not sent.
func ExampleEvent_Newest() {
	type Progress struct {
		Job     string `json:"job"`
		Percent int    `json:"percent"`
	}
	progress := socketio.NewEvent[Progress]("progress").Newest(func(p Progress) string { return p.Job })
	server := socketio.New(socketio.Config{})
	page := connect(server, "/")
	defer end(server, page)
	done := make(chan Progress)
	client.On(page, progress, func(ctx context.Context, p Progress) {
		if p.Percent == 100 {
			done <- p
		}
	})

	for percent := range 101 {
		progress.Emit(server.Of("/"), Progress{"01J", percent})
	}
	fmt.Println(<-done)
	// Output: {01J 100}
}

// Whoever speaks the protocol by other means encodes and decodes payloads as a server does.
func ExampleEncodeArgs() {
	args, err := socketio.EncodeArgs(Order{"tea", 2})
	fmt.Println(string(args.JSON[0]), err)
	order, err := socketio.DecodeArgs[Order]("order:place", args)
	fmt.Println(order, err)
	// Output:
	// {"item":"tea","count":2} <nil>
	// {tea 2} <nil>
}

// A namespace may take clients that write packets as MessagePack, with socket.io-msgpack-parser, beside those
// that write JSON. Nothing else is otherwise.
func ExampleNamespace_AllowMsgpack() {
	greet := socketio.NewCall[string, string]("greet")
	server := socketio.New(socketio.Config{})
	server.Of("/").AllowMsgpack()
	server.Of("/").Handle(greet.On(func(ctx context.Context, s *socketio.Socket, name string) (string, error) {
		return "hello " + name, nil
	}))

	for _, messagePack := range []bool{false, true} {
		page := client.New(client.Config{Handler: server, MessagePack: messagePack}).Of("/")
		page.Connect(context.Background()) // io({ parser }) in a page
		fmt.Println(client.Call(context.Background(), page, greet, "you"))
		page.Client().Close()
	}
	end(server)
	// Output:
	// hello you <nil>
	// hello you <nil>
}

// What is compressed already is not compressed again on its way.
func ExampleNamespace_Compress() {
	picture := socketio.NewEvent[[]byte]("picture")
	server := socketio.New(socketio.Config{})
	page := connect(server, "/")
	defer end(server, page)
	pictures := receive(page, picture)

	picture.Emit(server.Of("/").Compress(false), []byte("\x89PNG"))
	fmt.Printf("%q\n", <-pictures)
	// Output: "\x89PNG"
}

// A handler for everything that has none.
func ExampleNamespace_HandleAny() {
	server := socketio.New(socketio.Config{})
	server.Of("/").HandleAny(func(ctx context.Context, s *socketio.Socket, event string, args socketio.Args) (socketio.Args, error) {
		return socketio.EncodeArgs(strings.ToUpper(event))
	})

	page := connect(server, "/")
	defer end(server, page)
	fmt.Println(client.Call(context.Background(), page, socketio.NewCall[int, string]("anything"), 1))
	// Output: ANYTHING <nil>
}
