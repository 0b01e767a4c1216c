// Command gosocketio is googollee/go-socket.io behind the events of the load generator's contract: the
// library that this project must be compatible with, and is measured beside. It speaks Engine.IO 3.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	socketio "github.com/googollee/go-socket.io"
	"github.com/googollee/go-socket.io/engineio"
	"github.com/googollee/go-socket.io/engineio/transport"
	"github.com/googollee/go-socket.io/engineio/transport/polling"
	"github.com/googollee/go-socket.io/engineio/transport/websocket"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address")
	flag.Parse()

	server := socketio.NewServer(&engineio.Options{
		Transports: []transport.Transport{
			&polling.Transport{CheckOrigin: func(*http.Request) bool { return true }},
			&websocket.Transport{CheckOrigin: func(*http.Request) bool { return true }},
		},
	})
	server.OnConnect("/", func(socketio.Conn) error { return nil })
	server.OnEvent("/", "echo", func(_ socketio.Conn, value map[string]any) map[string]any { return value })
	server.OnEvent("/", "join", func(c socketio.Conn, room string) bool {
		c.Join(room)
		return true
	})
	server.OnEvent("/", "broadcast", func(_ socketio.Conn, req struct {
		Data string `json:"data"`
		ID   int64  `json:"id"`
		N    int    `json:"n"`
		Room string `json:"room"`
	}) {
		for i := range req.N {
			server.BroadcastToRoom("/", req.Room, "tick", map[string]any{"data": req.Data, "i": i, "id": req.ID})
		}
	})
	server.OnEvent("/", "start", func(c socketio.Conn, req struct {
		Job  string  `json:"job"`
		N    int     `json:"n"`
		Rate float64 `json:"rate"`
	}) {
		room := "job:" + req.Job
		c.Join(room)
		go stream(server, room, req.Job, req.N, req.Rate) // ends by itself, after N events
	})
	go func() { // ends with the program
		if err := server.Serve(); err != nil {
			log.Fatal(err)
		}
	}()
	http.Handle("/socket.io/", server)
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func stream(server *socketio.Server, room, job string, n int, rate float64) {
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		server.BroadcastToRoom("/", room, "progress", map[string]any{
			"i": i, "job": job, "msg": "processing the next item of the batch", "n": n, "t": time.Now().UnixMicro(),
		})
	}
	server.BroadcastToRoom("/", room, "done", map[string]any{"job": job, "n": n})
}
