package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// withRooms returns a server whose pages enter rooms.
func withRooms() *socketio.Server {
	server := socketio.New(socketio.Config{})
	server.Of("/").Handle(Enter.On(func(ctx context.Context, s *socketio.Socket, room string) ([]string, error) {
		s.Join(room)
		return s.Rooms(), nil
	}))
	return server
}

// enter connects a page that is in rooms.
func enter(server *socketio.Server, rooms ...string) *client.Socket {
	page := connect(server, "/")
	for _, room := range rooms {
		if _, err := client.Call(context.Background(), page, Enter, room); err != nil {
			panic(err)
		}
	}
	return page
}

// A room is a set of sockets. It is there while somebody is in it.
func ExampleSocket_Join() {
	enter := socketio.NewCall[string, []string]("enter")
	server := socketio.New(socketio.Config{})
	main := server.Of("/")
	main.Handle(enter.On(func(ctx context.Context, s *socketio.Socket, room string) ([]string, error) {
		s.Join(room)
		return s.Rooms(), nil
	}))

	page := connect(server, "/")
	defer end(server, page)
	for _, room := range []string{"red", "blue"} {
		fmt.Println(client.Call(context.Background(), page, enter, room))
	}
	fmt.Println(main.Rooms())
	// Output:
	// [red] <nil>
	// [blue red] <nil>
	// [blue red]
}

// A Target is a value: what is derived from it does not change it. A socket in several of its rooms gets an
// event once.
func ExampleTarget() {
	server := withRooms()
	main := server.Of("/")
	both, muted := enter(server, "red", "blue"), enter(server, "red", "muted")
	defer end(server, both, muted)
	toBoth, toMuted := receive(both, Chat), receive(muted, Chat)

	team := main.To("red").In("blue")
	Chat.Emit(team.Except("muted"), "quietly")
	Chat.Emit(team, "to everybody")
	fmt.Println(<-toBoth, "and", <-toBoth)
	fmt.Println(<-toMuted)
	// Output:
	// quietly and to everybody
	// to everybody
}

// Who is told of somebody is everybody else.
func ExampleSocket_To() {
	say := socketio.NewEvent[string]("say")
	server := withRooms()
	server.Of("/").Handle(say.On(func(ctx context.Context, s *socketio.Socket, text string) error {
		if err := Chat.Emit(s.To("lobby"), text); err != nil { // the others in the room
			return err
		}
		return Chat.Emit(s, "said") // the socket itself
	}))
	alice, bob := enter(server, "lobby"), enter(server, "lobby")
	defer end(server, alice, bob)
	alices, bobs := receive(alice, Chat), receive(bob, Chat)

	client.Emit(alice, say, "hello")
	fmt.Println(<-alices, "and", <-bobs)
	// Output: said and hello
}

// A socket is addressed by its id as by a room that it is alone in.
func ExampleNamespace_To() {
	server := withRooms()
	alice := enter(server)
	defer end(server, alice)
	chat := receive(alice, Chat)

	Chat.Emit(server.Of("/").To(alice.ID()), "only you")
	fmt.Println(<-chat)
	// Output: only you
}

// The sockets of a room are listed, moved and sent away together.
func ExampleTarget_Sockets() {
	server := withRooms()
	main := server.Of("/")
	a, b := enter(server, "waiting"), enter(server, "waiting")
	defer end(server, a, b)
	gone := make(chan socketio.Reason, 2)
	for _, page := range []*client.Socket{a, b} {
		page.OnDisconnect(func(reason socketio.Reason) { gone <- reason })
	}

	main.In("waiting").Join("game")
	main.In("waiting").Leave("waiting")
	for s := range main.In("game").Sockets() {
		fmt.Println(s.Rooms())
	}
	main.In("game").Disconnect(false)
	fmt.Println(<-gone, "and", <-gone)
	// Output:
	// [game]
	// [game]
	// io server disconnect and io server disconnect
}

// A question to a whole room. Who does not answer in time is named beside the answers of the others.
func ExampleCall_AskAll() {
	ready := socketio.NewCall[struct{}, string]("ready?")
	server := withRooms()
	quick, slow := enter(server, "game"), enter(server, "game")
	defer end(server, quick, slow)
	client.Answer(quick, ready, func(ctx context.Context, _ struct{}) (string, error) { return "yes", nil })
	client.Answer(slow, ready, func(ctx context.Context, _ struct{}) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})

	room := server.Of("/").In("game").Timeout(50 * time.Millisecond)
	answers, err := ready.AskAll(context.Background(), room, struct{}{})
	for _, a := range answers {
		fmt.Println(a.Value, a.Socket.ID() == quick.ID())
	}
	if missing, ok := errors.AsType[*socketio.UnansweredError](err); ok {
		for s, err := range missing.Missing {
			fmt.Println(s.ID() == slow.ID(), errors.Is(err, context.DeadlineExceeded))
		}
	}
	// Output:
	// yes true
	// true true
}

// Answers are there as they come. Who has seen enough ends the loop.
func ExampleCall_AskEach() {
	guess := socketio.NewCall[struct{}, int]("guess")
	server := withRooms()
	pages := []*client.Socket{enter(server), enter(server), enter(server)}
	defer end(server, pages...)
	for i, page := range pages {
		client.Answer(page, guess, func(ctx context.Context, _ struct{}) (int, error) { return 10 * (i + 1), nil })
	}

	total := 0
	for answer, err := range guess.AskEach(context.Background(), server.Of("/"), struct{}{}) {
		if err != nil {
			fmt.Println(err)
		}
		total += answer.Value
	}
	fmt.Println(total)
	// Output: 60
}
