package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"jobcast/socketio"
)

// wordsJSON is text that the server starts: a client that gets back what it has sent shows nothing, since two
// errors of coding undo each other.
//
//go:embed words.json
var wordsJSON []byte

type word struct {
	Text string `json:"text"`
}

var (
	greeting = socketio.NewEvent[socketio.Args]("greeting")       // all words, to a client whose query has "greet"
	start    = socketio.NewCall[struct{}, socketio.Args]("start") // asks for all words, each in an event, and then all
	started  = socketio.NewEvent[word]("word é")                  // one of them
	beside   = socketio.NewEvent[socketio.Args]("beside")         // all of them, beside bytes
	spell    = socketio.NewCall[string, []int]("spell")           // answers with the characters' numbers
	relay    = socketio.NewCall[socketio.Args, struct{}]("relay") // to all others of the namespace
	relayed  = socketio.NewEvent[socketio.Args]("relayed")        // what was
	hear     = socketio.NewCall[struct{}, socketio.Args]("hear")  // asks back with all words, and answers with the answer
)

// addWords adds what is said of the words to the namespaces of server.
func addWords(server *socketio.Server, names ...string) error {
	var words []string
	if err := json.Unmarshal(wordsJSON, &words); err != nil {
		return fmt.Errorf("words: %w", err)
	}
	all := socketio.Args{JSON: []json.RawMessage{wordsJSON}}
	for _, name := range names {
		ns := server.Of(name)
		ns.OnConnect(func(_ context.Context, s *socketio.Socket) {
			if s.Handshake().Query.Get("greet") != "" {
				_ = greeting.Emit(s, all) // the client may be gone
			}
		})
		ns.Handle(
			start.On(func(_ context.Context, s *socketio.Socket, _ struct{}) (socketio.Args, error) {
				for _, w := range words {
					if err := started.Emit(s, word{w}); err != nil {
						return socketio.Args{}, err
					}
				}
				bytes := json.RawMessage(`{"_placeholder":true,"num":0}`)
				mixed := socketio.Args{JSON: []json.RawMessage{wordsJSON, bytes}, Attachments: [][]byte{{0xc3, 0xa9, 0}}}
				return all, beside.Emit(s, mixed)
			}),
			hear.On(func(ctx context.Context, s *socketio.Socket, _ struct{}) (socketio.Args, error) {
				return question.Ask(ctx, s, all)
			}),
			spell.On(func(_ context.Context, _ *socketio.Socket, text string) ([]int, error) {
				numbers := []int{}
				for _, r := range text {
					numbers = append(numbers, int(r))
				}
				return numbers, nil
			}),
			relay.On(func(_ context.Context, s *socketio.Socket, args socketio.Args) (struct{}, error) {
				return struct{}{}, relayed.Emit(s.Broadcast(), args)
			}),
		)
	}
	return nil
}
