package engineio

import "slices"

// An outbox holds the frames of one session that have not left, in order. It is guarded by its session's
// lock. Its bound is Config.MaxQueueBytes; a session that would pass it is closed as SlowConsumer.
type outbox struct {
	frames []*Frame
	first  int // index of the oldest frame
	sent   int // bytes of it that a WebSocket has already taken
	flying int // bytes that are being written at this moment, behind sent
	bytes  int // what waits, without sent
}

// keptCap is the number of frames whose room an empty outbox keeps.
const keptCap = 16

func (o *outbox) empty() bool { return o.first == len(o.frames) }

func (o *outbox) push(frames ...*Frame) {
	// Half of it or more, so that a long queue is not moved for every frame that leaves it.
	if o.first > 0 && 2*o.first >= len(o.frames) && len(o.frames)+len(frames) > cap(o.frames) {
		n := copy(o.frames, o.frames[o.first:])
		clear(o.frames[n:])
		o.frames, o.first = o.frames[:n], 0
	}
	o.frames = append(o.frames, frames...)
	for _, f := range frames {
		o.bytes += f.Len()
	}
}

// gather returns the bytes that are to be written next. They are in buf, unless the oldest frame alone
// fills it: then they are the frame's own. They do not change when frames are pushed.
func (o *outbox) gather(buf []byte) []byte {
	f := o.frames[o.first]
	if off := o.sent - int(f.headLen); off >= 0 && len(f.data)-off >= cap(buf) {
		return o.oldest()
	}
	buf = f.appendFrom(buf[:0], o.sent)
	for _, f := range o.frames[o.first+1:] {
		if len(buf) == cap(buf) {
			break
		}
		buf = f.appendFrom(buf, 0)
	}
	o.flying = len(buf)
	return buf
}

// oldest is gather for a caller that has no buffer: what the oldest frame has in one piece.
func (o *outbox) oldest() []byte {
	f := o.frames[o.first]
	p := f.data
	if off := o.sent - int(f.headLen); off >= 0 {
		p = p[off:]
	} else {
		p = f.head[o.sent:f.headLen]
	}
	o.flying = len(p)
	return p
}

// advance forgets n bytes of those that gather or oldest returned: they have been written.
func (o *outbox) advance(n int) {
	o.flying = 0
	o.bytes -= n
	n += o.sent
	for o.first < len(o.frames) && n >= o.frames[o.first].Len() {
		n -= o.frames[o.first].Len()
		o.frames[o.first] = nil
		o.first++
	}
	o.sent = n
	if o.empty() {
		o.reset()
	}
}

// begun returns the index after the last frame of which something has been written or is being written, and
// the bytes of these frames.
func (o *outbox) begun() (end, bytes int) {
	end = o.first
	for bytes < o.sent+o.flying {
		bytes += o.frames[end].Len()
		end++
	}
	return end, bytes
}

// supersede forgets the message with a key, unless it has begun to leave. It looks through what was sent
// since then: who sends the same again and again finds it near the end.
func (o *outbox) supersede(key string) {
	for i := len(o.frames) - 1; i >= o.first; i-- {
		older := o.frames[i].newest
		if older == nil || older.key != key {
			continue
		}
		start := i + 1 - older.frames
		if begun, _ := o.begun(); start < begun {
			return
		}
		for _, f := range o.frames[start : i+1] {
			o.bytes -= f.Len()
		}
		o.frames = slices.Delete(o.frames, start, i+1)
		return
	}
}

// drop forgets every frame of which nothing has been written or is being written.
func (o *outbox) drop() {
	last, kept := o.begun()
	clear(o.frames[last:])
	o.frames = o.frames[:last]
	o.bytes = kept - o.sent
}

func (o *outbox) reset() {
	clear(o.frames)
	if o.frames = o.frames[:0]; cap(o.frames) > keptCap {
		o.frames = nil
	}
	o.first, o.sent, o.flying, o.bytes = 0, 0, 0, 0
}

// takePayload empties the outbox into a payload of HTTP long polling that is appended to dst.
func (o *outbox) takePayload(rev revision, dst []byte) (payload []byte, contentType string) {
	payload, contentType = rev.appendPayload(dst, o.frames[o.first:])
	o.reset()
	return payload, contentType
}

// toWebSocket gives the frames, which have waited for a poll, the form that they have on a WebSocket.
func (o *outbox) toWebSocket(rev revision) {
	o.bytes = 0
	for i, f := range o.frames[o.first:] {
		f = rev.frame(f)
		o.frames[o.first+i] = f
		o.bytes += f.Len()
	}
}
