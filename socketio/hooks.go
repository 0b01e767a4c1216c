package socketio

import "slices"

// hooks are what is registered at one socket while it is connected. They are replaced as a whole, so that
// who needs them takes no lock. A socket without takes no memory for them.
type hooks struct {
	middleware []EventMiddleware
}

// hook changes a copy of the socket's hooks.
func (s *Socket) hook(change func(*hooks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var h hooks
	if old := s.hooks.Load(); old != nil {
		h = *old
	}
	change(&h)
	s.hooks.Store(&h)
}

// Use adds a middleware for the events of this socket, which runs after those of Namespace.UseEvents. In
// OnConnect it comes before the socket's first event.
func (s *Socket) Use(mw EventMiddleware) {
	s.hook(func(h *hooks) { h.middleware = append(slices.Clip(h.middleware), mw) })
}

// admit asks the middleware about an event.
func (c *call) admit() error {
	s := c.socket
	var own []EventMiddleware
	if h := s.hooks.Load(); h != nil {
		own = h.middleware
	}
	if len(own)+len(s.ns.eventMiddleware) == 0 {
		return nil
	}
	name := string(c.name)
	for _, list := range [][]EventMiddleware{s.ns.eventMiddleware, own} {
		for _, mw := range list {
			if err := s.guard(name, func() error { return mw(s.ctx, s, name, c.args) }); err != nil {
				return err
			}
		}
	}
	return nil
}
