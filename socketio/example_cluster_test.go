package socketio_test

import (
	"context"
	"fmt"

	"jobcast/socketio"
	"jobcast/socketio/client"
)

// Two servers of one process, such as one for the public and one for the staff: what one emits reaches the
// pages of both, and they ask one another.
func ExampleCluster() {
	ctx := context.Background()
	cluster := new(socketio.Cluster)
	public := socketio.New(socketio.Config{Cluster: cluster})
	staff := socketio.New(socketio.Config{Cluster: cluster})
	defer public.Close(ctx)
	defer staff.Close(ctx)

	notice := socketio.NewEvent[string]("notice")
	online := socketio.NewCall[struct{}, int]("online")
	public.Of("/").HandleServers(online.OnServers(func(context.Context, struct{}) (int, error) {
		n := 0
		for range public.Of("/").Local().Sockets() {
			n++
		}
		return n, nil
	}))

	page := connect(public, "/")
	defer page.Client().Close()
	got := make(chan string, 1)
	client.On(page, notice, func(_ context.Context, text string) { got <- text })

	notice.Emit(staff.Of("/"), "we close at six")
	fmt.Println(<-got)
	counts, err := online.AskServers(ctx, staff.Of("/"), struct{}{})
	fmt.Println(counts, err)
	// Output:
	// we close at six
	// [1] <nil>
}
