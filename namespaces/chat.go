package namespaces

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"jobcast/events"
	"jobcast/internal/systems/chat"
	"jobcast/jobs"
	"jobcast/socketio"
)

// heartbeatTime is longer than any heartbeat takes to come back: a client that is still there so long after
// it was sent something has got it.
const heartbeatTime = 90 * time.Second

// Chat is /chat. Each socket is a member of the chat.
var Chat = Namespace{Path: events.ChatNamespace.Path, Open: openChat}

func openChat(ns *socketio.Namespace, s Services) Close {
	n := &chatNamespace{ns: ns, chat: s.Chat, log: s.Logger}
	n.chat.Watch(n.watcher())
	ns.Use(n.admit)
	ns.OnConnect(n.welcome)
	ns.OnDisconnect(n.gone)
	ns.Handle(
		events.ChatSay.On(n.say),
		events.ChatTell.OnAnswer(n.tell),
		events.ChatJoin.On(n.enter),
		events.ChatLeave.On(n.exit),
		events.ChatType.On(n.types),
	)
	return nil
}

type chatNamespace struct {
	ns   *socketio.Namespace
	chat *chat.Chat
	log  *slog.Logger
}

// A visitor is who a socket is. It has one from admit on.
type visitor struct {
	*chat.Member
	stays func() bool // false if it has left already
}

var visitors = socketio.NewData[visitor]("visitor")

// watcher tells sockets what happens in their rooms. The chat calls it in order; filling outboxes never
// blocks.
func (n *chatNamespace) watcher() chat.Watcher {
	in := func(room string) socketio.Target { return n.ns.To(chatRoom(room)) }
	return chat.Watcher{
		Said: func(m chat.Message) { n.check(events.ChatMessage.Emit(in(m.Room), m)) },
		Joined: func(room, user string) {
			n.check(events.ChatJoined.Emit(in(room), events.ChatPresence{Room: room, User: user}))
		},
		Left: func(room, user string) {
			n.check(events.ChatLeft.Emit(in(room), events.ChatPresence{Room: room, User: user}))
		},
		Typing: func(room, user string) {
			n.check(events.ChatTyping.Emit(in(room).Volatile(), events.ChatTypingSign{Room: room, FromUser: user}))
		},
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
	m := n.chat.Anonymous()
	if auth.Nickname != nil {
		var err error
		m, err = n.chat.Join(*auth.Nickname, auth.Token, chat.ForRooms|chat.ForPrivate)
		if refusal, ok := errors.AsType[*chat.Refusal](err); ok {
			return &socketio.ConnectError{Message: refusal.Detail, Data: refusal}
		}
	}
	// OnDisconnect is not for a socket that leaves before it has connected.
	visitors.Set(s, visitor{m, context.AfterFunc(ctx, m.Leave)})
	return nil
}

// welcome tells a socket what was said, and puts it where it hears what comes after that.
func (n *chatNamespace) welcome(_ context.Context, s *socketio.Socket) {
	v := visitorOf(s)
	if !v.stays() {
		return
	}
	if v.Nickname() != "" {
		events.ChatWelcome.Emit(s, events.ChatIdentity{Nickname: v.Nickname()})
	}
	n.check(v.Enter(v.Home(), n.show(s, v.Home())))
	v.Receive(func(p chat.Private) { n.deliver(s, v, p) })
}

// show emits what was said in a room and who is there, and lets the socket hear what follows.
func (n *chatNamespace) show(s *socketio.Socket, room string) func([]chat.Message, []string) {
	return func(past []chat.Message, people []string) {
		if room != chat.Anonymous {
			events.ChatPeople.Emit(s, events.ChatPresent{Room: room, People: people})
		}
		events.ChatHistory.Emit(s, events.ChatPast{Messages: past})
		s.Join(chatRoom(room)) // an error of the above means that it has left
	}
}

// deliver gives a client a private message, and sees whether it takes it.
func (n *chatNamespace) deliver(s *socketio.Socket, v visitor, p chat.Private) {
	taken := events.ChatPrivate.Begin(s, p)
	s.Go(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, heartbeatTime)
		defer cancel()
		_, err := taken(ctx)
		if _, odd := errors.AsType[*socketio.PayloadError](err); err == nil || odd || errors.Is(err, context.DeadlineExceeded) {
			v.Took(p.ID)
		}
	})
}

func (n *chatNamespace) gone(s *socketio.Socket, _ socketio.Reason) { visitorOf(s).Leave() }

func visitorOf(s *socketio.Socket) visitor {
	v, _ := visitors.Get(s)
	return v
}

func (n *chatNamespace) say(ctx context.Context, s *socketio.Socket, req events.ChatSayRequest) (events.ChatSayAck, error) {
	m, err := visitorOf(s).Say(context.WithoutCancel(ctx), req.Room, req.Chat) // also of a client that has left since
	return events.ChatSayAck{OK: true, ID: m.ID, Room: m.Room}, err
}

// tell answers when the other has taken the message, or has not. What this client says next need not wait.
func (n *chatNamespace) tell(ctx context.Context, s *socketio.Socket, req events.ChatTellRequest, answer func(events.ChatTellAck) error) error {
	d, err := visitorOf(s).Tell(context.WithoutCancel(ctx), req.ToUser, req.Chat)
	if err != nil {
		return err
	}
	s.Go(func(ctx context.Context) {
		answer(events.ChatTellAck{OK: true, ID: d.ID, Delivered: d.Wait(ctx)})
	})
	return nil
}

func (n *chatNamespace) enter(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) (events.OK, error) {
	return events.OK{OK: true}, visitorOf(s).Enter(req.Room, n.show(s, chat.RoomName(req.Room)))
}

func (n *chatNamespace) exit(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) (events.OK, error) {
	return events.OK{OK: true}, visitorOf(s).Exit(req.Room, func() { s.Leave(chatRoom(req.Room)) })
}

func (n *chatNamespace) types(_ context.Context, s *socketio.Socket, req events.ChatRoomRef) error {
	visitorOf(s).Typing(req.Room)
	return nil
}

func (n *chatNamespace) check(err error) {
	if err != nil {
		n.log.Error("clients miss an event", "nsp", "/chat", "err", err)
	}
}

// chatRoom is the socket room of a chat room. No socket's own room begins like it.
func chatRoom(name string) string { return "room " + chat.RoomName(name) }
