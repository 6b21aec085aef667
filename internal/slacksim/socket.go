package slacksim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxSockets   = 10
	pingInterval = 5 * time.Second // clients take a connection for dead without pings
	writeTimeout = 5 * time.Second
	maxAck       = 20_000 // bytes; Slack drops larger ones without a word
)

// socket is a Socket Mode connection of an app.
type socket struct {
	conn    *websocket.Conn
	closed  chan struct{}
	leaving bool // was told to disconnect: gets nothing new; guarded by the server's mu

	writing sync.Mutex
}

func (c *socket) send(message any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write(message)
}

// write sends a message. The caller holds writing.
func (c *socket) write(message any) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.conn.WriteJSON(message)
}

func (c *socket) ping() error {
	return c.conn.WriteControl(websocket.PingMessage, []byte("Ping from slacksim"), time.Now().Add(writeTimeout))
}

// appsConnectionsOpen gives out an address that can be used once.
func (s *Server) appsConnectionsOpen(arguments) object {
	ticket := rand.Text()
	s.tickets[ticket] = true
	return object{"ok": true, "url": "ws" + strings.TrimPrefix(s.URL, "http") + "socket/" + ticket}
}

// Connections tells how many Socket Mode connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// serveSocket makes a call with a ticket a connection, and serves it until it ends.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ticket := r.PathValue("ticket")
	valid := s.tickets[ticket]
	delete(s.tickets, ticket)
	outage, full := s.faults.Outage, len(s.sockets) >= maxSockets
	s.mu.Unlock()
	switch {
	case outage:
		http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		return
	case !valid:
		http.Error(w, "the ticket is not valid, or was used before", http.StatusForbidden)
		return
	case full:
		http.Error(w, "too many connections", http.StatusTooManyRequests)
		return
	}
	// A ticket is a secret: there is no need to look at where the call comes from.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered by the upgrader
	}
	defer func() { _ = conn.Close() }()
	if c := s.join(conn); c != nil {
		s.read(c)
	}
}

// join greets a client, and makes its connection one that is sent to. The lock on
// writing keeps the greeting first.
func (s *Server) join(conn *websocket.Conn) *socket {
	c := &socket{conn: conn, closed: make(chan struct{})}
	c.writing.Lock()
	defer c.writing.Unlock()
	s.mu.Lock()
	if s.faults.Outage || !s.spawn(c.keepAlive) {
		s.mu.Unlock()
		return nil
	}
	s.sockets = append(s.sockets, c)
	hello := object{
		"type": "hello", "num_connections": len(s.sockets), "connection_info": object{"app_id": appID},
		"debug_info": object{"host": "slacksim", "approximate_connection_time": 18060},
	}
	s.notify()
	s.mu.Unlock()
	if c.write(hello) != nil || c.ping() != nil {
		_ = conn.Close() // the reader sees it
	}
	return c
}

func (c *socket) keepAlive() {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if c.ping() != nil {
				_ = c.conn.Close() // ends the reader, which closes c.closed
			}
		case <-c.closed:
			return
		}
	}
}

// read takes acknowledgements until the connection ends.
func (s *Server) read(c *socket) {
	for {
		_, message, err := c.conn.ReadMessage()
		if err != nil {
			break
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(message, &ack) == nil && len(message) < maxAck {
			s.acknowledge(ack.EnvelopeID, ack.Payload)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(c.closed)
	s.sockets = slices.DeleteFunc(s.sockets, func(other *socket) bool { return other == c })
	s.notify()
}

// nextSocket picks the connection to send to, each in turn. The caller holds mu.
func (s *Server) nextSocket() *socket {
	for range s.sockets {
		s.turn++
		if c := s.sockets[s.turn%len(s.sockets)]; !c.leaving {
			return c
		}
	}
	return nil
}

// ErrNotConnected is the error of an action that no app is there to hear of.
var ErrNotConnected = errors.New("no app is connected by Socket Mode")

// Disconnect asks every client to connect anew, as Slack does every few hours. The
// connections are closed when the clients have left, or after the time to acknowledge.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.sockets {
		c.leaving = true
		s.spawn(func() { s.retire(c) })
	}
}

// retire asks the client of a connection to leave, and waits for it a while.
func (s *Server) retire(c *socket) {
	if c.send(object{"type": "disconnect", "reason": "warning", "debug_info": object{"host": "slacksim"}}) == nil {
		select {
		case <-c.closed:
		case <-s.ctx.Done():
		case <-time.After(s.ackTimeout):
		}
	}
	_ = c.conn.Close()
}

// DropSockets breaks every connection without a word.
func (s *Server) DropSockets() {
	s.mu.Lock()
	sockets := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, c := range sockets {
		_ = c.conn.NetConn().Close()
	}
}
