// Command server is what the load generator measures: the events of its contract, served by this
// project's engine. It answers on /socket.io/ of the address in -listen, and writes profiles of itself
// where -cpuprofile and -memprofile say when it is interrupted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"jobcast/engineio"
	"jobcast/engineio/cors"
	"jobcast/socketio"
)

// The events of the contract.
var (
	echo      = socketio.NewCall[json.RawMessage, json.RawMessage]("echo")
	join      = socketio.NewCall[string, bool]("join")
	broadcast = socketio.NewEvent[broadcastRequest]("broadcast")
	tick      = socketio.NewEvent[tickEvent]("tick")
	start     = socketio.NewEvent[startRequest]("start")
	progress  = socketio.NewEvent[progressEvent]("progress")
	done      = socketio.NewEvent[doneEvent]("done")
)

type broadcastRequest struct {
	Data string `json:"data"`
	ID   int64  `json:"id"`
	N    int    `json:"n"`
	Room string `json:"room"`
}

type tickEvent struct {
	Data string `json:"data"`
	I    int    `json:"i"`
	ID   int64  `json:"id"`
}

type startRequest struct {
	Job  string  `json:"job"`
	N    int     `json:"n"`
	Rate float64 `json:"rate"`
}

type progressEvent struct {
	I   int    `json:"i"`
	Job string `json:"job"`
	Msg string `json:"msg"`
	N   int    `json:"n"`
	T   int64  `json:"t"`
}

type doneEvent struct {
	Job string `json:"job"`
	N   int    `json:"n"`
}

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address")
	profile := flag.String("cpuprofile", "", "file for a CPU profile")
	heap := flag.String("memprofile", "", "file for a profile of what is in memory")
	poller := flag.Bool("poller", true, "read clients by a poller where there is one")
	flag.Parse()
	if err := run(*listen, *profile, *heap, *poller); err != nil {
		log.Fatal(err)
	}
}

func run(listen, profile, heap string, poller bool) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}

	server := socketio.New(socketio.Config{Engine: engineio.Config{CORS: cors.Config{Origins: []string{"*"}}, DisablePoller: !poller}})
	handle(server.Of("/"))
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	web := &http.Server{Handler: mux}

	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-stop.Done():
	}
	if heap != "" {
		if err := writeHeap(heap); err != nil {
			return err
		}
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Close(end), web.Close())
}

func writeHeap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

func handle(ns *socketio.Namespace) {
	ns.Handle(
		echo.On(func(_ context.Context, _ *socketio.Socket, value json.RawMessage) (json.RawMessage, error) {
			return value, nil
		}),
		join.On(func(_ context.Context, s *socketio.Socket, room string) (bool, error) {
			s.Join(room)
			return true, nil
		}),
		broadcast.On(func(_ context.Context, _ *socketio.Socket, req broadcastRequest) error {
			room := ns.To(req.Room)
			for i := range req.N {
				if err := tick.Emit(room, tickEvent{Data: req.Data, I: i, ID: req.ID}); err != nil {
					return err
				}
			}
			return nil
		}),
		start.On(func(_ context.Context, s *socketio.Socket, req startRequest) error {
			room := "job:" + req.Job
			s.Join(room)
			s.Go(func(ctx context.Context) { stream(ctx, ns.To(room), req) })
			return nil
		}),
	)
}

// stream emits the progress of a job at its rate, and what is late at once.
func stream(ctx context.Context, room socketio.Target, req startRequest) {
	begin := time.Now()
	for i := range req.N {
		due := begin.Add(time.Duration(float64(i) / req.Rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return
		}
		progress.Emit(room, progressEvent{
			I: i, Job: req.Job, Msg: "processing the next item of the batch", N: req.N, T: time.Now().UnixMicro(),
		})
	}
	done.Emit(room, doneEvent{Job: req.Job, N: req.N})
}
