package pg

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

// Package sqltext says what single statements do, and tests that.
func TestATextIsAsGraveAsItsGravestStatement(t *testing.T) {
	for _, c := range []struct {
		sql        string
		effects    sqltext.Effects
		cause      string
		statements int
	}{
		{"", 0, "", 0},
		{" ; ;-- nothing\n", 0, "", 0},
		{"select 1;", 0, "", 1},
		{"select 1; select ';begin'", 0, "", 2},
		{"set x to 1; begin; select 1", sqltext.LeavesState | sqltext.ControlsTx, "BEGIN", 3},
		{"begin; set x to 1", sqltext.LeavesState | sqltext.ControlsTx, "BEGIN", 2},
		{"set x to 1; copy t from stdin", sqltext.LeavesState | sqltext.CopiesIn, "COPY FROM STDIN", 2},
		{"select pg_advisory_lock(1); select 1", sqltext.LeavesState, "pg_advisory_lock", 2},
		{"insert into t values (1); call p()", sqltext.CommitsItself, "", 2},
	} {
		v := classify(c.sql)
		unpipelined := sqltext.LeavesState | sqltext.CommitsItself | ofTx | copies
		require.Equal(t, c.effects, v.effects&unpipelined, c.sql)
		require.Equal(t, c.cause, v.cause, c.sql)
		require.Equal(t, c.statements, v.statements, c.sql)
	}
}

func TestTagsTellWhatTheTextDidNot(t *testing.T) {
	for tag, want := range map[string]effects{
		"SET": effectState | effectSetting, "RESET": effectState | effectSetting, "PREPARE": effectState, "DECLARE CURSOR": effectState, "LOAD": effectState,
		"LISTEN": effectState, "UNLISTEN": effectState, "BEGIN": effectState, "START TRANSACTION": effectState, "SAVEPOINT": effectState,
		"DEALLOCATE": effectState | effectSchema, "DISCARD ALL": effectState | effectSetting | effectSchema,
		"CREATE TABLE": effectSchema, "ALTER TABLE": effectSchema | effectAlter, "DROP TABLE": effectSchema | effectDrop,
		"CALL": 0, "DO": 0, "SHOW": 0, "COMMIT PREPARED": 0, "ROLLBACK PREPARED": 0, "VACUUM": 0, "NOTIFY": 0, "MERGE 1": 0, "COPY 5": 0,
		"REFRESH MATERIALIZED VIEW": 0, "SELECT 1": 0, "INSERT 0 1": 0,
	} {
		require.Equal(t, want, effectsOf(pgconn.NewCommandTag(tag)), tag)
	}
}

func TestShorten(t *testing.T) {
	require.Equal(t, "select 1", shorten(" \n select\t\n 1 "))
	long := shorten(strings.Repeat("select ä ", 100))
	require.Less(t, len(long), 120)
	require.True(t, strings.HasSuffix(long, " …"))
}
