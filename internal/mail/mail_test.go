package mail_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/mail"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var digest = mail.Message{
	To: []string{"rebecca@example.com"}, Subject: "Lifeboat: all well – 3 services",
	Text: "Everything is well.\n.\nÜber 12 minutes old\n", ID: "digest/2026-11-22",
}

func settings(s *server) mail.Settings {
	return mail.Settings{Server: s.address, Security: recovery.MailClear, From: "Lifeboat <lifeboat@example.com>"}
}

func text(t *testing.T, r received) string {
	t.Helper()
	require.Equal(t, "quoted-printable", r.header.Get("Content-Transfer-Encoding"))
	decoded, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(r.raw)))
	require.NoError(t, err)
	return strings.ReplaceAll(string(decoded), "\r\n", "\n")
}

func TestMailArrives(t *testing.T) {
	s := serve(t, &server{}, false, nil)
	require.NoError(t, mail.Send(t.Context(), settings(s), digest))

	mails := s.mails()
	require.Len(t, mails, 1)
	got := mails[0]
	require.Equal(t, "lifeboat@example.com", got.from)
	require.Equal(t, "rebecca@example.com", got.to)
	require.Equal(t, digest.Text, strings.TrimRight(text(t, got), "\n")+"\n")
	subject, err := new(mime.WordDecoder).DecodeHeader(got.header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, digest.Subject, subject)
	require.Equal(t, "text/plain; charset=UTF-8", got.header.Get("Content-Type"))
	require.Equal(t, "auto-generated", got.header.Get("Auto-Submitted"))
	require.Equal(t, `"Lifeboat" <lifeboat@example.com>`, got.header.Get("From"))
	_, err = got.header.Date()
	require.NoError(t, err)
}

func TestTheSameMailHasTheSameID(t *testing.T) {
	s := serve(t, &server{}, false, nil)
	again, other := digest, digest
	again.Text, other.ID = "the same, a minute later", "digest/2026-11-23"
	for _, m := range []mail.Message{digest, again, other} {
		require.NoError(t, mail.Send(t.Context(), settings(s), m))
	}
	mails := s.mails()
	id := mails[0].header.Get("Message-Id")
	require.Regexp(t, `^<[0-9a-f]{32}@example\.com>$`, id)
	require.Equal(t, id, mails[1].header.Get("Message-Id"))
	require.NotEqual(t, id, mails[2].header.Get("Message-Id"))
}

func TestEncryption(t *testing.T) {
	for security, implicit := range map[string]bool{recovery.MailStartTLS: false, recovery.MailTLS: true} {
		t.Run(security, func(t *testing.T) {
			s := serve(t, &server{}, implicit, nil)
			set := settings(s)
			set.Security, set.User, set.Password = security, user, password
			require.NoError(t, mail.Send(t.Context(), set, digest))
			mails := s.mails()
			require.Len(t, mails, 1)
			require.True(t, mails[0].encrypted)
			require.Equal(t, user, mails[0].user)
		})
	}
}

func TestNobodyCanAddHeaders(t *testing.T) {
	s := serve(t, &server{}, false, nil)
	m := digest
	m.Subject, m.ID = "all well\r\nBcc: thief@example.com\r\n\r\nbody", "x>\r\nX-Evil: 1"
	require.NoError(t, mail.Send(t.Context(), settings(s), m))
	got := s.mails()[0]
	require.Empty(t, got.header.Get("Bcc"))
	require.Empty(t, got.header.Get("X-Evil"))
	require.Equal(t, "all well Bcc: thief@example.com body", got.header.Get("Subject"))

	for _, address := range []string{"a@example.com\r\nBcc: thief@example.com", "a@example.com>\r\nRCPT TO:<thief@example.com", "not an address"} {
		m := digest
		m.To = []string{address}
		requirePermanent(t, mail.Send(t.Context(), settings(s), m), "mend the person's mail under people")
		set := settings(s)
		set.From = address
		requirePermanent(t, mail.Send(t.Context(), set, digest), "mend mail.from in the config")
	}
	require.Len(t, s.mails(), 1)
}

func TestRefusals(t *testing.T) {
	refuse := func(code int, text string) func(string) error {
		return func(string) error { return &smtp.SMTPError{Code: code, Message: text} }
	}
	t.Run("an unknown recipient is named, and the others get their mail", func(t *testing.T) {
		s := serve(t, &server{rcpt: func(to string) error {
			if to == "gone@example.com" {
				return &smtp.SMTPError{Code: 550, Message: "no such mailbox"}
			}
			return nil
		}}, false, nil)
		m := digest
		m.To = []string{"rebecca@example.com", "gone@example.com", "sam@example.com"}
		err := mail.Send(t.Context(), settings(s), m)
		requirePermanent(t, err, "send mail to gone@example.com")
		require.ErrorContains(t, err, "no such mailbox")
		require.ErrorContains(t, err, "mend the person's mail under people")
		mails := s.mails()
		require.Len(t, mails, 2)
		require.Equal(t, "rebecca@example.com", mails[0].to)
		require.Equal(t, "sam@example.com", mails[1].to)
		require.Equal(t, "<sam@example.com>", mails[1].header.Get("To"))
	})
	t.Run("one to be tried again makes the whole to be tried again", func(t *testing.T) {
		s := serve(t, &server{rcpt: func(to string) error {
			if to == "gone@example.com" {
				return refuse(550, "no such mailbox")(to)
			}
			return refuse(451, "try later")(to)
		}}, false, nil)
		m := digest
		m.To = []string{"gone@example.com", "sam@example.com"}
		err := mail.Send(t.Context(), settings(s), m)
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "gone@example.com")
		require.ErrorContains(t, err, "sam@example.com")
	})
	t.Run("greylisting is tried again", func(t *testing.T) {
		times := 0
		s := serve(t, &server{rcpt: func(to string) error {
			if times++; times == 1 {
				return refuse(451, "greylisted, come back later")(to)
			}
			return nil
		}}, false, nil)
		err := mail.Send(t.Context(), settings(s), digest)
		require.ErrorContains(t, err, "greylisted")
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
		require.NoError(t, mail.Send(t.Context(), settings(s), digest))
		require.Len(t, s.mails(), 1)
	})
	t.Run("a refused mail", func(t *testing.T) {
		s := serve(t, &server{data: func() error { return refuse(554, "looks like spam")("") }}, false, nil)
		requirePermanent(t, mail.Send(t.Context(), settings(s), digest), "looks like spam")
	})
	t.Run("a wrong password, which is not repeated", func(t *testing.T) {
		s := serve(t, &server{}, false, nil)
		set := settings(s)
		set.Security, set.User, set.Password = recovery.MailStartTLS, user, "hunter2"
		err := mail.Send(t.Context(), set, digest)
		requirePermanent(t, err, "it answers 535 (mend mail.user and mail.password in the config)")
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "not with the password")
	})
	t.Run("nobody to send to", func(t *testing.T) {
		requirePermanent(t, mail.Send(t.Context(), mail.Settings{From: "a@example.com"}, mail.Message{}), "nobody is named to get it")
	})
}

func TestServersThatDoNotFit(t *testing.T) {
	t.Run("no STARTTLS", func(t *testing.T) {
		s := serve(t, &server{}, false, func(real *smtp.Server) { real.TLSConfig = nil })
		set := settings(s)
		set.Security = recovery.MailStartTLS
		requirePermanent(t, mail.Send(t.Context(), set, digest), "it offers no STARTTLS")
		require.Empty(t, s.mails())
	})
	t.Run("a log-in that is not safe", func(t *testing.T) {
		s := serve(t, &server{}, false, func(real *smtp.Server) { real.TLSConfig = nil })
		set := settings(s)
		set.User, set.Password = user, password
		requirePermanent(t, mail.Send(t.Context(), set, digest), "it offers no log-in that keeps the password safe")
	})
	t.Run("TLS where it begins in the clear", func(t *testing.T) {
		s := serve(t, &server{}, false, nil)
		set := settings(s)
		set.Security = recovery.MailTLS
		requirePermanent(t, mail.Send(t.Context(), set, digest), "write mail.security: starttls")
	})
	t.Run("a certificate of another name", func(t *testing.T) {
		s := serve(t, &server{}, true, nil)
		set := settings(s)
		set.Security, set.Server = recovery.MailTLS, strings.Replace(s.address, "127.0.0.1", "localhost", 1)
		requirePermanent(t, mail.Send(t.Context(), set, digest), "mend mail.server")
	})
	for _, address := range []string{"mail.example.com", "mail.example.com:smtp"} {
		requirePermanent(t, mail.Send(t.Context(), mail.Settings{Server: address, Security: recovery.MailClear, From: "a@example.com"}, digest), "write mail.server as host:port")
	}
	requirePermanent(t, mail.Send(t.Context(), mail.Settings{Server: "127.0.0.1:25", From: "a@example.com"}, digest), "mend mail.security")
}

func TestServersThatDoNotAnswer(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		set := mail.Settings{Server: listener.Addr().String(), Security: recovery.MailClear, From: "a@example.com"}
		require.NoError(t, listener.Close())
		err = mail.Send(t.Context(), set, digest)
		require.ErrorContains(t, err, "reach the mail server "+set.Server)
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
	})
	t.Run("the server is busy", func(t *testing.T) {
		address := say(t, "421 too many connections\r\n")
		err := mail.Send(t.Context(), mail.Settings{Server: address, Security: recovery.MailClear, From: "a@example.com"}, digest)
		require.ErrorContains(t, err, "it answers 421")
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
	})
	t.Run("it takes the connection and says nothing", func(t *testing.T) {
		address := say(t, "")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := mail.Send(ctx, mail.Settings{Server: address, Security: recovery.MailClear, From: "a@example.com"}, digest)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
	})
	t.Run("it falls silent when the mail is on its way", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := serve(t, &server{data: func() error {
			cancel(errors.New("the worker stops"))
			<-ctx.Done()
			<-t.Context().Done()
			return nil
		}}, false, nil)
		err := mail.Send(ctx, settings(s), digest)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, recovery.Unavailable, recovery.KindOf(err), "%v", err)
	})
	t.Run("it hangs up once it has the mail", func(t *testing.T) {
		address := say(t, "220 hello\r\n", "250 hello\r\n", "250 noop\r\n", "250 from\r\n", "250 to\r\n", "354 go on\r\n", "250 taken\r\n")
		require.NoError(t, mail.Send(t.Context(), mail.Settings{Server: address, Security: recovery.MailClear, From: "a@example.com"}, digest))
	})
}

// say listens for one client, says the lines to it, each after it has spoken, and
// hangs up; with only an empty line, once the test ends.
func say(t *testing.T, lines ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for i, line := range lines {
			if line == "" {
				<-t.Context().Done()
				return
			}
			if i > 0 {
				heard(in, lines[i-1])
			}
			_, _ = conn.Write([]byte(line))
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// heard reads a command, or a mail if that was asked for.
func heard(in *bufio.Reader, asked string) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || !strings.HasPrefix(asked, "354") || line == ".\r\n" {
			return
		}
	}
}

func requirePermanent(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	require.Equal(t, recovery.Permanent, recovery.KindOf(err), "%v", err)
}
