package pg

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// errorAfterRefusal is a connection whose server sends a second error after one that refuses a
// write, as some poolers do.
type errorAfterRefusal struct {
	net.Conn
	in      *bufio.Reader
	refused bool
	out     []byte // for the client
}

// Read implements net.Conn. A deadline may end it within a message, which stays in the buffer.
func (c *errorAfterRefusal) Read(p []byte) (int, error) {
	if len(c.out) == 0 {
		header, err := c.in.Peek(5)
		if err != nil {
			return 0, err
		}
		kind, size := header[0], 1+int(binary.BigEndian.Uint32(header[1:]))
		message, err := c.in.Peek(size)
		if err != nil {
			return 0, err
		}
		if kind == 'Z' && c.refused {
			second := pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "one more"}
			if c.out, err = second.Encode(nil); err != nil {
				return 0, err
			}
		}
		c.refused = kind == 'E' && bytes.Contains(message, []byte(refusedWrite))
		c.out = append(c.out, message...)
		if _, err := c.in.Discard(size); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// A refused write on a lent connection counts, whatever other errors come before the server is
// ready again: the connection leads to no primary.
func TestALentConnRemembersARefusedWriteUntilItIsReady(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		config, err := ParseConfig(databaseURL(t) + "&target_session_attrs=read-write&pool_sessions=1")
		require.NoError(t, err)
		dial := config.Conn.DialFunc
		config.Conn.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &errorAfterRefusal{Conn: c, in: bufio.NewReader(c)}, nil
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		pid := func(statements ...string) (pid uint32, codes []string) {
			require.NoError(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
				pid = conn.PgConn().PID()
				for _, text := range statements {
					_, err := conn.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
					codes = append(codes, codeOf(err))
				}
				return nil
			}))
			return pid, codes
		}
		first, codes := pid("begin read only", "create table t ()", "rollback")
		require.Equal(t, []string{"", "XX000", ""}, codes, "the last error is the one that pgx returns")
		next, _ := pid()
		require.NotEqual(t, first, next, "the connection was replaced")
	})
}
