package slacksim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a server. The zero value will do.
type Options struct {
	Address    string        // host:port on loopback to listen on; 127.0.0.1:0, a free port, if empty
	AckTimeout time.Duration // how long an app may take to acknowledge before it is sent the same again; Slack's 3 s if 0
}

// Server is a running stand-in.
type Server struct {
	URL      string // of the page
	APIURL   string // of the Web API, with the slash at its end that clients want
	BotToken string // xoxb-…, made at start
	AppToken string // xapp-…, made at start
	TeamID   string
	AppID    string
	BotUser  string // the user id of the app's bot
	Channel  string // the id of the channel that the app is in

	ackTimeout time.Duration
	http       *http.Server
	ctx        context.Context // ends when the server is closed
	cancel     context.CancelFunc
	running    sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed at the next change of what mu guards
	serial  int           // of ids
	lastTS  int64         // microseconds since 1970 of the newest message
	sentOut map[string]*envelope
	sockets []*socket
	turn    int // of the socket that the next envelope goes to
	tickets map[string]bool
	faults  Faults
	calls   []Call

	messages   []*Message // of all conversations, oldest first
	ephemerals map[string][]*Message
	homes      map[string]*View
	modals     map[string][]*View // the stack of each user, topmost last
	triggers   map[string]*trigger
	hooks      map[string]*hook
}

const (
	teamID      = "T0WORKSPACE"
	teamDomain  = "workspace"
	appID       = "A0APP"
	botUserID   = "U0BOT"
	botID       = "B0BOT"
	channelID   = "C0LIFEBOAT"
	channelName = "lifeboat"
	ackTimeout  = 3 * time.Second
)

// User is a person of the workspace.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"realName"`
}

// Users lists the people that one may act as.
func (s *Server) Users() []User {
	return []User{
		{ID: "U0REBECCA", Name: "rebecca", RealName: "Rebecca Ortiz"},
		{ID: "U0SAM", Name: "sam", RealName: "Sam Lindqvist"},
		{ID: "U0MALLORY", Name: "mallory", RealName: "Mallory Vance"},
	}
}

func (s *Server) user(id string) (User, bool) {
	for _, u := range s.Users() {
		if u.ID == id {
			return u, true
		}
	}
	return User{}, false
}

// Start runs a server. An address that is not on loopback is refused with
// ErrNotLoopback.
func Start(o Options) (*Server, error) {
	address := o.Address
	if address == "" {
		address = "127.0.0.1:0"
	}
	if err := checkLoopback(address); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("start the Slack stand-in: %w", err)
	}
	s := newServer("http://"+listener.Addr().String()+"/", o)
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	s.running.Go(func() { _ = s.http.Serve(listener) }) // always ErrServerClosed, after Close
	return s, nil
}

// newServer makes a server that is reached at a URL.
func newServer(url string, o Options) *Server {
	s := &Server{
		URL: url, APIURL: url + "api/",
		BotToken: "xoxb-" + rand.Text(), AppToken: "xapp-" + rand.Text(),
		TeamID: teamID, AppID: appID, BotUser: botUserID, Channel: channelID,
		ackTimeout: o.AckTimeout,
		changed:    make(chan struct{}),
		sentOut:    map[string]*envelope{},
		tickets:    map[string]bool{},
		ephemerals: map[string][]*Message{},
		homes:      map[string]*View{},
		modals:     map[string][]*View{},
		triggers:   map[string]*trigger{},
		hooks:      map[string]*hook{},
	}
	if s.ackTimeout == 0 {
		s.ackTimeout = ackTimeout
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ErrNotLoopback is the error of an address that others could reach.
var ErrNotLoopback = errors.New("the Slack stand-in listens on loopback only, because whoever reaches it acts as anybody")

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("read the address %q of the Slack stand-in: %w", address, err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("%w: use 127.0.0.1 in place of %q", ErrNotLoopback, host)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close ends the server, its connections and what it still waits for.
func (s *Server) Close() error {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	err := s.http.Close()
	s.DropSockets()
	s.running.Wait()
	return err
}

// spawn runs f, which Close waits for. It refuses when the server is closed. The
// caller holds mu.
func (s *Server) spawn(f func()) bool {
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Go(f)
	return true
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("POST /response/{id}", s.serveResponseURL)
	mux.HandleFunc("GET /socket/{ticket}", s.serveSocket)
	s.routeSim(mux)
	routePage(mux)
	return onlyLoopback(mux)
}

// onlyLoopback refuses what reached loopback under another name: a web page of
// somebody else whose name was pointed at this machine.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !isLoopback(strings.Trim(host, "[]")) {
			http.Error(w, "this server answers to 127.0.0.1 and localhost only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Wait returns when done does, which it asks now and after every change: a call to
// the Web API, a connection, an acknowledgement, a message, a view. It returns an error when ctx
// ends first.
func (s *Server) Wait(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a change in the Slack stand-in: %w", ctx.Err())
		case <-s.ctx.Done():
			return errors.New("wait for a change in the Slack stand-in: it is closed")
		}
	}
}

// notify tells those who wait that something changed. The caller holds mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// id returns a new identifier. The caller holds mu.
func (s *Server) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s%06d", prefix, s.serial)
}
