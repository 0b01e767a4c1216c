package events

import (
	"jobcast/internal/systems/chat"
	"jobcast/socketio"
)

// ChatNamespace is the chat: without auth the anonymous room, with a nickname the lobby, rooms of one's
// own making, and words to one person. A nickname that cannot be is refused by a connect_error whose data
// has a detail and the code nickname_taken, nickname_reserved (words wait there for somebody else),
// nickname_empty, nickname_too_long, nickname_invalid or token_invalid.
//
// A page has a ChatPrivate when it has acknowledged it, or when its connection has lived for a minute and a
// half after it, as a heartbeat has come back by then. Otherwise the next connection is given it again, with
// the same id.
var ChatNamespace = Namespace{
	Path:   "/chat",
	Auth:   ChatAuth{},
	Client: []Message{ChatSay, ChatTell, ChatJoin, ChatLeave, ChatType},
	Server: []Message{ChatWelcome, ChatHistory, ChatMessage, ChatPrivate, ChatPeople, ChatJoined, ChatLeft, ChatTyping},
}

// What a client says on namespace /chat. All but ChatType is acknowledged by its result, or by a Refusal.
var (
	ChatSay   = socketio.NewCall[ChatSayRequest, ChatSayAck]("chat:message")   // says something in a room
	ChatTell  = socketio.NewCall[ChatTellRequest, ChatTellAck]("chat:private") // says something to one person, for whom it waits if need be
	ChatJoin  = socketio.NewCall[ChatRoomRef, OK]("chat:join")                 // enters a room, which is there when somebody is in it
	ChatLeave = socketio.NewCall[ChatRoomRef, OK]("chat:leave")                // leaves a room
	ChatType  = socketio.NewEvent[ChatRoomRef]("chat:typing")                  // tells the others in a room that something is being typed
)

// What the server says on namespace /chat.
var (
	ChatWelcome = socketio.NewEvent[ChatIdentity]("chat:welcome")          // tells who has a nickname how it was accepted
	ChatHistory = socketio.NewEvent[ChatPast]("chat:history")              // is what was said in a room before, oldest first
	ChatMessage = socketio.NewEvent[chat.Message]("chat:message")          // was said in a room
	ChatPrivate = socketio.NewCall[chat.Private, struct{}]("chat:private") // was said to one person; only the two get it, and it waits until a page has acknowledged it
	ChatPeople  = socketio.NewEvent[ChatPresent]("chat:people")            // is who is in a room that was entered
	ChatJoined  = socketio.NewEvent[ChatPresence]("chat:joined")           // has come into a room; said once for all tabs of a person
	ChatLeft    = socketio.NewEvent[ChatPresence]("chat:left")             // has left a room; said once for all tabs of a person
	ChatTyping  = socketio.NewEvent[ChatTypingSign]("chat:typing")         // types something; it may be dropped on the way
)

// ChatAuth is what a client connects with. Without a nickname it is anonymous.
type ChatAuth struct {
	Nickname *string `json:"nickname,omitempty"` // 1 to 32 characters
	Token    string  `json:"token,omitempty"`    // a random secret of the client's own, 16 to 256 bytes: who comes with the same is the same person, in another tab or later, and what waits for the nickname is theirs alone
}

// ChatIdentity is a nickname as it was accepted, without the spaces around it.
type ChatIdentity struct {
	Nickname string `json:"nickname"`
}

// ChatSayRequest says something in a room; no room means the anonymous one, or the lobby for who has a
// nickname.
type ChatSayRequest struct {
	Room string `json:"room,omitempty"`
	Chat string `json:"chat"` // 1 to 4,000 bytes
}

// ChatSayAck says that a message is kept, and under which id.
type ChatSayAck struct {
	OK   bool   `json:"ok"`
	ID   uint64 `json:"id"`
	Room string `json:"room"`
}

// ChatTellRequest says something to one person.
type ChatTellRequest struct {
	ToUser string `json:"to_user"`
	Chat   string `json:"chat"` // 1 to 4,000 bytes
}

// ChatTellAck says that a private message is kept, and whether that person has it. If not it waits.
type ChatTellAck struct {
	OK        bool   `json:"ok"`
	ID        uint64 `json:"id"`
	Delivered bool   `json:"delivered"` // a page of that person has taken it, within two seconds
}

// ChatRoomRef names a room.
type ChatRoomRef struct {
	Room string `json:"room"` // 1 to 64 characters
}

// ChatPast is the newest of what was said in a room, at most 200 messages.
type ChatPast struct {
	Messages []chat.Message `json:"messages"`
}

// ChatPresent is everybody in a room, sorted.
type ChatPresent struct {
	Room   string   `json:"room"`
	People []string `json:"people"`
}

// ChatPresence is somebody who came or left.
type ChatPresence struct {
	Room string `json:"room"`
	User string `json:"user"`
}

// ChatTypingSign is somebody who types.
type ChatTypingSign struct {
	Room     string `json:"room"`
	FromUser string `json:"from_user"`
}
