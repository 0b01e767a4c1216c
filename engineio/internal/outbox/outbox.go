// Package outbox holds what waits to be sent to the clients of an Engine.IO server: messages that are encoded
// once, in the forms that the revisions and the transports want, however many clients get them, and a queue
// of them for each session. It knows nothing of sessions, connections and time, starts no goroutine, and does
// no I/O.
package outbox

import "slices"

// A Queue holds the frames of one session that have not left, in order. Its user guards it with a lock and
// bounds it: see Bytes. The zero value is empty.
type Queue struct {
	frames []*Frame
	first  int // index of the oldest frame
	sent   int // bytes of it that a WebSocket has already taken
	flying int // bytes that are being written at this moment, behind sent
	bytes  int // what waits, without sent
}

// keptCap is the number of frames whose room an empty queue keeps.
const keptCap = 16

// Empty reports whether nothing waits.
func (o *Queue) Empty() bool { return o.first == len(o.frames) }

// Bytes is how many bytes wait. What has been written of the oldest frame does not count.
func (o *Queue) Bytes() int { return o.bytes }

// Frames are those that wait, the oldest first, one of which some has been written included. They are valid
// until the queue is changed.
func (o *Queue) Frames() []*Frame { return o.frames[o.first:] }

// Push adds frames. They are of the form that they leave in.
func (o *Queue) Push(frames ...*Frame) {
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

// Gather returns the bytes that are to be written next. They are in buf, unless the oldest frame alone
// fills it: then they are the frame's own. They do not change when frames are pushed. The queue must not be
// empty, and Advance comes next.
func (o *Queue) Gather(buf []byte) []byte {
	f := o.frames[o.first]
	if off := o.sent - int(f.headLen); off >= 0 && len(f.data)-off >= cap(buf) {
		return o.Oldest()
	}
	buf = f.AppendFrom(buf[:0], o.sent)
	for _, f := range o.frames[o.first+1:] {
		if len(buf) == cap(buf) {
			break
		}
		buf = f.AppendFrom(buf, 0)
	}
	o.flying = len(buf)
	return buf
}

// Oldest is Gather for a caller that has no buffer: what the oldest frame has in one piece.
func (o *Queue) Oldest() []byte {
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

// Advance drops n bytes of those that Gather or Oldest returned: they have been written.
func (o *Queue) Advance(n int) {
	o.flying = 0
	o.bytes -= n
	n += o.sent
	for o.first < len(o.frames) && n >= o.frames[o.first].Len() {
		n -= o.frames[o.first].Len()
		o.frames[o.first] = nil
		o.first++
	}
	o.sent = n
	if o.Empty() {
		o.Reset()
	}
}

// begun returns the index after the last frame of which something has been written or is being written, and
// the bytes of these frames.
func (o *Queue) begun() (end, bytes int) {
	end = o.first
	for bytes < o.sent+o.flying {
		bytes += o.frames[end].Len()
		end++
	}
	return end, bytes
}

// Supersede drops the message in whose place newer comes, which NewestFrames made, unless it has begun to
// leave. It looks through what was sent since then: who sends the same again and again finds it near the
// end. Of other frames there is no older one.
func (o *Queue) Supersede(newer []*Frame) {
	if start, end := o.older(newer); start < end {
		for _, f := range o.frames[start:end] {
			o.bytes -= f.Len()
		}
		o.frames = slices.Delete(o.frames, start, end)
	}
}

// Superseded is how many bytes Supersede would drop.
func (o *Queue) Superseded(newer []*Frame) (bytes int) {
	start, end := o.older(newer)
	for _, f := range o.frames[start:end] {
		bytes += f.Len()
	}
	return bytes
}

// older returns where the message is in whose place newer comes, or an empty range.
func (o *Queue) older(newer []*Frame) (start, end int) {
	if len(newer) == 0 || newer[0].newest == nil {
		return 0, 0
	}
	key := newer[0].newest.key
	for i := len(o.frames) - 1; i >= o.first; i-- {
		older := o.frames[i].newest
		if older == nil || older.key != key {
			continue
		}
		start := i + 1 - older.frames
		if begun, _ := o.begun(); start < begun {
			return 0, 0
		}
		return start, i + 1
	}
	return 0, 0
}

// Drop drops every frame of which nothing has been written or is being written.
func (o *Queue) Drop() {
	last, kept := o.begun()
	clear(o.frames[last:])
	o.frames = o.frames[:last]
	o.bytes = kept - o.sent
}

// Reset empties the queue.
func (o *Queue) Reset() {
	clear(o.frames)
	if o.frames = o.frames[:0]; cap(o.frames) > keptCap {
		o.frames = nil
	}
	o.first, o.sent, o.flying, o.bytes = 0, 0, 0, 0
}

// Convert gives all frames another form. None may have begun to leave.
func (o *Queue) Convert(form func(*Frame) *Frame) {
	o.bytes = 0
	for i, f := range o.frames[o.first:] {
		f = form(f)
		o.frames[o.first+i] = f
		o.bytes += f.Len()
	}
}
