package webtransport

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestSelfSignedIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := NewSelfSigned("localhost")
		if err != nil {
			t.Fatal(err)
		}
		hash := func() []byte {
			h, err := c.Hash()
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		first := hash()
		time.Sleep(validity/2 - time.Minute)
		if !bytes.Equal(hash(), first) {
			t.Error("another certificate in the first half of its time")
		}
		time.Sleep(time.Minute)
		if bytes.Equal(hash(), first) {
			t.Error("the same certificate in the second half of its time")
		}
	})
}
