package namespaces

import (
	"testing"
	"testing/synctest"

	"jobcast/socketio"
)

func TestWhatIsSaidComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		io := socketio.New(socketio.Config{})
		Register(io, Echo, Services{})
		c := serve(t, io).connectTo(t, "40", "40{")
		for _, tt := range []struct {
			say  string
			want []string
		}{
			{`42["message","你好 <b>",{"a":[1,null]}]`, []string{`42["message","你好 <b>",{"a":[1,null]}]`}},
			{`427["echo",1.50,"x"]`, []string{`42["echo",1.50,"x"]`, `437[1.50,"x"]`}},
			{`42["echo"]`, []string{`42["echo"]`}},
		} {
			c.write(tt.say)
			for _, want := range tt.want {
				if got := c.read(); got != want {
					t.Fatalf("%s: got %s, want %s", tt.say, got, want)
				}
			}
		}
	})
}
