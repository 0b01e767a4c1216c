package chat

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The codes of a Refusal.
const (
	Taken             = "nickname_taken"
	Empty             = "nickname_empty"
	TooLong           = "nickname_too_long"
	ControlCharacters = "nickname_invalid"
	TooMany           = "too_many_requests"
	BadRequest        = "bad_request"
	Forbidden         = "forbidden"
)

// A Refusal says what a client did wrong. Detail is for people.
type Refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(code, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Ways are what a connection is for.
type Ways uint8

const (
	ForRooms   Ways = 1 << iota // it is in rooms
	ForPrivate                  // it gets private messages
)

// A person is all members of one nickname.
type person struct {
	token   string
	members map[*Member]bool
}

// tell gives a private message to every member that takes it, and reports whether one did.
func (p *person) tell(m Private) (told bool) {
	if p != nil {
		for member := range p.members {
			if member.take != nil && member.take(m) {
				told = true
			}
		}
	}
	return told
}

func (p *person) receives() bool {
	if p != nil {
		for member := range p.members {
			if member.take != nil {
				return true
			}
		}
	}
	return false
}

// A Member is one connection of somebody who talks.
type Member struct {
	chat     *Chat
	nickname string // empty: anonymous
	token    string
	ways     Ways

	// Protected by chat.mu. They stay when the member leaves: what it said before is still said.
	bucket bucket
	rooms  map[string]bool
	left   bool
	take   func(Private) bool
}

// Anonymous returns a member without a nickname, who is in the room Anonymous and in no other.
func (c *Chat) Anonymous() *Member {
	return &Member{chat: c, rooms: map[string]bool{Anonymous: true}}
}

// Join returns a member with a nickname, who is in no room yet, and must Leave. A nickname is taken while
// somebody else has it. The same person may come again, with the token of the first: nobody else has it.
// Without a token two members are one person only if the one is for rooms and the other for private
// messages alone.
func (c *Chat) Join(nickname, token string, ways Ways) (*Member, error) {
	nickname = strings.TrimSpace(nickname)
	if err := checkNickname(nickname); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[nickname]
	if p == nil {
		p = &person{token: rand.Text(), members: map[*Member]bool{}}
		c.people[nickname] = p
	} else if subtle.ConstantTimeCompare([]byte(p.token), []byte(token)) == 0 {
		for m := range p.members {
			if m.ways&ways != 0 {
				return nil, refuse(Taken, "somebody here has the nickname %s", nickname)
			}
		}
	}
	m := &Member{chat: c, nickname: nickname, token: p.token, ways: ways, rooms: map[string]bool{}}
	p.members[m] = true
	return m, nil
}

func checkNickname(name string) error {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return refuse(ControlCharacters, "a nickname cannot have control characters")
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) {
		return refuse(Empty, "a nickname needs at least one visible character")
	}
	if utf8.RuneCountInString(name) > MaxNameRunes {
		return refuse(TooLong, "a nickname has at most %d characters", MaxNameRunes)
	}
	return nil
}

// Nickname is what the others see, or empty.
func (m *Member) Nickname() string { return m.nickname }

// Token is what the same person comes again with.
func (m *Member) Token() string { return m.token }

// Home is the room of what is said without naming one.
func (m *Member) Home() string {
	if m.nickname == "" {
		return Anonymous
	}
	return Lobby
}

// RoomName is a room's name as the chat has it.
func RoomName(name string) string { return strings.TrimSpace(name) }

// Enter puts the member into a room, and calls first, which may be nil, with what was said there and who
// is there: nothing happens in between. first must not block, nor call the chat.
func (m *Member) Enter(name string, first func(past []Message, people []string)) error {
	name = RoomName(name)
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := utf8.RuneCountInString(name); {
	case m.nickname == "" && name != Anonymous:
		return refuse(Forbidden, "rooms are for those with a nickname")
	case m.nickname != "" && (n == 0 || n > MaxRoomRunes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl)):
		return refuse(BadRequest, "a room's name has 1 to %d characters, and no control characters", MaxRoomRunes)
	case m.nickname != "" && !m.rooms[name] && len(m.rooms) >= MaxRooms:
		return refuse(TooMany, "nobody is in more than %d rooms; leave one", MaxRooms)
	case m.nickname != "" && !m.rooms[name] && c.roomsOfLocked(m.nickname, name) >= MaxRooms:
		return refuse(TooMany, "nobody is in more than %d rooms; leave one", MaxRooms)
	}
	r := c.roomLocked(name)
	if m.nickname != "" && !m.left && !m.rooms[name] {
		m.rooms[name] = true
		if r.people[m.nickname]++; r.people[m.nickname] == 1 {
			c.watcher.Joined(name, m.nickname)
		}
	}
	if first != nil {
		first(slices.Clone(r.past), slices.Sorted(maps.Keys(r.people)))
	}
	return nil
}

// roomsOfLocked is how many rooms a person is in, but for the one that is named.
func (c *Chat) roomsOfLocked(nickname, but string) int {
	all := map[string]bool{}
	for m := range c.people[nickname].membersOf() {
		maps.Copy(all, m.rooms)
	}
	delete(all, but)
	return len(all)
}

func (p *person) membersOf() map[*Member]bool {
	if p == nil {
		return nil
	}
	return p.members
}

// Exit takes the member out of a room.
func (m *Member) Exit(name string, first func()) error {
	name = RoomName(name)
	m.chat.mu.Lock()
	defer m.chat.mu.Unlock()
	if m.nickname == "" || !m.rooms[name] {
		return refuse(BadRequest, "you are not in this room")
	}
	delete(m.rooms, name)
	if first != nil {
		first()
	}
	m.exitLocked(name)
	return nil
}

func (m *Member) exitLocked(name string) {
	r := m.chat.roomLocked(name)
	if r.people[m.nickname]--; r.people[m.nickname] <= 0 {
		delete(r.people, m.nickname)
		m.chat.watcher.Left(name, m.nickname)
		if name != Lobby && len(r.people) == 0 && len(r.past) == 0 {
			delete(m.chat.rooms, name)
		}
	}
}

// Leave ends the member. It may be called twice.
func (m *Member) Leave() {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.left || m.nickname == "" {
		return
	}
	m.left = true
	m.take = nil
	for name := range m.rooms {
		m.exitLocked(name)
	}
	p := c.people[m.nickname]
	if delete(p.members, m); len(p.members) == 0 {
		delete(c.people, m.nickname)
	}
}

// Receive has take called with each private message that waited, and then with those to and from this
// person as they are said. It returns whether it took the message; what nobody took waits. take must not
// block, nor call the chat.
func (m *Member) Receive(take func(Private) bool) {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.left || m.nickname == "" {
		return
	}
	for _, p := range slices.Clone(c.waiting[m.nickname]) {
		if !take(p) {
			break
		}
		c.gotLocked(m.nickname, p.ID)
		c.markLocked(m.nickname, p.ID)
	}
	m.take = take
}

// Say says something in a room where the member is; empty means Home. It returns when it is in the journal.
func (m *Member) Say(ctx context.Context, room, text string) (Message, error) {
	if room = RoomName(room); room == "" {
		room = m.Home()
	}
	if err := m.allow(room, text); err != nil {
		return Message{}, err
	}
	said := Message{Room: room, From: m.nickname, Text: text, At: time.Now().UTC()}
	err := m.chat.put(ctx, &op{said: &said})
	return said, err
}

// Tell says something to one person. It returns when it is in the journal, and whether they were there.
func (m *Member) Tell(ctx context.Context, to, text string) (_ Private, delivered bool, err error) {
	to = strings.TrimSpace(to)
	if m.nickname == "" {
		return Private{}, false, refuse(Forbidden, "private words are for those with a nickname")
	}
	if checkNickname(to) != nil {
		return Private{}, false, refuse(BadRequest, "nobody can have this nickname")
	}
	if err := m.allow("", text); err != nil {
		return Private{}, false, err
	}
	o := &op{private: &Private{From: m.nickname, To: to, Text: text, At: time.Now().UTC()}}
	err = m.chat.put(ctx, o)
	return *o.private, o.delivered, err
}

// allow checks what the member is about to say; a room is where, if it has a name.
func (m *Member) allow(room, text string) error {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.bucket.take(time.Now()) {
		return errTooFast
	}
	if (room != "" || m.nickname == "") && !m.rooms[room] {
		return refuse(Forbidden, "you are not in this room")
	}
	return checkText(text)
}

func checkText(text string) error {
	if len(text) == 0 || len(text) > MaxTextBytes {
		return refuse(BadRequest, "a message has 1 to %d bytes", MaxTextBytes)
	}
	if !utf8.ValidString(text) {
		return refuse(BadRequest, "a message is text")
	}
	return nil
}

// Typing tells a room that the member is about to say something. Without an effect it tells nobody.
func (m *Member) Typing(room string) {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if room = RoomName(room); room == "" {
		room = m.Home()
	}
	if m.nickname != "" && m.rooms[room] && !m.left && m.bucket.take(time.Now()) {
		c.watcher.Typing(room, m.nickname)
	}
}
