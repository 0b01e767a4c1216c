// Package socketio implements Socket.IO (socket.io-protocol, revisions 5 and 4) on Engine.IO sessions:
// namespaces, sockets, rooms, acknowledgements and broadcast. Events are typed values that are declared
// once (see NewEvent and NewCall) and make both the sender and the handler.
//
// The events of one socket run in order, one after the other, but never on the goroutine that reads its
// session: a handler may block, and may ask its own client something and wait for the answer. What a
// handler emits leaves at once, but for Namespace.OnConnect. Handlers of different sockets run at the same time.
// An event that came in before its socket was closed is still handled, with a context that has ended; but not more
// than 100 of a session that is closed, and none once the server closes.
//
// How something ends is said in the four words of package engineio: close, closed, detach and refuse. The protocol
// has names of its own for two of them, which exported names use: a socket disconnects when it is closed, and its
// reasons are those of the reference server.
//
// The package knows nothing of HTTP beyond the values of the handshake, and nothing of what the events
// mean. Its goroutines belong to the Server: one for each socket that has events to handle, while it
// has, those that Socket.Go starts, and a few that wait for the next of either. An idle client costs none.
package socketio
