package engineio

import "sync"

// keptBuffer is the largest buffer that is kept for the next use, in bytes.
const keptBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// getBuffer returns an empty buffer for a message or a payload.
func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= keptBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}
