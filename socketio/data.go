package socketio

// Data is a value of one type that a socket may have, as a user or a session. It is declared once, and
// is the key to the value: two declarations with the same name and type are the same. It lives as long
// as its socket and is seen by nobody but the server. A socket that has none takes no memory for it.
type Data[T any] struct{ name string }

// NewData declares a value.
func NewData[T any](name string) Data[T] { return Data[T]{name} }

// datum is one value of a socket.
type datum struct {
	name  string
	value any
	next  *datum
}

// Set gives the socket a value. A middleware may do it, and any goroutine.
func (d Data[T]) Set(s *Socket, value T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := s.data; at != nil; at = at.next {
		if at.name == d.name {
			at.value = value
			return
		}
	}
	s.data = &datum{d.name, value, s.data}
}

// Get returns the socket's value, and whether it has one of that name and type. Any goroutine may call it.
func (d Data[T]) Get(s *Socket) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := s.data; at != nil; at = at.next {
		if at.name == d.name {
			value, ok = at.value.(T)
			return value, ok
		}
	}
	return value, false
}
