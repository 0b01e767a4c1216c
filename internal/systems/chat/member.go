package chat

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// The codes of a Refusal.
const (
	Taken             = "nickname_taken"
	Reserved          = "nickname_reserved"
	Empty             = "nickname_empty"
	TooLong           = "nickname_too_long"
	ControlCharacters = "nickname_invalid"
	BadToken          = "token_invalid"
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

// A connection may be for both.
const (
	ForRooms   Ways = 1 << iota // it is in rooms
	ForPrivate                  // it gets private messages
)

// A person is all members of one nickname.
type person struct {
	proof   []byte // of the token that they came with; nil: they came without
	members map[*Member]bool
}

// give gives a private message to every member that takes any, and reports whether there is one.
func (p *person) give(m Private) (there bool) {
	if p != nil {
		for member := range p.members {
			if member.give != nil {
				member.give(m)
				there = true
			}
		}
	}
	return there
}

// receives reports whether a member takes private messages.
func (p *person) receives() bool {
	if p != nil {
		for member := range p.members {
			if member.give != nil {
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
	ways     Ways

	limiter *rate.Limiter // of what it says

	// Protected by chat.mu. They stay when the member leaves: what it said before is still said.
	rooms map[string]bool
	left  bool
	give  func(Private)
}

// Anonymous returns a member without a nickname, who is in the room Anonymous and in no other.
func (c *Chat) Anonymous() *Member {
	return &Member{chat: c, limiter: newLimiter(), rooms: map[string]bool{Anonymous: true}}
}

// Join returns a member with a nickname, who is in no room yet, and must Leave. A nickname is taken while
// somebody else has it. The token is a secret of the client's own, or empty: who comes with the same is
// the same person. Without one two members are one person only if the one is for rooms and the other for
// private messages alone.
func (c *Chat) Join(nickname, token string, ways Ways) (*Member, error) {
	nickname = strings.TrimSpace(nickname)
	if err := checkNickname(nickname); err != nil {
		return nil, err
	}
	proof, err := proofOf(token)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.people[nickname]
	if p == nil {
		if err := c.claimLocked(nickname, proof, time.Now()); err != nil {
			return nil, err
		}
		p = &person{proof: proof, members: map[*Member]bool{}}
		c.people[nickname] = p
	} else if !p.is(proof, ways) {
		return nil, refuse(Taken, "somebody here has the nickname %s", nickname)
	}
	m := &Member{chat: c, nickname: nickname, ways: ways, limiter: newLimiter(), rooms: map[string]bool{}}
	p.members[m] = true
	return m, nil
}

// is reports whether somebody who comes is this person.
func (p *person) is(proof []byte, ways Ways) bool {
	if proof != nil || p.proof != nil {
		return bytes.Equal(p.proof, proof)
	}
	for m := range p.members {
		if m.ways&ways != 0 {
			return false
		}
	}
	return true
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
	case m.left:
		return refuse(Forbidden, "you have left")
	case m.nickname != "" && !m.rooms[name] && c.roomsOfLocked(m.nickname, name) >= MaxRooms:
		return refuse(TooMany, "nobody is in more than %d rooms; leave one", MaxRooms)
	}
	r := c.roomLocked(name)
	if m.nickname != "" && !m.rooms[name] {
		m.rooms[name] = true
		if r.people[m.nickname]++; r.people[m.nickname] == 1 {
			c.watcher.Joined(name, m.nickname)
		}
	}
	if first != nil {
		first(append([]Message{}, r.past...), slices.Sorted(maps.Keys(r.people)))
	}
	return nil
}

// roomsOfLocked is how many rooms a person is in, but for the one that is named.
func (c *Chat) roomsOfLocked(nickname, but string) int {
	all := map[string]bool{}
	for m := range c.people[nickname].members {
		maps.Copy(all, m.rooms)
	}
	delete(all, but)
	return len(all)
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
		if !r.lasting() && len(r.people) == 0 && len(r.past) == 0 {
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
	m.give = nil
	for name := range m.rooms {
		m.exitLocked(name)
	}
	p := c.people[m.nickname]
	if delete(p.members, m); len(p.members) == 0 {
		delete(c.people, m.nickname)
	}
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

// allow checks what the member is about to say; a room is where, if it has a name.
func (m *Member) allow(room, text string) error {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.limiter.Allow() {
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
	if m.nickname != "" && m.rooms[room] && !m.left && m.limiter.Allow() {
		c.watcher.Typing(room, m.nickname)
	}
}
