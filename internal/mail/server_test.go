package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// certificate is what the servers of these tests show; this process trusts it, as a
// machine does: by SSL_CERT_FILE.
var certificate tls.Certificate

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "lifeboat-mail-")
	if err == nil {
		defer func() { _ = os.RemoveAll(folder) }()
		err = makeCertificate(filepath.Join(folder, "trusted.pem"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func makeCertificate(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.Setenv("SSL_CERT_FILE", file)
}

// The log-in that the servers accept.
const (
	user     = "lifeboat"
	password = "correct horse"
)

// server is a mail server on loopback.
type server struct {
	address string
	// rcpt decides about a recipient, and data about a mail; nil takes all.
	rcpt func(to string) error
	data func() error

	mu    sync.Mutex
	taken []received
}

type received struct {
	from, to  string
	user      string // who was logged in
	encrypted bool
	header    netmail.Header
	raw       string
}

// mails are the mails that were taken so far.
func (s *server) mails() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.taken...)
}

// serve starts a server; adjust may change it before.
func serve(t *testing.T, s *server, implicitTLS bool, adjust func(*smtp.Server)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	real := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	real.Domain = "mail.test"
	real.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	if adjust != nil {
		adjust(real)
	}
	if implicitTLS {
		listener = tls.NewListener(listener, real.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = real.Serve(listener) }()
	t.Cleanup(func() { _ = real.Close(); <-done })
	return s
}

// session is one client at the server.
type session struct {
	server   *server
	conn     *smtp.Conn
	user     string
	from, to string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, word string) error {
		if name != user || word != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "not with the password " + word}
		}
		s.user = name
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.server.rcpt != nil {
		return s.server.rcpt(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	if s.server.data != nil {
		if err := s.server.data(); err != nil {
			return err
		}
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.taken = append(s.server.taken, received{
		from: s.from, to: s.to, user: s.user, encrypted: encrypted, header: m.Header, raw: string(raw),
	})
	return nil
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }
