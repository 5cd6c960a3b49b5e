package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// A hostile server answers each statement with the statement's first parameter. It would keep to
// the protocol, but a function of the test spoils its answers.
type hostile struct {
	// answer gets the messages that the server should send, up to a ReadyForQuery, and returns
	// those that it sends. It may write to the connection itself.
	answer func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage
	// enter authenticates a client; nil if all are let in.
	enter func(b *pgproto3.Backend) error
	key   []byte // for cancels; nil for the usual four bytes

	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// A hostileConn is a connection to a hostile server. Only its goroutine uses it.
type hostileConn struct {
	net.Conn
	number     int // the connection's number, from 0
	answered   int // how many answers came before this one
	statements map[string]bool
}

// openHostile starts a server, and opens a DB on it. Both end with the test.
func openHostile(t *testing.T, s *hostile, options string) *DB {
	t.Helper()
	var err error
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return openAt(t, fmt.Sprintf("postgres://me:secret@%s/db?sslmode=disable&pool_lanes=1%s", s.listener.Addr(), options))
}

func (s *hostile) accept() {
	for number := 0; ; {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		b := pgproto3.NewBackend(conn, conn)
		if m, err := b.ReceiveStartupMessage(); err != nil || !isStartup(m) {
			_ = conn.Close() // a request to cancel
			continue
		}
		c := &hostileConn{Conn: conn, number: number, statements: map[string]bool{}}
		number++
		s.wg.Go(func() {
			defer c.Close()
			s.serve(c, b)
		})
	}
}

func isStartup(m pgproto3.FrontendMessage) bool {
	_, ok := m.(*pgproto3.StartupMessage)
	return ok
}

func (s *hostile) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *hostile) serve(c *hostileConn, b *pgproto3.Backend) {
	if s.enter != nil && s.enter(b) != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	key := s.key
	if key == nil {
		key = []byte{1, 2, 3, 4}
	}
	b.Send(&pgproto3.BackendKeyData{ProcessID: uint32(c.number + 1), SecretKey: key})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if b.Flush() != nil {
		return
	}
	for {
		honest, err := c.hear(b)
		if err != nil {
			return
		}
		if s.answer != nil {
			honest = s.answer(c, honest)
		}
		c.answered++
		for _, m := range honest {
			b.Send(m)
		}
		if b.Flush() != nil {
			return
		}
	}
}

// hear reads up to the next Sync, and returns the honest answer.
func (c *hostileConn) hear(b *pgproto3.Backend) (answer []pgproto3.BackendMessage, err error) {
	var value []byte
	failed := false
	for {
		m, err := b.Receive()
		if err != nil {
			return nil, err
		}
		if _, ok := m.(*pgproto3.Sync); !ok && failed {
			continue
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			c.statements[m.Name] = true
			answer = append(answer, &pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			if failed = !c.statements[m.PreparedStatement]; failed {
				answer = append(answer, errorOf("26000"))
				continue
			}
			value = nil
			if len(m.Parameters) > 0 {
				value = append(value, m.Parameters[0]...)
			}
			answer = append(answer, &pgproto3.BindComplete{})
		case *pgproto3.Describe:
			if m.ObjectType == 'S' {
				answer = append(answer, &pgproto3.ParameterDescription{ParameterOIDs: []uint32{25}})
			}
			answer = append(answer, columns(1))
		case *pgproto3.Execute:
			answer = append(answer, rowOf(string(value)), &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Close:
			delete(c.statements, m.Name)
			answer = append(answer, &pgproto3.CloseComplete{})
		case *pgproto3.Sync:
			return append(answer, ready), nil
		case *pgproto3.Query: // the ping of a connection that is taken over
			b.Send(&pgproto3.EmptyQueryResponse{})
			b.Send(ready)
			if err := b.Flush(); err != nil {
				return nil, err
			}
		case *pgproto3.Terminate:
			return nil, net.ErrClosed
		}
	}
}

var ready = &pgproto3.ReadyForQuery{TxStatus: 'I'}

func errorOf(code string) pgproto3.BackendMessage {
	return &pgproto3.ErrorResponse{Severity: "ERROR", Code: code, Message: "spoiled"}
}

func rowOf(values ...string) pgproto3.BackendMessage {
	row := &pgproto3.DataRow{}
	for _, v := range values {
		row.Values = append(row.Values, []byte(v))
	}
	return row
}

// columns describes so many columns of text.
func columns(n int) pgproto3.BackendMessage {
	d := &pgproto3.RowDescription{}
	for i := range n {
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: fmt.Append(nil, "c", i), DataTypeOID: 25, DataTypeSize: -1})
	}
	return d
}

// raw is a message that consists of any bytes.
type raw []byte

func (raw) Backend()                            {}
func (raw) Decode([]byte) error                 { return errors.ErrUnsupported }
func (r raw) Encode(dst []byte) ([]byte, error) { return append(dst, r...), nil }

// echo makes a call whose answer shows whose it is. It returns a *wrong for another call's answer.
func echo(ctx context.Context, db *DB, i int) error {
	want := fmt.Sprint("answer ", i)
	var got string
	if err := db.QueryRow(ctx, "select $1::text", want).Scan(&got); err != nil {
		return err
	}
	if got != want {
		return wrongf("asked for %q, got %q", want, got)
	}
	return nil
}

// spoilOne makes a server read n statements before it answers the first one, so that all are under
// way. Then it spoils the answer to the second one. Later connections are honest.
func spoilOne(n int, spoil func(honest []pgproto3.BackendMessage) []pgproto3.BackendMessage) func(*hostileConn, []pgproto3.BackendMessage) []pgproto3.BackendMessage {
	var held []pgproto3.BackendMessage
	return func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage {
		if c.number > 0 {
			return honest
		}
		if c.answered == 1 {
			honest = spoil(honest)
		}
		held = append(held, honest...)
		if c.answered < n-1 {
			return nil
		}
		all := held
		held = nil
		return all
	}
}

// requireNoOthers checks that each caller has its own answer, or an error about a lost connection
// or a faulty answer. It returns the errors.
func requireNoOthers(t *testing.T, errs []error) (failed []error) {
	t.Helper()
	for _, err := range errs {
		var other *wrong
		require.False(t, errors.As(err, &other), "%v", err)
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// An honest answer is understood, so that the tests below mean something.
func TestHostileServerCanBeHonest(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, mode := range []string{"exec", "cache_statement", "cache_describe", "describe_exec"} {
			db := openHostile(t, &hostile{}, "&default_query_exec_mode="+mode)
			for range 2 {
				require.Empty(t, requireNoOthers(t, c.together(ctx, 16, func(ctx context.Context, i int) error { return echo(ctx, db, i) })), mode)
			}
			require.EqualValues(t, 1, db.Stats().Connects)
		}
	})
}

// A pooler gives the backend away at the first ReadyForQuery, and loses what was sent after that.
// Its callers wait until their contexts end, or the driver gives the lane up, and no longer.
func TestServerThatAnswersOnlyUntilTheFirstReadyForQuery(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		const n = 6
		var first []pgproto3.BackendMessage
		db := openHostile(t, &hostile{answer: func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage {
			switch {
			case c.number > 0:
				return honest
			case c.answered == 0:
				first = honest
			case c.answered == n-1:
				return first
			}
			return nil
		}}, "&default_query_exec_mode=exec&cancel_timeout=500ms")
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		failed := requireNoOthers(t, c.together(limited, n, func(ctx context.Context, i int) error {
			err := echo(ctx, db, i)
			if err == nil {
				cancel() // as a deadline does
			}
			return err
		}))
		require.Less(t, len(failed), n, "the first one is answered")
		for _, err := range failed {
			require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, ErrConnLost), "%v", err)
		}
		until(t, ctx, "another connection", func() bool { return echo(ctx, db, n) == nil })
	})
}

// A server sends more than one answer for each Sync, or less. The driver gives the connection up,
// and no answer goes to another caller. Only a complete answer that is missing, or one too many,
// can't be told from the next one: the protocol has no numbers.
func TestAnswersThatDisagreeWithTheQueue(t *testing.T) {
	type messages = []pgproto3.BackendMessage
	for name, spoil := range map[string]func(messages) messages{
		"two errors": func(messages) messages { return messages{errorOf("42601"), errorOf("42601"), ready} },
		"two errors, the second one after a BindComplete": func(messages) messages {
			return messages{errorOf("42601"), &pgproto3.BindComplete{}, errorOf("34000"), ready}
		},
		"no skip until Sync": func(honest messages) messages { return append(messages{errorOf("42601")}, honest...) },
		"CloseComplete after an error": func(messages) messages {
			return messages{errorOf("42601"), &pgproto3.CloseComplete{}, ready}
		},
		"ReadyForQuery at the error and at Sync": func(messages) messages { return messages{errorOf("42601"), ready, ready} },
		"two ReadyForQuery":                      func(honest messages) messages { return append(honest, ready) },
		"an answer without ReadyForQuery":        func(honest messages) messages { return honest[:len(honest)-1] },
		"ReadyForQuery alone":                    func(messages) messages { return messages{ready} },
		"two CommandComplete": func(honest messages) messages {
			return append(honest[:len(honest)-1:len(honest)-1], &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, ready)
		},
		"an answer cut short": func(honest messages) messages { return append(honest[:2:2], ready) },
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				const n = 5
				db := openHostile(t, &hostile{answer: spoilOne(n, spoil)}, "&default_query_exec_mode=exec")
				failed := requireNoOthers(t, c.together(ctx, n, func(ctx context.Context, i int) error { return echo(ctx, db, i) }))
				require.Less(t, len(failed), n, "the first one is answered")
				lost := false
				for _, err := range failed {
					lost = lost || errors.Is(err, ErrConnLost) && errors.Is(err, ErrProtocol)
				}
				require.True(t, lost, "%v", failed)
				require.NoError(t, echo(ctx, db, n), "over another connection")
			})
		})
	}
}

// An answer that is held back beyond its caller's deadline, and then comes byte by byte, still goes
// to its own call.
func TestAnswersThatAreFlushedLate(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		flush := make(chan struct{})
		const n = 4
		first := true
		db := openHostile(t, &hostile{answer: func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage {
			if first {
				first = false
				<-flush
			}
			var b []byte
			for _, m := range honest {
				b, _ = m.Encode(b)
			}
			for _, one := range b {
				if _, err := c.Write([]byte{one}); err != nil {
					break
				}
			}
			return nil
		}}, "&default_query_exec_mode=exec")
		limited, cancel := context.WithCancel(ctx)
		gone := c.start(limited, func(ctx context.Context) error { return echo(ctx, db, n) })
		until(t, ctx, "the first", func() bool { return db.written() == 1 })
		var others []func() error
		for i := range n {
			others = append(others, c.start(ctx, func(ctx context.Context) error { return echo(ctx, db, i) }))
		}
		until(t, ctx, "the others", func() bool { return db.written() == n+1 })
		cancel()
		require.ErrorIs(t, gone(), context.Canceled)
		close(flush)
		for _, wait := range others {
			require.NoError(t, wait())
		}
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// A pooler executes DISCARD ALL between statements, or loses a Parse: the prepared statements are
// gone. The driver prepares the statement again. A caller to whom that happens several times gets
// an error, and never another's answer.
func TestServerThatForgetsWhatIsPrepared(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, often := range []bool{false, true} {
			db := openHostile(t, &hostile{answer: func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage {
				if c.answered == 30 || often && c.answered%7 == 6 {
					clear(c.statements)
				}
				return honest
			}}, "")
			for _, err := range c.together(ctx, 16, func(ctx context.Context, i int) error {
				for k := range 10 {
					if err := echo(ctx, db, 100*i+k); err != nil && !(often && codeOf(err) == "26000") {
						return err
					}
				}
				return nil
			}) {
				require.NoError(t, err)
			}
			require.NotZero(t, db.Stats().Reprepared)
			require.EqualValues(t, 1, db.Stats().Connects)
		}
	})
}

// A pooler says at a wrong place that a statement is closed. No caller has asked for that.
func TestCloseCompleteMayComeAtAnotherPlace(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		closes := 0
		db := openHostile(t, &hostile{answer: func(_ *hostileConn, honest []pgproto3.BackendMessage) (moved []pgproto3.BackendMessage) {
			var closed []pgproto3.BackendMessage
			for _, m := range honest {
				switch m.(type) {
				case *pgproto3.CloseComplete:
					closed = append(closed, m)
				case *pgproto3.ReadyForQuery:
					moved = append(append(moved, closed...), m)
				default:
					moved = append(moved, m)
				}
			}
			closes += len(closed)
			return moved
		}}, "&statement_cache_capacity=2")
		for i := range 20 {
			want, got := fmt.Sprint("answer ", i), ""
			require.NoError(t, db.QueryRow(ctx, fmt.Sprintf("select $1::text /* %d */", i%5), want).Scan(&got))
			require.Equal(t, want, got)
		}
		require.EqualValues(t, 1, db.Stats().Connects)
		require.NoError(t, db.Close(ctx))
		require.Greater(t, closes, 20)
	})
}

// Without pipelining, a missing answer makes the caller wait, and doesn't give it the next answer.
func TestAMissingAnswerWithoutPipelining(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		swallowed := make(chan struct{}, 1)
		db := openHostile(t, &hostile{answer: func(c *hostileConn, honest []pgproto3.BackendMessage) []pgproto3.BackendMessage {
			if c.number == 0 && c.answered == 1 {
				swallowed <- struct{}{}
				return nil
			}
			return honest
		}}, "&pipeline=off&pool_sessions=1&cancel_timeout=500ms&default_query_exec_mode=exec")
		require.NoError(t, echo(ctx, db, 0))
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		wait := c.start(limited, func(ctx context.Context) error { return echo(ctx, db, 1) })
		until(t, ctx, "it to be swallowed", func() bool { return len(swallowed) > 0 })
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		for _, err := range c.together(ctx, 5, func(ctx context.Context, i int) error { return echo(ctx, db, 2+i) }) {
			require.NoError(t, err)
		}
	})
}
