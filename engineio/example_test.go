package engineio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"jobcast/engineio"
	"jobcast/engineio/cors"
)

type ignore struct{}

func (ignore) Receive(engineio.Message) {}
func (ignore) Closed(engineio.Reason)   {}

// A server that admits the pages of one other site, asks every request for a ticket, sets a cookie for the
// load balancer, and tells which requests it has refused.
func ExampleConfig() {
	server := engineio.NewServer(engineio.Config{
		CORS:   cors.Config{Origins: []string{"https://example.com"}, Credentials: true},
		Cookie: engineio.DefaultCookie(),
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("Authorization") == "" {
				return &engineio.RequestError{Status: http.StatusUnauthorized, Message: "no ticket"}
			}
			return nil
		},
		GenerateID: func(*http.Request) (string, error) { return "only-for-this-example", nil },
		Hooks: engineio.Hooks{Refused: func(e engineio.ConnectionError) {
			fmt.Println("refused:", e)
		}},
		Accept: func(*engineio.Session) engineio.Handler { return ignore{} },
	})
	handshake := func(header ...string) *http.Response {
		r := httptest.NewRequest("GET", "http://server.test/engine.io/?EIO=4&transport=polling", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		return w.Result()
	}

	fmt.Println(handshake().Status)
	fmt.Println(handshake("Origin", "https://elsewhere.test", "Authorization", "ticket").Status)
	resp := handshake("Origin", "https://example.com", "Authorization", "ticket")
	fmt.Println(resp.Status)
	fmt.Println(resp.Header.Get("Set-Cookie"))
	// Output:
	// refused: code 4: no ticket
	// 401 Unauthorized
	// refused: code 4: origin "https://elsewhere.test" is not allowed: add it to the server's list of allowed origins
	// 403 Forbidden
	// 200 OK
	// io=only-for-this-example; Path=/; HttpOnly; SameSite=Lax
}
