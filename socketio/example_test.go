package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

type Order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

type Receipt struct {
	Number int `json:"number"`
}

// Events and calls are declared once, as values that the sender and the handler share.
var (
	OrderPlace = socketio.NewCall[Order, Receipt]("order:place")
	OrderDone  = socketio.NewEvent[Receipt]("order:done")
	Confirm    = socketio.NewCall[Order, bool]("order:confirm")

	Chat  = socketio.NewEvent[string]("chat")
	Enter = socketio.NewCall[string, []string]("enter")
)

// connect returns the socket of a page: that of the client in Go, which reaches the server in memory.
func connect(server http.Handler, namespace string) *client.Socket {
	page := client.New(client.Config{Handler: server}).Of(namespace)
	if err := page.Connect(context.Background()); err != nil {
		panic(err)
	}
	return page
}

// receive returns what a page gets of an event.
func receive[T any](page *client.Socket, event socketio.Event[T]) <-chan T {
	got := make(chan T, 10)
	client.On(page, event, func(_ context.Context, payload T) { got <- payload })
	return got
}

// end closes pages and their server.
func end(server *socketio.Server, pages ...*client.Socket) {
	for _, page := range pages {
		page.Client().Close()
	}
	if err := server.Close(context.Background()); err != nil {
		panic(err)
	}
}

// A page does with the stock client what this one does in Go:
//
//	const socket = io("/orders")
//	socket.on("order:done", receipt => …)
//	const receipt = await socket.emitWithAck("order:place", { item: "tea", count: 2 })
//
// A server is mounted as http.Handle("/socket.io/", server).
func Example() {
	server := socketio.New(socketio.Config{})
	orders := server.Of("/orders")
	orders.Handle(
		OrderPlace.On(func(ctx context.Context, s *socketio.Socket, o Order) (Receipt, error) {
			r := Receipt{Number: 1}
			s.Join("order:1")
			return r, OrderDone.Emit(orders.To("order:1"), r)
		}),
	)

	page := connect(server, "/orders")
	defer end(server, page)
	done := receive(page, OrderDone)
	receipt, err := client.Call(context.Background(), page, OrderPlace, Order{"tea", 2})
	fmt.Println("placed", receipt.Number, err)
	fmt.Println("done", (<-done).Number)
	// Output:
	// placed 1 <nil>
	// done 1
}

// An event goes in both directions.
func ExampleNewEvent() {
	chat := socketio.NewEvent[string]("chat")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(chat.On(func(ctx context.Context, s *socketio.Socket, text string) error {
		return chat.Emit(s.Broadcast(), text) // to everybody else
	}))

	alice, bob := connect(server, "/"), connect(server, "/")
	defer end(server, alice, bob)
	bobs := receive(bob, chat)
	fmt.Println(client.Emit(alice, chat, "hello"))
	fmt.Println(<-bobs)
	// Output:
	// <nil>
	// hello
}

// MessageEvent is what send() of the stock client emits, with any arguments.
func ExampleEvent_message() {
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(socketio.MessageEvent.On(func(ctx context.Context, s *socketio.Socket, args socketio.Args) error {
		slices.Reverse(args.JSON)
		return socketio.MessageEvent.Emit(s, args)
	}))

	page := connect(server, "/")
	defer end(server, page)
	messages := receive(page, socketio.MessageEvent)
	client.Emit(page, socketio.MessageEvent, socketio.Args{JSON: []json.RawMessage{[]byte(`1`), []byte(`"two"`)}}) // socket.send(1, "two")
	fmt.Printf("%s\n", (<-messages).JSON)
	// Output: ["two" 1]
}

// A call is answered by an acknowledgement, with what the handler returns.
func ExampleNewCall() {
	add := socketio.NewCall[[]int, int]("add")
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(add.On(func(ctx context.Context, s *socketio.Socket, n []int) (sum int, err error) {
		for _, n := range n {
			sum += n
		}
		return sum, nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	fmt.Println(client.Call(context.Background(), page, add, []int{1, 2, 3}))
	// Output: 6 <nil>
}

// A handler may do something right after its answer was queued, and say exactly what comes before it.
func ExampleCall_OnAnswer() {
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(OrderPlace.OnAnswer(
		func(ctx context.Context, s *socketio.Socket, o Order, answer func(Receipt) error) error {
			if err := answer(Receipt{1}); err != nil {
				return err
			}
			return OrderDone.Emit(s, Receipt{1})
		}))

	page := connect(server, "/")
	defer end(server, page)
	done := receive(page, OrderDone)
	receipt, err := client.Call(context.Background(), page, OrderPlace, Order{"tea", 2})
	fmt.Println(receipt, err, <-done)
	// Output: {1} <nil> {1}
}

// A handler may ask its own client, and wait for the answer. Without a deadline of its own it waits for
// Config.AckTimeout.
func ExampleCall_Ask() {
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(OrderPlace.On(func(ctx context.Context, s *socketio.Socket, o Order) (Receipt, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		yes, err := Confirm.Ask(ctx, s, o)
		if err != nil {
			return Receipt{}, err
		}
		if !yes {
			return Receipt{}, &socketio.EventError{Code: "cancelled", Message: "you said no"}
		}
		return Receipt{Number: 1}, nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	client.Answer(page, Confirm, func(ctx context.Context, o Order) (bool, error) { return o.Count < 10, nil })
	fmt.Println(client.Call(context.Background(), page, OrderPlace, Order{"tea", 2}))
	fmt.Println(client.Call(context.Background(), page, OrderPlace, Order{"tea", 20}))
	// Output:
	// {1} <nil>
	// {0} call order:place: cancelled: you said no
}

// The client does not answer in time.
func ExampleCall_Ask_timeout() {
	server := socketio.New(socketio.Config{})
	failed := make(chan error, 1)
	server.Of("/").OnConnect(func(ctx context.Context, s *socketio.Socket) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := Confirm.Ask(ctx, s, Order{"tea", 2})
		failed <- err
	})

	page := client.New(client.Config{Handler: server}).Of("/")
	defer end(server, page)
	client.Answer(page, Confirm, func(ctx context.Context, o Order) (bool, error) {
		<-ctx.Done() // until the page leaves
		return false, ctx.Err()
	})
	if err := page.Connect(context.Background()); err != nil {
		fmt.Println(err)
	}
	err := <-failed
	fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	// Output: ask order:confirm: context deadline exceeded true
}

// What a client may know of an error is an EventError. Of any other it learns only that there was one; a
// payload that does not fit is named, with its field.
func ExampleEventError() {
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(OrderPlace.On(func(ctx context.Context, s *socketio.Socket, o Order) (Receipt, error) {
		return Receipt{}, &socketio.EventError{Code: "sold_out", Message: "no " + o.Item + " left", Data: []string{"coffee"}}
	}))

	page := connect(server, "/")
	defer end(server, page)
	_, err := client.Call(context.Background(), page, OrderPlace, Order{"tea", 2})
	if failed, ok := errors.AsType[*client.CallError](err); ok {
		fmt.Println(string(failed.Ack))
	}
	wrong := socketio.NewCall[map[string]string, Receipt](OrderPlace.Name())
	_, err = client.Call(context.Background(), page, wrong, map[string]string{"count": "many"})
	fmt.Println(err)
	// Output:
	// {"ok":false,"error":{"code":"sold_out","message":"no tea left","data":["coffee"]}}
	// call order:place: bad_request: event order:place: count: want integer, got string
}
