// Package socketio implements Socket.IO (socket.io-protocol, revision 5) on Engine.IO sessions:
// namespaces, sockets, rooms, acknowledgements and broadcast. Events are typed values that are declared
// once (see NewEvent and NewCall) and make both the sender and the handler.
package socketio
