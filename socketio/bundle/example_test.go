package bundle_test

import (
	"fmt"
	"net/http/httptest"
	"testing/fstest"

	"jobcast/socketio"
	"jobcast/socketio/bundle"
)

// A server that has the client for its pages: <script src="/socket.io/socket.io.js"></script>. The files are
// those of the npm package socket.io-client, for example os.DirFS("node_modules/socket.io-client/dist").
func Example() {
	dist := fstest.MapFS{"socket.io.js": {Data: []byte("/*! Socket.IO v4.8.4 */")}}
	server := socketio.New(socketio.Config{Bundle: bundle.Config{Files: dist}})

	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/socket.io/socket.io.js", nil))
	fmt.Println(w.Code, w.Header().Get("ETag"), w.Body)
	// Output:
	// 200 "4.8.4" /*! Socket.IO v4.8.4 */
}
