package pg

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

// A tap stands before a server and records which messages pass, after a connection has been set up.
// It records each message before it passes it on. So when an answer has arrived, the tap has
// recorded everything that led to it.
//
// It decodes and encodes every message anew, and reaches the server over its Unix socket, where no
// client is asked for a password.
type tap struct {
	t        testing.TB
	listener net.Listener
	socket   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []*tapped
	ends  []net.Conn
}

// tapped is the traffic of one connection: a line for each segment, and for each answer.
type tapped struct {
	client, server []string
	waiting, most  int // segments without an answer, now and at most
}

func newTap(t testing.TB, target testserver.Target) (*tap, testserver.Target) {
	listener, err := freeport.Listen()
	require.NoError(t, err)
	p := &tap{t: t, listener: listener, socket: filepath.Join(target.Socket, fmt.Sprintf(".s.PGSQL.%d", target.Port))}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for _, c := range p.ends {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	addr := listener.Addr().(*net.TCPAddr)
	target.Host, target.Port = addr.IP.String(), addr.Port
	return p, target
}

func (p *tap) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.socket)
		if err != nil {
			p.t.Errorf("the tap: %v", err)
			_ = client.Close()
			return
		}
		one := &tapped{}
		p.mu.Lock()
		p.conns = append(p.conns, one)
		p.ends = append(p.ends, client, server)
		p.mu.Unlock()
		ready := make(chan struct{}) // closed when the connection has been set up
		p.wg.Go(func() {
			defer client.Close()
			defer server.Close()
			p.fromClient(client, server, one, ready)
		})
		p.wg.Go(func() {
			defer client.Close()
			defer server.Close()
			p.fromServer(client, server, one, ready)
		})
	}
}

func (p *tap) fromClient(client, server net.Conn, one *tapped, ready chan struct{}) {
	in := pgproto3.NewBackend(client, nil)
	startup, err := in.ReceiveStartupMessage()
	if err != nil {
		return
	}
	buf, err := startup.Encode(nil)
	for err == nil {
		if _, err = server.Write(buf); err != nil {
			return
		}
		var msg pgproto3.FrontendMessage
		if msg, err = in.Receive(); err != nil {
			return
		}
		<-ready // the connecting caller waits for that anyway
		p.note(one, &one.client, clientWord(msg))
		buf, err = msg.Encode(buf[:0])
	}
}

func (p *tap) fromServer(client, server net.Conn, one *tapped, ready chan struct{}) {
	in := pgproto3.NewFrontend(server, nil)
	var buf []byte
	isReady := false
	defer func() {
		if !isReady {
			close(ready)
		}
	}()
	for {
		msg, err := in.Receive()
		if err != nil {
			return
		}
		if isReady {
			p.note(one, &one.server, serverWord(msg))
		}
		if _, ok := msg.(*pgproto3.ReadyForQuery); ok && !isReady {
			isReady = true
			close(ready)
		}
		if buf, err = msg.Encode(buf[:0]); err != nil {
			return
		}
		if _, err := client.Write(buf); err != nil {
			return
		}
	}
}

// note adds a word to the last line, or to a new one if that is complete.
func (p *tap) note(one *tapped, lines *[]string, word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case word == "sync" || word == "query":
		one.waiting++
		one.most = max(one.most, one.waiting)
	case strings.HasPrefix(word, "ready:"):
		one.waiting--
	}
	if n := len(*lines); n > 0 && !complete((*lines)[n-1]) {
		(*lines)[n-1] += " " + word
		return
	}
	*lines = append(*lines, word)
}

// complete reports whether a line ends a segment, or the answer to one.
func complete(line string) bool {
	last := line[strings.LastIndexByte(line, ' ')+1:]
	return last == "sync" || last == "query" || last == "terminate" || strings.HasPrefix(last, "ready:")
}

// take returns the traffic of a connection since the last call.
func (p *tap) take(conn int) (client, server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.conns[conn]
	client, server = strings.Join(one.client, "\n"), strings.Join(one.server, "\n")
	one.client, one.server = nil, nil
	return client, server
}

// mostWaiting returns how many segments a connection has had without an answer at a time.
func (p *tap) mostWaiting() (most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.conns {
		most = max(most, one.most)
	}
	return most
}

func clientWord(msg pgproto3.FrontendMessage) string {
	named := func(word, name string) string {
		if name != "" {
			word += ":named"
		}
		return word
	}
	switch m := msg.(type) {
	case *pgproto3.Parse:
		return named("parse", m.Name)
	case *pgproto3.Bind:
		return named("bind", m.PreparedStatement)
	case *pgproto3.Describe:
		if m.ObjectType == 'P' {
			return "describe-portal"
		}
		return named("describe", m.Name)
	case *pgproto3.Close:
		return named("close", m.Name)
	case *pgproto3.Query:
		return "query"
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", msg), "*pgproto3."))
}

func serverWord(msg pgproto3.BackendMessage) string {
	switch m := msg.(type) {
	case *pgproto3.ParseComplete:
		return "parsed"
	case *pgproto3.BindComplete:
		return "bound"
	case *pgproto3.CloseComplete:
		return "closed"
	case *pgproto3.ParameterDescription:
		return "parameters"
	case *pgproto3.RowDescription:
		return "columns"
	case *pgproto3.NoData:
		return "no-columns"
	case *pgproto3.DataRow:
		return "row"
	case *pgproto3.CommandComplete:
		return "done:" + strings.ReplaceAll(string(m.CommandTag), " ", "_")
	case *pgproto3.ErrorResponse:
		return "error:" + m.Code
	case *pgproto3.NoticeResponse:
		return "notice:" + m.Code
	case *pgproto3.ReadyForQuery:
		return "ready:" + string(m.TxStatus)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", msg), "*pgproto3."))
}
