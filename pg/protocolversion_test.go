package pg

import (
	"bytes"
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// keyOf returns the cancel key of the connection of a session.
func keyOf(s *Session) []byte {
	o := s.s.session()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.conns[0].w.shadow.SecretKey()
}

// Version 3.2 of the protocol has longer cancel keys. Servers before PostgreSQL 18 answer that they
// only know 3.0. In each case cancels arrive, even those of a lent conn.
func TestEachVersionOfTheProtocolIsCancelled(t *testing.T) {
	major := testserver.Postgres(t).Major()
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for options, length := range map[string]int{"": 4, "&max_protocol_version=3.0": 4, "&max_protocol_version=3.2": 32, "&max_protocol_version=latest": 32} {
			if major < 18 {
				length = 4
			}
			db, target := open(t, "&pool_lanes=1&pool_sessions=1"+options)
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			require.NoError(t, s.Ping(ctx))
			require.Len(t, keyOf(s), length, options)
			pid := s.PID()
			for name, call := range map[string]func(ctx context.Context) error{
				"a lane":    func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(60)"); return err },
				"a Reader":  func(ctx context.Context) error { _, err := db.Reader().Exec(ctx, "select pg_sleep(60)"); return err },
				"a session": func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(60)"); return err },
			} {
				limited, cancel := context.WithCancel(ctx)
				wait := c.start(limited, call)
				running(t, ctx, target, "pg_sleep(60)")
				cancel()
				require.ErrorIs(t, wait(), context.Canceled, name)
				until(t, ctx, "the end of the statement on "+name, func() bool {
					return target.MustQuery(t, "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(60)' and pid <> pg_backend_pid()") == "0"
				})
			}
			require.NoError(t, s.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
				require.Equal(t, keyOf(s), conn.PgConn().SecretKey())
				wait := c.start(ctx, func(ctx context.Context) error {
					running(t, ctx, target, "pg_sleep(61)")
					return conn.PgConn().CancelRequest(ctx)
				})
				_, err := conn.Exec(ctx, "select pg_sleep(61)")
				require.ErrorContains(t, err, "57014")
				return wait()
			}))
			require.NoError(t, s.Ping(ctx))
			require.Equal(t, pid, s.PID(), "the same connection")
		}
	})
}

func TestAServerThatIsTooOldForTheProtocolIsRefused(t *testing.T) {
	if testserver.Postgres(t).Major() >= 18 {
		t.Skip("this server knows version 3.2")
	}
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&min_protocol_version=3.2")
		_, err := db.Exec(ctx, "select 1")
		var e *ConnectError
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, "protocol")
	})
}

// A server may say anything about the protocol before it authenticates, and its keys may have any
// length.
func TestHostileNegotiation(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for name, one := range map[string]struct {
			say []pgproto3.BackendMessage
			key int
			ok  bool
		}{
			"a key of 32 bytes":                    {key: 32, ok: true},
			"a key of 256 bytes":                   {key: 256, ok: true},
			"an empty key":                         {key: 0},
			"an older version":                     {say: []pgproto3.BackendMessage{&pgproto3.NegotiateProtocolVersion{}}, key: 4, ok: true},
			"a newer version":                      {say: []pgproto3.BackendMessage{&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: 99}}, key: 4, ok: true},
			"options that weren't asked for":       {say: []pgproto3.BackendMessage{&pgproto3.NegotiateProtocolVersion{UnrecognizedOptions: []string{"_pq_.x"}}}, key: 4, ok: true},
			"a count of options that doesn't fit":  {say: []pgproto3.BackendMessage{raw("v\x00\x00\x00\x0c\x00\x00\x00\x00\x7f\xff\xff\xff")}, key: 4},
			"a negotiation without its end":        {say: []pgproto3.BackendMessage{raw("v\x00\x00\x00\x06\x00\x00")}, key: 4},
			"a length of 2^31 of the negotiation":  {say: []pgproto3.BackendMessage{raw("v\x7f\xff\xff\xff\x00\x00")}, key: 4},
			"the end of a key is missing":          {say: []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, raw("K\x00\x00\x00\x06\x00\x00")}, key: 4},
			"the key has a length of 2^31":         {say: []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, raw("K\x7f\xff\xff\xff\x00\x00")}, key: 4},
			"the key comes twice, and longer then": {say: []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{ProcessID: 9, SecretKey: make([]byte, 4)}}, key: 32, ok: true},
		} {
			db := openHostile(t, &hostile{key: bytes.Repeat([]byte{7}, one.key), enter: func(b *pgproto3.Backend) error {
				for _, m := range one.say {
					b.Send(m)
				}
				return b.Flush()
			}}, "&max_protocol_version=3.2&connect_timeout=2")
			err := echo(ctx, db, 1)
			if one.ok {
				require.NoError(t, err, name)
				continue
			}
			var e *ConnectError
			require.ErrorAs(t, err, &e, name)
		}
	})
}
