package namespaces

import (
	"context"
	"reflect"
	"strings"
	"time"

	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

// placesInterval is how often those who watch a queued job are told where it stands, if that has changed.
const placesInterval = time.Second

func (n *jobsNamespace) pause(ctx context.Context, _ *socketio.Socket, req jobs.QueueRequest) (events.QueueAck, error) {
	info, err := n.engine.Pause(ctx, req)
	return events.QueueAck{OK: true, Queue: info}, err
}

func (n *jobsNamespace) resume(ctx context.Context, _ *socketio.Socket, req jobs.QueueRequest) (events.QueueAck, error) {
	info, err := n.engine.Resume(ctx, req)
	return events.QueueAck{OK: true, Queue: info}, err
}

func (n *jobsNamespace) listQueues(context.Context, *socketio.Socket, struct{}) (events.QueuesAck, error) {
	return events.QueuesAck{OK: true, Queues: n.engine.Queues()}, nil
}

// tellPlaces tells those who watch queued jobs where these stand.
func (n *jobsNamespace) tellPlaces(ctx context.Context) {
	ticker := time.NewTicker(placesInterval)
	defer ticker.Stop()
	told := make(map[jobs.ID]jobs.Place)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		rooms := n.feeds.queued()
		if len(rooms) == 0 {
			clear(told)
			continue
		}
		ids := make([]jobs.ID, 0, len(rooms))
		for id := range rooms {
			ids = append(ids, id)
		}
		places := n.engine.Places(ids)
		for id := range told {
			if _, still := places[id]; !still {
				delete(told, id)
			}
		}
		for id, place := range places {
			if reflect.DeepEqual(told[id], place) {
				continue
			}
			told[id] = place
			if err := events.JobPosition.Emit(n.ns.To(rooms[id]), events.QueuePlace{ID: id, Place: place}); err != nil {
				n.log.Error("cannot tell where a job stands", "nsp", "/jobs", "err", err)
			}
		}
	}
}

// queued are the rooms of those who watch a job that is queued.
func (fs *feeds) queued() map[jobs.ID]string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	rooms := make(map[jobs.ID]string)
	for topic, f := range fs.by {
		id, ok := strings.CutPrefix(topic, "job:")
		if !ok {
			continue
		}
		f.mu.Lock()
		if f.now.job.State == jobs.Queued {
			rooms[jobs.ID(id)] = f.room
		}
		f.mu.Unlock()
	}
	return rooms
}
