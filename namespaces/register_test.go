package namespaces

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"jobcast/socketio"
)

func TestANamespaceEndsWhatRunsInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		end := Register(socketio.New(socketio.Config{}), Namespace{Path: "/ticks", Open: func(*socketio.Namespace, Services) Close {
			return Background(func(ctx context.Context) {
				<-ctx.Done()
				time.Sleep(time.Second)
				ended = true
			})
		}}, Services{})
		if err := end(t.Context()); err != nil || !ended {
			t.Errorf("got %v, ended %v, want the goroutine waited for", err, ended)
		}
	})
}

func TestABackgroundThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		end := Background(func(context.Context) { <-release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := end(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that it takes too long", err)
		}
		close(release)
	})
}

func TestEveryNamespaceHasItsPathOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range All {
		if n.Path == "" || n.Path[0] != '/' || seen[n.Path] {
			t.Errorf("%q is no path, or stands twice", n.Path)
		}
		seen[n.Path] = true
	}
}
