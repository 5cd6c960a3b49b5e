package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// leftovers is a query that shows what is left on a connection to PostgreSQL; it is empty if
// nothing is.
const leftovers = `select concat_ws(' ',
	nullif(session_user || ' ' || current_user, 'repaint repaint'),
	nullif(current_setting('work_mem'), '4MB'), nullif(current_setting('TimeZone'), :zone),
	nullif((select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), 0),
	nullif((select count(*) from pg_class where relnamespace = pg_my_temp_schema()), 0),
	nullif((select count(*) from pg_cursors where name like 'c%'), 0),
	(select string_agg(c, '') from pg_listening_channels() c),
	nullif((select count(*) from pg_prepared_statements where from_sql), 0))`

// PostgresLeftovers tests that a connection is clean for its next user, whatever the last user has
// done. The pool of the Engine has one connection. reports says whether the driver sees the
// server's reports of changed settings.
func PostgresLeftovers(t *testing.T, ctx context.Context, e *db.Engine, reports bool) {
	Exec(t, ctx, e, `do $$ begin create role low; exception when duplicate_object or unique_violation then null; end $$`,
		`create procedure leave() language plpgsql as $$ begin perform set_config('role', 'low', false), pg_advisory_lock(2); end $$`,
		`create function leave(name text, value text) returns text language plpgsql as
			$$ begin perform pg_advisory_lock(3); return set_config(name, value, false); end $$`)
	zone, err := db.Scalar[string](ctx, e, "show timezone")
	require.NoError(t, err)
	clean := func(what string) {
		t.Helper()
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		left, err := db.Scalar[string](ctx, conn, leftovers, db.Named("zone", zone))
		require.NoError(t, err)
		require.Empty(t, left, what)
		require.NoError(t, conn.Close())
	}
	clean("nothing")
	shown := []string{
		"set role low", "set session authorization low", "select set_config('role', 'low', false)", "select set_config('work_mem', '8MB', false)",
		"do $$ begin set role low; end $$", "do $$ begin perform set_config('work_mem', '8MB', false); end $$", "call leave()",
		"select pg_advisory_lock(1)", "select 1 where pg_try_advisory_lock(1)", "do $$ begin perform pg_advisory_lock_shared(1); end $$",
		"create temp table c1 (a int)", "create table pg_temp.c2 (a int)", "select 1 as a into temp c3", "do $$ begin create temp table c4 (a int); end $$",
		"explain analyze create temp table c5 as select 1", "declare c cursor with hold for select 1", "listen news", "prepare p as select 1",
		"do $$ begin execute 'listen news'; execute 'prepare p as select 1'; end $$",
	}
	if reports {
		shown = append(shown, "select leave('timezone', 'Asia/Tokyo')")
	}
	for _, text := range shown {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		Exec(t, ctx, conn, text)
		require.NoError(t, conn.Close())
		clean("Conn: " + text)

		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, text)
			return err
		}), text)
		clean("Begin: " + text)

		Exec(t, ctx, e, text+"; select 1") // a script takes a connection of the pool
		clean("Engine: " + text)
	}
	// No text shows what a function leaves behind. A Conn is reset all the same.
	for _, text := range []string{"select leave('role', 'low')", "select leave('work_mem', '8MB')", "select leave('timezone', 'Asia/Tokyo')"} {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		Exec(t, ctx, conn, text)
		require.NoError(t, conn.Close())
		clean(text)
	}
}

// CheckLeftovers tests that statements leave behind on connections what a section of
// docs/leftovers.md says. The pools of the Engines have one connection each. look shows what there
// is on a connection, and tidy removes what the statements leave in the database.
func CheckLeftovers(t *testing.T, ctx context.Context, e *db.Engine, section string,
	look func(ctx context.Context, q db.Querier) (string, error), tidy ...string) {
	t.Helper()
	conn := func(ctx context.Context, fn func(ctx context.Context, q db.Querier) error) error {
		c, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		return errors.Join(fn(ctx, c), c.Close())
	}
	tx := func(ctx context.Context, fn func(ctx context.Context, q db.Querier) error) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return fn(ctx, tx) })
	}
	engine := func(ctx context.Context, fn func(ctx context.Context, q db.Querier) error) error { return fn(ctx, e) }
	seen := func() (both [2]string) {
		for i, with := range []func(context.Context, func(context.Context, db.Querier) error) error{conn, tx} {
			require.NoError(t, with(ctx, func(ctx context.Context, q db.Querier) (err error) {
				both[i], err = look(ctx, q)
				return err
			}))
		}
		return both
	}
	rows := leftoversOf(t, section)
	require.NotEmpty(t, rows)
	clean := seen()
	for _, row := range rows {
		for i, with := range []func(context.Context, func(context.Context, db.Querier) error) error{conn, tx, engine} {
			before := seen()
			for before != clean { // the server takes its time to release what a closed connection held, such as a lock
				before = seen()
			}
			connects := e.Stats().Connects
			err := with(ctx, func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, row.sql)
				return err
			})
			after, got := seen(), "nothing"
			var own *db.Error
			switch {
			case e.Stats().Connects > connects:
				got = "closed"
			case after != before:
				got = "stays"
				e.Invalidate()
			case errors.As(err, &own) && errors.Is(err, db.ErrMisuse):
				got, err = "refused", nil
			}
			where := fmt.Sprintf("%s, %d", row.sql, i)
			require.Equal(t, row.want[i], got, "%s: %v", where, err)
			require.NoError(t, err, where)
			Exec(t, ctx, e, tidy...)
		}
	}
}

type leftover struct {
	sql  string
	want [3]string
}

func leftoversOf(t *testing.T, section string) (rows []leftover) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "leftovers.md"))
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(doc), "## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		code, ok := strings.CutPrefix(cells[0], "| `")
		if !ok {
			continue
		}
		require.Len(t, cells, 4, line)
		quote := "`"
		if more, ok := strings.CutPrefix(code, "` "); ok {
			code, quote = more, " ``"
		}
		row := leftover{want: [3]string{cells[1], cells[2], strings.TrimSuffix(cells[3], " |")}}
		row.sql, _, _ = strings.Cut(code, quote)
		rows = append(rows, row)
	}
	return rows
}
