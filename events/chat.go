package events

import (
	"jobcast/chat"
	"jobcast/socketio"
)

// ChatNamespace is the chat: without auth the anonymous room, with a nickname the lobby, rooms of one's
// own making, and words to one person. A nickname that cannot be is refused by a connect_error whose data
// has the code nickname_taken, nickname_empty, nickname_too_long or nickname_invalid, and a detail.
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
	ChatWelcome = socketio.NewEvent[ChatIdentity]("chat:welcome")  // tells who has a nickname how to come again with it
	ChatHistory = socketio.NewEvent[ChatPast]("chat:history")      // is what was said in a room before, oldest first
	ChatMessage = socketio.NewEvent[chat.Message]("chat:message")  // was said in a room
	ChatPrivate = socketio.NewEvent[chat.Private]("chat:private")  // was said to one person; only the two get it
	ChatPeople  = socketio.NewEvent[ChatPresent]("chat:people")    // is who is in a room that was entered
	ChatJoined  = socketio.NewEvent[ChatPresence]("chat:joined")   // has come into a room; said once for all tabs of a person
	ChatLeft    = socketio.NewEvent[ChatPresence]("chat:left")     // has left a room; said once for all tabs of a person
	ChatTyping  = socketio.NewEvent[ChatTypingSign]("chat:typing") // types something; it may be dropped on the way
)

// ChatAuth is what a client connects with. Without a nickname it is anonymous.
type ChatAuth struct {
	Nickname *string `json:"nickname,omitempty"` // 1 to 32 characters
	Token    string  `json:"token,omitempty"`    // from chat:welcome: this is another tab of the same person, or the same tab again
}

// ChatIdentity is a nickname as it was accepted, and what proves that it is the same person again. It is
// good until that person's last tab has left.
type ChatIdentity struct {
	Nickname string `json:"nickname"`
	Token    string `json:"token"`
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

// ChatTellAck says that a private message is kept, and whether that person was there. If not it waits.
type ChatTellAck struct {
	OK        bool   `json:"ok"`
	ID        uint64 `json:"id"`
	Delivered bool   `json:"delivered"`
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
