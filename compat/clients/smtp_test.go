package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
)

// A mailServer accepts mail, over TLS only. It acknowledges a mail once it has the data of as many
// as it waits for, so none of the clients gets on alone.
type mailServer struct {
	listener net.Listener
	config   *tls.Config
	wants    int
	served   sync.WaitGroup

	mu    sync.Mutex
	mails []string
	all   chan struct{} // closed when all are there
}

func startMailServer(t *testing.T, config *tls.Config, wants int) *mailServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &mailServer{listener: l, config: config, wants: wants, all: make(chan struct{})}
	s.served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.served.Go(func() {
				defer func() { conn.Close() }()
				if err := s.serve(&conn); err != nil {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.served.Wait()
	})
	return s
}

// serve talks with one client. It replaces the connection by one with TLS.
func (s *mailServer) serve(conn *net.Conn) error {
	if err := (*conn).SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	text := textproto.NewConn(*conn)
	if err := text.PrintfLine("220 mail.example ready"); err != nil {
		return err
	}
	secure := false
	for {
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		command, _, _ := strings.Cut(line, " ")
		switch {
		case command == "EHLO" && secure:
			err = text.PrintfLine("250 mail.example")
		case command == "EHLO":
			err = text.PrintfLine("250-mail.example\r\n250 STARTTLS")
		case command == "STARTTLS":
			if err := text.PrintfLine("220 go ahead"); err != nil {
				return err
			}
			*conn = tls.Server(*conn, s.config)
			text, secure = textproto.NewConn(*conn), true
		case command == "QUIT":
			return text.PrintfLine("221 bye")
		case !secure:
			err = text.PrintfLine("530 STARTTLS first")
		case command == "DATA":
			err = s.data(text)
		default:
			err = text.PrintfLine("250 ok")
		}
		if err != nil {
			return err
		}
	}
}

func (s *mailServer) data(text *textproto.Conn) error {
	if err := text.PrintfLine("354 go on"); err != nil {
		return err
	}
	mail, err := io.ReadAll(text.DotReader())
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mails = append(s.mails, string(mail))
	if len(s.mails) == s.wants {
		close(s.all)
	}
	s.mu.Unlock()
	select {
	case <-s.all:
	case <-time.After(patience):
		return errors.New("the other mails don't come")
	}
	return text.PrintfLine("250 delivered")
}

// send sends one mail over a connection that net/smtp thinks is any other.
func send(ctx context.Context, addr string, config *tls.Config, mail string) error {
	conn, err := new(repaint.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, "mail.example")
	if err != nil {
		return err
	}
	if err := c.StartTLS(config); err != nil {
		return err
	}
	if err := c.Mail("ada@mail.example"); err != nil {
		return err
	}
	if err := c.Rcpt("bo@mail.example"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, mail); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func TestSMTP(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, of example.com
	defer web.Close()
	trust := x509.NewCertPool()
	trust.AddCert(web.Certificate())
	config := &tls.Config{RootCAs: trust, ServerName: "example.com"}
	inBothColours(t, func(ctx context.Context, t *testing.T) {
		const mails = 10
		server := startMailServer(t, &tls.Config{Certificates: web.TLS.Certificates}, mails)
		var sending work
		var want []string
		for i := range mails {
			mail := fmt.Sprintf("Subject: mail %d\n\n%s\n", i, strings.Repeat("a line of it\n", 10_000*(i%2)))
			want = append(want, mail)
			sending = append(sending, func(ctx context.Context) error {
				return send(ctx, server.listener.Addr().String(), config, mail)
			})
		}
		require.NoError(t, atOnce(ctx, sending))
		assert.ElementsMatch(t, want, server.mails)
	})
}

// A deadline ends a wait for a server that says nothing, and only that.
func TestTextprotoDeadline(t *testing.T) {
	inBothColours(t, func(ctx context.Context, t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		conn, err := new(repaint.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		require.NoError(t, err)
		text := textproto.NewConn(conn)
		defer text.Close()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = text.ReadLine()
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		assert.True(t, timeout.Timeout())

		server, err := l.Accept()
		require.NoError(t, err)
		defer server.Close()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		require.NoError(t, atOnce(ctx, work{
			func(context.Context) error {
				line, err := text.ReadLine()
				if err == nil && line != "hello" {
					err = fmt.Errorf("read %q", line)
				}
				return err
			},
			func(context.Context) error {
				_, err := io.WriteString(server, "hello\r\n")
				return err
			},
		}))
	})
}
