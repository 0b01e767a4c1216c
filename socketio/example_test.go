package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"jobcast/socketio"
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
)

// A page does the same with the stock client:
//
//	const socket = io("/orders", { auth: { token } })
//	socket.on("order:done", receipt => …)
//	const receipt = await socket.emitWithAck("order:place", { item: "tea", count: 2 })
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
	http.Handle("/socket.io/", server)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(server.Close(ctx))
	// Output: <nil>
}

func ExampleNewEvent() {
	chat := socketio.NewEvent[string]("chat")
	ns := socketio.New(socketio.Config{}).Of("/")

	ns.Handle(chat.On(func(ctx context.Context, s *socketio.Socket, text string) error {
		return chat.Emit(s.Broadcast(), text) // to everybody else
	}))

	fmt.Println(chat.Name(), chat.Emit(ns.To("lobby"), "hello"))
	// Output: chat <nil>
}

func ExampleNewCall() {
	add := socketio.NewCall[[]int, int]("add")
	ns := socketio.New(socketio.Config{}).Of("/")

	ns.Handle(add.On(func(ctx context.Context, s *socketio.Socket, n []int) (sum int, err error) {
		for _, n := range n {
			sum += n
		}
		return sum, nil
	}))

	fmt.Println(add.Name())
	// Output: add
}

// A handler may ask its own client, and wait for the answer.
func ExampleCall_Ask() {
	ns := socketio.New(socketio.Config{}).Of("/orders")

	ns.Handle(OrderPlace.On(func(ctx context.Context, s *socketio.Socket, o Order) (Receipt, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		yes, err := Confirm.Ask(ctx, s, o)
		if err != nil {
			return Receipt{}, err
		}
		if !yes {
			return Receipt{}, &socketio.PayloadError{Event: OrderPlace.Name(), Err: fmt.Errorf("not confirmed")}
		}
		return Receipt{Number: 1}, nil
	}))

	fmt.Println(Confirm.Name())
	// Output: order:confirm
}

// A middleware sees a socket before it is connected, and may refuse it with data beside the message.
func ExampleNamespace_Use() {
	ns := socketio.New(socketio.Config{}).Of("/admin")

	ns.Use(func(ctx context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if err := json.Unmarshal(s.Auth(), &auth); err != nil || auth.Token != "secret" {
			return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"code": 401}}
		}
		return nil
	})
	ns.OnConnect(func(ctx context.Context, s *socketio.Socket) { s.Join("admins") })
	ns.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) { fmt.Println(s.ID(), "left:", reason) })

	fmt.Println(ns.Name())
	// Output: /admin
}

func ExampleNamespace_HandleAny() {
	ns := socketio.New(socketio.Config{}).Of("/echo")

	ns.HandleAny(func(ctx context.Context, s *socketio.Socket, event string, args socketio.Args) (socketio.Args, error) {
		return args, nil // the acknowledgement, attachments and all
	})

	fmt.Println(ns.Name())
	// Output: /echo
}

// A Target is a value: what is derived from it does not change it.
func ExampleTarget() {
	ns := socketio.New(socketio.Config{}).Of("/")
	team := ns.To("red", "blue")

	OrderDone.Emit(team, Receipt{1})
	OrderDone.Emit(team.Except("muted").Volatile(), Receipt{2})
	n := 0
	for range team.Sockets() {
		n++
	}

	fmt.Println(n)
	// Output: 0
}
