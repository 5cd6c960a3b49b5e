package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// A scripted server lets clients in. When a client has sent anything, the server sends it the
// test's script, and closes the connection.
type scripted struct {
	say []byte
	wg  sync.WaitGroup

	mu      sync.Mutex
	stopped bool // wg only counts down from then on
}

// dial is the client's way to the server. pgx asks for a cancel in a goroutine of its own when it
// gives up a connection that it is opening, so that a call can come as late as it likes.
func (s *scripted) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, net.ErrClosed
	}
	client, server := net.Pipe()
	s.wg.Go(func() {
		defer server.Close()
		s.serve(server)
	})
	return client, nil
}

func (s *scripted) serve(conn net.Conn) {
	b := pgproto3.NewBackend(conn, conn)
	m, err := b.ReceiveStartupMessage()
	if _, ok := m.(*pgproto3.StartupMessage); err != nil || !ok {
		return // a request to cancel
	}
	for _, m := range []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}}, &pgproto3.ReadyForQuery{TxStatus: 'I'}} {
		b.Send(m)
	}
	if b.Flush() != nil {
		return
	}
	if _, err := b.Receive(); err != nil {
		return
	}
	s.wg.Go(func() { _, _ = io.Copy(io.Discard, conn) }) // the client's writing doesn't block
	_, _ = conn.Write(s.say)
}

// stop refuses further connections, and waits for the ends of the others.
func (s *scripted) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.wg.Wait()
}

// messages are the messages that a scripted server sends for the bytes 0, 1, 2 … of its script.
var messages = []pgproto3.BackendMessage{
	&pgproto3.ParseComplete{},
	&pgproto3.BindComplete{},
	&pgproto3.CloseComplete{},
	&pgproto3.ParameterDescription{ParameterOIDs: []uint32{23}},
	&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 23, DataTypeSize: 4, Format: 1}}},
	&pgproto3.NoData{},
	&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 42}}},
	&pgproto3.DataRow{Values: [][]byte{nil, {1}, {}}},
	&pgproto3.DataRow{},
	&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
	&pgproto3.CommandComplete{CommandTag: []byte("SET")},
	&pgproto3.EmptyQueryResponse{},
	&pgproto3.PortalSuspended{},
	&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "no"},
	&pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "cancelled"},
	&pgproto3.ErrorResponse{Severity: "ERROR", Code: "0A000", Message: "stale"},
	&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "going"},
	&pgproto3.NoticeResponse{Severity: "NOTICE", Message: "by the way"},
	&pgproto3.NotificationResponse{PID: 1, Channel: "c", Payload: "p"},
	&pgproto3.ParameterStatus{Name: "a", Value: "b"},
	&pgproto3.CopyInResponse{},
	&pgproto3.CopyOutResponse{},
	&pgproto3.CopyData{Data: []byte("x")},
	&pgproto3.CopyDone{},
	&pgproto3.AuthenticationOk{},
	&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}},
	&pgproto3.ReadyForQuery{TxStatus: 'I'},
	&pgproto3.ReadyForQuery{TxStatus: 'I'},
	&pgproto3.ReadyForQuery{TxStatus: 'T'},
	&pgproto3.ReadyForQuery{TxStatus: 'E'},
	&pgproto3.ReadyForQuery{TxStatus: 'X'},
}

// script makes messages of small bytes and leaves the others as they are.
func script(t testing.TB, ops []byte) []byte {
	var b []byte
	for _, op := range ops {
		if int(op) >= len(messages) {
			b = append(b, op)
			continue
		}
		var err error
		b, err = messages[op].Encode(b)
		require.NoError(t, err)
	}
	return b
}

// calls are ways to talk to a server.
var calls = []func(ctx context.Context, db *DB) error{
	func(ctx context.Context, db *DB) error { _, err := db.Exec(ctx, "select 1"); return err },
	func(ctx context.Context, db *DB) error { _, err := db.Exec(ctx, "select 1; select 2"); return err },
	func(ctx context.Context, db *DB) error { return db.QueryRow(ctx, "select $1::int", 42).Scan(new(int)) },
	func(ctx context.Context, db *DB) error {
		b := new(pgx.Batch)
		b.Queue("select 1")
		b.Queue("select 2")
		return db.SendBatch(ctx, b).Close()
	},
	func(ctx context.Context, db *DB) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, "select 1"); return err })
	},
	func(ctx context.Context, db *DB) error {
		return db.QueryRow(ctx, "select $1::int", pgx.QueryExecModeExec, 42).Scan(new(int))
	},
}

// hear makes calls to a scripted server, all at once, and returns their errors. The last error is
// about the whole: something hangs, or can't be closed.
func hear(say []byte, calls ...func(ctx context.Context, db *DB) error) ([]error, error) {
	server := &scripted{say: say}
	config, err := ParseConfig("postgres://me:secret@nowhere/db?sslmode=disable&pool_lanes=2&pool_sessions=2")
	if err != nil {
		return nil, err
	}
	config.Conn.DialFunc = server.dial
	config.Conn.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	config.Conn.MaxProtocolMessageBodyLen = 1 << 20
	db, err := OpenConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	errs := colour{}.together(ctx, len(calls), func(ctx context.Context, i int) error { return calls[i](ctx, db) })
	err = errors.Join(ctx.Err(), db.Close(ctx))
	server.stop()
	return errs, err
}

// A server that keeps to the protocol is understood, so that the tests below mean something.
func TestScriptedServerCanAnswer(t *testing.T) {
	leakcheck.Test(t)
	for call, ops := range map[int][]byte{0: {0, 1, 9, 26}, 1: {9, 17, 9, 26}, 5: {19, 0, 1, 4, 6, 18, 9, 26}} {
		errs, err := hear(script(t, ops), calls[call])
		require.NoError(t, err)
		require.NoError(t, errs[0])
	}
}

// Whatever a server sends, every caller gets an answer or an error, and nothing is left.
func TestGarbageIsAnErrorForEverybody(t *testing.T) {
	leakcheck.Test(t)
	seed := rand.Uint64()
	for i, err := range new(colour).together(t.Context(), 20, func(_ context.Context, i int) error {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		for range 10 {
			ops := make([]byte, random.IntN(16))
			for i := range ops {
				ops[i] = byte(random.IntN(len(messages)))
				if random.IntN(20) == 0 {
					ops[i] = byte(random.IntN(256))
				}
			}
			if _, err := hear(script(t, ops), calls[len(ops)%len(calls)]); err != nil {
				return fmt.Errorf("%v: %w", ops, err)
			}
		}
		return nil
	}) {
		require.NoError(t, err, "seed %d, %d", seed, i)
	}
}

func TestUnexpectedMessagesAreNamed(t *testing.T) {
	for _, ops := range [][]byte{{6}, {0, 0}, {1, 1}, {12}, {20}, {0, 1, 9, 9}, {26}, {0, 1, 26}, {13, 13}, {13, 6}} {
		errs, err := hear(script(t, ops), calls[0])
		require.NoError(t, err)
		require.ErrorIs(t, errs[0], ErrConnLost, ops)
		require.ErrorIs(t, errs[0], ErrProtocol, ops)
	}
	errs, err := hear(bytes.Repeat([]byte{255}, 30), calls[0])
	require.NoError(t, err)
	require.ErrorIs(t, errs[0], ErrConnLost)
}

func FuzzServer(f *testing.F) {
	for _, ops := range [][]byte{{0, 1, 9, 26}, {0, 3, 4, 26}, {0, 3, 5, 26, 0, 1, 9, 26}, {13, 26}, {16}, {9, 28}, {'Z', 0, 0, 0, 5, 'I'}, {'D', 255, 255, 255, 255}} {
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		_, err := hear(script(t, ops), calls[len(ops)%len(calls)])
		require.NoError(t, err)
	})
}
