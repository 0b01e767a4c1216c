package namespaces

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"

	"jobcast/chat"
	"jobcast/events"
	"jobcast/jobs"
	"jobcast/socketio"
)

// Chat registers /chat. Each socket is a member of the chat; log may be nil, which means slog.Default().
func Chat(io *socketio.Server, all *chat.Chat, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	io.Of("/chat").AllowMsgpack()
	n := &chatNamespace{ns: io.Of("/chat"), chat: all, log: log, of: map[*socketio.Socket]*visitor{}}
	all.Watch(chat.Watcher{Said: n.said, Joined: n.joined, Left: n.left, Typing: n.typing})
	n.ns.Use(n.admit)
	n.ns.OnConnect(n.welcome)
	n.ns.OnDisconnect(n.gone)
	n.ns.Handle(
		events.ChatSay.On(n.say),
		events.ChatTell.On(n.tell),
		events.ChatJoin.On(n.enter),
		events.ChatLeave.On(n.exit),
		events.ChatType.On(n.types),
	)
}

type chatNamespace struct {
	ns   *socketio.Namespace
	chat *chat.Chat
	log  *slog.Logger

	mu sync.Mutex // protects the field below
	of map[*socketio.Socket]*visitor
}

type visitor struct {
	*chat.Member
	welcomed bool // gone will be called
}

// room is the socket room of a chat room. No socket's own room begins like it.
func (n *chatNamespace) room(name string) string { return "room " + name }

// What happens in rooms. The chat calls these in order; filling outboxes never blocks.

func (n *chatNamespace) said(m chat.Message) {
	n.check(events.ChatMessage.Emit(n.ns.To(n.room(m.Room)), m))
}

func (n *chatNamespace) joined(room, user string) {
	n.check(events.ChatJoined.Emit(n.ns.To(n.room(room)), events.ChatPresence{Room: room, User: user}))
}

func (n *chatNamespace) left(room, user string) {
	n.check(events.ChatLeft.Emit(n.ns.To(n.room(room)), events.ChatPresence{Room: room, User: user}))
}

func (n *chatNamespace) typing(room, user string) {
	n.check(events.ChatTyping.Emit(n.ns.To(n.room(room)).Volatile(), events.ChatTypingSign{Room: room, FromUser: user}))
}

func (n *chatNamespace) check(err error) {
	if err != nil {
		n.log.Error("clients miss an event", "nsp", "/chat", "err", err)
	}
}

// admit takes the nickname for a socket, or refuses it.
func (n *chatNamespace) admit(ctx context.Context, s *socketio.Socket) error {
	var auth events.ChatAuth
	if raw := s.Auth(); len(raw) > 0 {
		if err := json.Unmarshal(raw, &auth); err != nil {
			return &socketio.ConnectError{Message: "auth does not fit", Data: jobs.BadRequest("", err.Error())}
		}
	}
	v := &visitor{Member: n.chat.Anonymous()}
	if auth.Nickname != nil {
		m, err := n.chat.Join(*auth.Nickname, auth.Token, chat.ForRooms|chat.ForPrivate)
		if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
			return &socketio.ConnectError{Message: refusal.Detail, Data: refusal}
		}
		v.Member = m
	}
	n.mu.Lock()
	n.of[s] = v
	n.mu.Unlock()
	context.AfterFunc(ctx, func() { // a socket that leaves before it has connected is not told to gone
		n.mu.Lock()
		defer n.mu.Unlock()
		if !v.welcomed {
			delete(n.of, s)
			v.Leave()
		}
	})
	return nil
}

// welcome tells a socket what was said, and puts it where it hears what comes after that.
func (n *chatNamespace) welcome(_ context.Context, s *socketio.Socket) {
	n.mu.Lock()
	v := n.of[s]
	if v != nil {
		v.welcomed = true
	}
	n.mu.Unlock()
	if v == nil {
		return
	}
	if v.Nickname() != "" {
		events.ChatWelcome.Emit(s, events.ChatIdentity{Nickname: v.Nickname(), Token: v.Token()})
	}
	n.check(v.Enter(v.Home(), n.show(s, v.Home())))
	v.Receive(func(p chat.Private) bool { return events.ChatPrivate.Emit(s, p) == nil })
}

// show emits what was said in a room and who is there, and lets the socket hear what follows.
func (n *chatNamespace) show(s *socketio.Socket, room string) func([]chat.Message, []string) {
	return func(past []chat.Message, people []string) {
		if room != chat.Anonymous {
			events.ChatPeople.Emit(s, events.ChatPresent{Room: room, People: people})
		}
		if past == nil {
			past = []chat.Message{}
		}
		events.ChatHistory.Emit(s, events.ChatPast{Messages: past})
		s.Join(n.room(room)) // an error of the above means that it has left
	}
}

func (n *chatNamespace) gone(s *socketio.Socket, _ socketio.Reason) {
	if v := n.member(s); v != nil {
		v.Leave()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.of, s)
}

func (n *chatNamespace) member(s *socketio.Socket) *visitor {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[s]
}

var errLeft = jobs.NewProblem(jobs.CodeUnavailable, "this connection has ended")

func (n *chatNamespace) say(ctx context.Context, s *socketio.Socket, req events.ChatSayRequest) (events.ChatSayAck, error) {
	v := n.member(s)
	if v == nil {
		return events.ChatSayAck{}, errLeft
	}
	m, err := v.Say(context.WithoutCancel(ctx), req.Room, req.Chat) // also of a client that has left since
	return events.ChatSayAck{OK: true, ID: m.ID, Room: m.Room}, chatProblem(err)
}

func (n *chatNamespace) tell(ctx context.Context, s *socketio.Socket, req events.ChatTellRequest) (events.ChatTellAck, error) {
	v := n.member(s)
	if v == nil {
		return events.ChatTellAck{}, errLeft
	}
	m, delivered, err := v.Tell(context.WithoutCancel(ctx), req.ToUser, req.Chat)
	return events.ChatTellAck{OK: true, ID: m.ID, Delivered: delivered}, chatProblem(err)
}

func (n *chatNamespace) enter(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) (events.OK, error) {
	v := n.member(s)
	if v == nil {
		return events.OK{}, errLeft
	}
	return events.OK{OK: true}, chatProblem(v.Enter(req.Room, n.show(s, chat.RoomName(req.Room))))
}

func (n *chatNamespace) exit(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) (events.OK, error) {
	v := n.member(s)
	if v == nil {
		return events.OK{}, errLeft
	}
	return events.OK{OK: true}, chatProblem(v.Exit(req.Room, func() { s.Leave(n.room(chat.RoomName(req.Room))) }))
}

func (n *chatNamespace) types(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) error {
	if v := n.member(s); v != nil {
		v.Typing(req.Room)
	}
	return nil
}

// chatProblem is what a client is told of an error of package chat.
func chatProblem(err error) error {
	if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
		return jobs.NewProblem(refusal.Code, refusal.Detail)
	}
	if errors.Is(err, chat.ErrClosed) {
		return jobs.NewProblem(jobs.CodeUnavailable, "the server is about to stop; say it again in a moment")
	}
	return err
}
