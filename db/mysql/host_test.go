package mysql

import (
	"context"
	"database/sql/driver"
	"net"
	"testing"

	mysql "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestAServerThatTakesNoExpressionForItsModeIsAskedForIt(t *testing.T) {
	ctx := t.Context()
	u, err := db.ParseURL(testserver.MariaDB(t).Database(t).URL())
	require.NoError(t, err)
	for i, expression := range []string{"no_such_function(@@sql_mode)", "concat(", "(select 1 from no_such_table)"} {
		_, hosts, err := configure(u)
		require.NoError(t, err)
		cfg := hosts[0]
		usual, err := newHost(cfg)
		require.NoError(t, err)
		want := modeOf(t, ctx, usual)
		cfg.Params["sql_mode"] = expression
		h, err := newHost(cfg)
		require.NoError(t, err)
		for range 2 {
			if i == 2 { // this error says nothing about expressions
				_, err := h.Connect(ctx)
				require.ErrorContains(t, err, "no_such_table")
				require.False(t, h.refuses.Load())
				continue
			}
			require.Equal(t, want, modeOf(t, ctx, h), expression)
			require.True(t, h.refuses.Load(), "it isn't tried each time")
		}
	}
}

func modeOf(t *testing.T, ctx context.Context, h *host) string {
	c, err := h.Connect(ctx)
	require.NoError(t, err)
	rows, err := c.(blocking).QueryContext(ctx, "select @@sql_mode", nil)
	require.NoError(t, err)
	value := make([]driver.Value, 1)
	require.NoError(t, rows.Next(value))
	require.NoError(t, rows.Close())
	require.NoError(t, c.Close())
	return string(value[0].([]byte))
}

func TestAServerThatRefusesTheUserIsAskedOnce(t *testing.T) {
	u, err := db.ParseURL(testserver.MariaDB(t).Database(t).URL())
	require.NoError(t, err)
	u.User, u.Password = "stranger", "wrong"
	_, hosts, err := configure(u)
	require.NoError(t, err)
	dials := 0
	cfg := hosts[0]
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials++
		return dial(ctx, network, addr)
	}
	h, err := newHost(cfg)
	require.NoError(t, err)
	_, err = h.Connect(t.Context())
	var refused *mysql.MySQLError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 1, dials)
}

func TestTheModeIsStrictAndLeavesLiteralsAlone(t *testing.T) {
	for current, want := range map[string]string{
		"":                         "STRICT_ALL_TABLES",
		"ANSI_QUOTES,ONLY_X":       "ONLY_X,STRICT_ALL_TABLES",
		"A,NO_BACKSLASH_ESCAPES,B": "A,B,STRICT_ALL_TABLES",
		"A,x'; drop table t":       "A,STRICT_ALL_TABLES",
	} {
		require.Equal(t, want, strictOf(current))
	}
}
