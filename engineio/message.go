package engineio

import "github.com/gobwas/ws"

// Message returns what the frame was made of. Its Data must not be changed.
func (f *Frame) Message() Message { return Message{Binary: f.op == ws.OpBinary, Data: f.data} }
