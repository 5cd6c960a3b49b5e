package stdlibtest

import (
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// pgx's driver for database/sql states some causes only in the error's text. One place reads that
// text.
func TestEncodeErrorsOfPgx(t *testing.T) {
	pool, err := sql.Open("pgx", testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer func() { require.NoError(t, pool.Close()) }()
	_, err = pool.Exec("select $1::int4, $2::int2", 1, 70000)
	e, ok := pg.AsEncodeError(err)
	require.True(t, ok, err)
	require.Equal(t, pg.EncodeError{Arg: 1, OID: pgtype.Int2OID, Type: "int2", Err: err}, *e)
	_, err = pool.Exec("select $1::int4, $2::int2", 1, true)
	e, ok = pg.AsEncodeError(err)
	require.True(t, ok, err)
	require.True(t, e.Unsuitable)
	_, ok = pg.AsEncodeError(sql.ErrNoRows)
	require.False(t, ok)
}
