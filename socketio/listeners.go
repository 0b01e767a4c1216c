package socketio

import "slices"

// A Listener observes events. It must neither block nor change the arguments.
type Listener func(s *Socket, event string, args Args)

// listeners are what is registered at one socket, at any time. They are replaced as a whole, so that who needs
// them takes no lock. A socket without takes no memory for them.
type listeners struct {
	middleware    []EventRewriter
	any, outgoing []*Listener
}

// changeListeners changes a copy of what is registered at the socket.
func (s *Socket) changeListeners(change func(*listeners)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var h listeners
	if old := s.listeners.Load(); old != nil {
		h = *old
	}
	before := len(h.outgoing)
	if change(&h); s.state.Load() == closed {
		h.outgoing = nil // nothing goes out
	}
	s.ns.outgoingListeners.Add(int32(len(h.outgoing) - before))
	s.listeners.Store(&h)
}

// Use adds a middleware for the events of this socket, which runs after those of Namespace.UseEvents. In
// OnConnect it comes before the socket's first event.
func (s *Socket) Use(mw EventMiddleware) { s.Rewrite(mw.rewriter()) }

// Rewrite is Use for a middleware that may change what is handled.
func (s *Socket) Rewrite(mw EventRewriter) {
	s.changeListeners(func(h *listeners) { h.middleware = append(slices.Clip(h.middleware), mw) })
}

// OnAny registers what observes every event of this socket before its middleware and its handler, until
// remove is called. It is not told of acknowledgements.
func (s *Socket) OnAny(f Listener) (remove func()) {
	return s.listen(func(h *listeners) *[]*Listener { return &h.any }, f, false)
}

// PrependAny is OnAny for what is to observe before the others of this socket.
func (s *Socket) PrependAny(f Listener) (remove func()) {
	return s.listen(func(h *listeners) *[]*Listener { return &h.any }, f, true)
}

// OnAnyOutgoing registers what observes every event that is sent to this socket, to it alone or to many,
// until remove is called. It runs on the goroutine that emits, before the event has left, and is also
// told of a volatile event that is then dropped. It is not told of acknowledgements.
func (s *Socket) OnAnyOutgoing(f Listener) (remove func()) {
	return s.listen(func(h *listeners) *[]*Listener { return &h.outgoing }, f, false)
}

// PrependAnyOutgoing is OnAnyOutgoing for what is to observe before the others of this socket.
func (s *Socket) PrependAnyOutgoing(f Listener) (remove func()) {
	return s.listen(func(h *listeners) *[]*Listener { return &h.outgoing }, f, true)
}

func (s *Socket) listen(list func(*listeners) *[]*Listener, f Listener, first bool) (remove func()) {
	s.changeListeners(func(h *listeners) {
		if first {
			*list(h) = slices.Concat([]*Listener{&f}, *list(h))
		} else {
			*list(h) = append(slices.Clip(*list(h)), &f)
		}
	})
	return func() {
		s.changeListeners(func(h *listeners) {
			*list(h) = slices.DeleteFunc(slices.Clone(*list(h)), func(l *Listener) bool { return l == &f })
		})
	}
}

// precede shows an event to the listeners and asks the middleware about it.
func (c *call) precede() error {
	s, h := c.socket, c.socket.listeners.Load()
	if h == nil {
		if len(s.ns.onAny)+len(s.ns.eventMiddleware) == 0 {
			return nil
		}
		h = new(listeners)
	}
	event := string(c.name)
	s.show(s.ns.onAny, h.any, event, c.args)
	for _, list := range [][]EventRewriter{s.ns.eventMiddleware, h.middleware} {
		for _, mw := range list {
			err := s.guard(event, func() (err error) {
				event, c.args, err = mw(c.context(), s, event, c.args)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if event != string(c.name) {
		c.name = []byte(event)
	}
	return nil
}

func (s *Socket) show(all []Listener, own []*Listener, event string, args Args) {
	for _, f := range all {
		s.guard("listener", func() error { f(s, event, args); return nil })
	}
	for _, f := range own {
		s.guard("listener", func() error { (*f)(s, event, args); return nil })
	}
}

// heard is an event that goes out where somebody listens.
type heard struct {
	event string
	args  Args
}

// prepareHeard prepares out for the listeners, if there are any in the namespace. What was encoded before can be
// encoded again.
func prepareHeard[T any](n *Namespace, out *outgoing, event string, payload T) {
	if n.listenedTo() || slices.ContainsFunc(n.peers(), (*Namespace).listenedTo) {
		args, _ := EncodeArgs(payload)
		out.heard = &heard{event, args}
	}
}

// listenedTo reports whether somebody listens to what goes out to the namespace's sockets.
func (n *Namespace) listenedTo() bool {
	return len(n.onAnyOutgoing) > 0 || n.outgoingListeners.Load() > 0
}

// showOutgoing tells the listeners what goes out to s.
func (s *Socket) showOutgoing(w *heard) {
	var own []*Listener
	if h := s.listeners.Load(); h != nil {
		own = h.outgoing
	}
	s.show(s.ns.onAnyOutgoing, own, w.event, w.args)
}
