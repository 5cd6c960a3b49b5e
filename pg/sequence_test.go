package pg

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// PostgreSQL tests the pipelines of its own client by the sequences of messages
// (src/test/modules/libpq_pipeline). Here this driver makes the same exchanges. The differences are
// on purpose:
//
//   - Each statement has a Sync of its own, where libpq's user says when there is one. A batch is
//     what has one Sync for several.
//   - There is never a Flush.
//   - A statement that Exec runs without arguments isn't described, because no caller wants its rows.
//     Several in one text are a Query message.
//   - BEGIN travels with the first statement of its transaction.
//
// A line is a segment, or the answer to one.

const one = "parse bind describe-portal execute "

var sequences = []struct {
	name    string // the name of libpq's test
	options string
	session bool // it uses a session; other cases run on the lane
	do      func(t *testing.T, ctx context.Context, c colour, db *DB)
	client  []string
	server  []string
}{
	{
		name: "simple_pipeline", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			require.NoError(t, db.QueryRow(ctx, "select $1", 1).Scan(new(string)))
		},
		client: []string{one + "sync"},
		server: []string{"parsed bound columns row done:SELECT_1 ready:I"},
	},
	{
		name: "multi_pipelines", options: "&default_query_exec_mode=exec",
		do:     together(3, "select $1"),
		client: []string{one + "sync", one + "sync", one + "sync"},
		server: []string{
			"parsed bound columns row done:SELECT_1 ready:I",
			"parsed bound columns row done:SELECT_1 ready:I",
			"parsed bound columns row done:SELECT_1 ready:I",
		},
	},
	{
		// In libpq's test, one Flush makes the server answer ten statements without a Sync.
		name: "nosync", options: "&default_query_exec_mode=exec",
		do:     together(10, "select repeat('xyzxz', 12)"),
		client: repeated(10, one+"sync"),
		server: repeated(10, "parsed bound columns row done:SELECT_1 ready:I"),
	},
	{
		name: "pipeline_abort: what is behind a failure, up to the Sync", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			b := new(pgx.Batch)
			b.Queue("insert into demo (itemno) values ($1)", 1)
			b.Queue("select no_such_function($1)", 1)
			b.Queue("insert into demo (itemno) values ($1)", 2)
			require.ErrorContains(t, db.SendBatch(ctx, b).Close(), "42883")
			_, err := db.Exec(ctx, "insert into demo (itemno) values ($1)", 3)
			require.NoError(t, err)
			require.Equal(t, []int{3}, items(t, ctx, db))
		},
		client: []string{one + one + one + "sync", "parse bind execute sync", one + "sync"},
		server: []string{
			"parsed bound no-columns done:INSERT_0_1 error:42883 ready:I",
			"parsed bound done:INSERT_0_1 ready:I",
			"parsed bound columns row done:SELECT_1 ready:I",
		},
	},
	{
		name: "pipeline_abort: several commands in one statement", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			require.ErrorContains(t, db.QueryRow(ctx, "select 1; select 2").Scan(new(int)), "42601")
			_, err := db.Exec(ctx, "select 1; select 2")
			require.NoError(t, err)
		},
		client: []string{one + "sync", "query"},
		server: []string{"error:42601 ready:I", "columns row done:SELECT_1 columns row done:SELECT_1 ready:I"},
	},
	{
		name: "pipeline_abort: an error behind rows", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			rows, err := db.Query(ctx, "select 1.0/g from generate_series(3, -1, -1) g")
			require.ErrorContains(t, err, "22012")
			require.False(t, rows.Next(), "a result is whole, or there is none")
		},
		client: []string{one + "sync"},
		server: []string{"parsed bound columns row row row error:22012 ready:I"},
	},
	{
		name: "pipeline_abort: an error behind rows that are streamed", options: "&default_query_exec_mode=exec", session: true,
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			rows, err := db.Stream(ctx, "select 1.0/g from generate_series(3, -1, -1) g")
			require.NoError(t, err)
			n := 0
			for rows.Next() {
				n++
			}
			require.Equal(t, 3, n)
			require.ErrorContains(t, rows.Err(), "22012")
		},
		client: []string{one + "sync"},
		server: []string{"parsed bound columns row row row error:22012 ready:I"},
	},
	{
		// There preparing, describing and closing are calls of their own. Here a text is described
		// when it first comes, and prepared with its first use.
		name: "prepared",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			for range 3 {
				var a, b string
				require.NoError(t, db.QueryRow(ctx, "select $1::text, '42', $1::numeric, interval '1 sec'", "7").Scan(&a, &b, nil, nil))
			}
		},
		client: []string{
			"parse describe sync",
			"close:named parse:named describe:named bind:named execute sync",
			"bind:named execute sync",
			"bind:named execute sync",
		},
		server: []string{
			"parsed parameters columns ready:I",
			"closed parsed parameters columns bound row done:SELECT_1 ready:I",
			"bound row done:SELECT_1 ready:I",
			"bound row done:SELECT_1 ready:I",
		},
	},
	{
		name: "prepared: a statement that isn't there any more",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			const sql = "select $1::int"
			require.NoError(t, db.QueryRow(ctx, sql, 1).Scan(new(int)))
			_, err := db.Exec(ctx, "do $$ begin execute 'deallocate all'; end $$")
			require.NoError(t, err)
			require.NoError(t, db.QueryRow(ctx, sql, 1).Scan(new(int)))
		},
		client: []string{
			"parse describe sync",
			"close:named parse:named describe:named bind:named execute sync",
			"parse bind execute sync",
			"bind:named execute sync",
			"parse describe sync",
			"close:named parse:named describe:named bind:named execute sync",
		},
		server: []string{
			"parsed parameters columns ready:I",
			"closed parsed parameters columns bound row done:SELECT_1 ready:I",
			"parsed bound done:DO ready:I",
			"error:26000 ready:I",
			"parsed parameters columns ready:I",
			"closed parsed parameters columns bound row done:SELECT_1 ready:I",
		},
	},
	{
		name: "prepared: a cursor", options: "&default_query_exec_mode=exec", session: true,
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			cursor, err := tx.(*Tx).Cursor(ctx, "select 1")
			require.NoError(t, err)
			rows, err := cursor.Fetch(ctx, 1)
			require.NoError(t, err)
			rows.Close()
			require.NoError(t, cursor.Close(ctx))
			_, err = tx.Exec(ctx, "fetch 1 from gone")
			require.ErrorContains(t, err, "34000")
			require.NoError(t, tx.Rollback(ctx))
		},
		client: []string{
			"parse bind execute parse bind execute sync",
			one + "sync",
			one + "sync",
			"parse bind execute sync",
			"parse bind execute sync",
		},
		server: []string{
			"parsed bound done:BEGIN parsed bound done:DECLARE_CURSOR ready:T",
			"parsed bound columns row done:FETCH_1 ready:T",
			"parsed bound no-columns done:CLOSE_CURSOR ready:T",
			"parsed bound error:34000 ready:E",
			"parsed bound done:ROLLBACK ready:I",
		},
	},
	{
		// A text that can be executed without the simple protocol has the BEGIN with it.
		name: "transaction: the simple protocol", options: "&default_query_exec_mode=simple_protocol&pool_sessions=1", session: true,
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			for _, text := range []string{"select 7", "select 7; select 8"} {
				tx, err := db.Begin(ctx)
				require.NoError(t, err)
				for range 2 {
					var got int
					require.NoError(t, tx.QueryRow(ctx, text).Scan(&got))
					require.Equal(t, 7, got)
				}
				require.NoError(t, tx.Commit(ctx))
			}
		},
		client: []string{
			"parse bind execute " + one + "sync", "query", "query",
			"query", "query", "query", "query",
		},
		server: []string{
			"parsed bound done:BEGIN parsed bound columns row done:SELECT_1 ready:T", "columns row done:SELECT_1 ready:T", "done:COMMIT ready:I",
			"done:BEGIN ready:T", "columns row done:SELECT_1 columns row done:SELECT_1 ready:T",
			"columns row done:SELECT_1 columns row done:SELECT_1 ready:T", "done:COMMIT ready:I",
		},
	},
	{
		name: "transaction", options: "&default_query_exec_mode=exec&pool_sessions=1", session: true,
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "select 0/0")
			require.ErrorContains(t, err, "22012")
			_, err = tx.Exec(ctx, "insert into demo (itemno) values (1)")
			require.ErrorContains(t, err, "25P02")
			require.NoError(t, tx.Rollback(ctx))
			_, err = s.Exec(ctx, "insert into demo (itemno) values (3)")
			require.NoError(t, err)
			require.Equal(t, []int{3}, items(t, ctx, s))
		},
		client: []string{
			"parse bind execute parse bind execute sync",
			"parse bind execute sync", // the server skips nothing here: each statement has its Sync
			"parse bind execute sync",
			"parse bind execute sync",
			one + "sync",
		},
		server: []string{
			"parsed bound done:BEGIN parsed error:22012 ready:E",
			"error:25P02 ready:E",
			"parsed bound done:ROLLBACK ready:I",
			"parsed bound done:INSERT_0_1 ready:I",
			"parsed bound columns row done:SELECT_1 ready:I",
		},
	},
	{
		name: "singlerow", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			b := new(pgx.Batch)
			for last := 44; last <= 46; last++ {
				b.Queue("select generate_series(42, $1)", last)
			}
			require.NoError(t, db.SendBatch(ctx, b).Close())
			require.NoError(t, db.QueryRow(ctx, "select generate_series(0, 0)").Scan(new(int)))
		},
		client: []string{one + one + one + "sync", one + "sync"},
		server: []string{
			"parsed bound columns row row row done:SELECT_3 parsed bound columns row row row row done:SELECT_4 parsed bound columns row row row row row done:SELECT_5 ready:I",
			"parsed bound columns row done:SELECT_1 ready:I",
		},
	},
	{
		name: "uniqviol", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			const sql = "insert into demo (id, itemno) values ($1, $1) returning id"
			b := new(pgx.Batch)
			for _, id := range []int{1, 2, 1, 3} {
				b.Queue(sql, id)
			}
			require.ErrorContains(t, db.SendBatch(ctx, b).Close(), "23505")
			for _, id := range []int{1, 2, 1, 3} {
				err := db.QueryRow(ctx, sql, id).Scan(new(int))
				if pgErr := (*pgconn.PgError)(nil); err != nil {
					require.ErrorAs(t, err, &pgErr)
					require.Equal(t, "23505", pgErr.Code)
				}
			}
			require.Equal(t, []int{1, 2, 3}, items(t, ctx, db), "of the batch nothing, of the others all but one")
		},
		client: []string{one + one + one + one + "sync", one + "sync", one + "sync", one + "sync", one + "sync", one + "sync"},
		server: []string{
			"parsed bound columns row done:INSERT_0_1 parsed bound columns row done:INSERT_0_1 parsed bound columns error:23505 ready:I",
			"parsed bound columns row done:INSERT_0_1 ready:I",
			"parsed bound columns row done:INSERT_0_1 ready:I",
			"parsed bound columns error:23505 ready:I",
			"parsed bound columns row done:INSERT_0_1 ready:I",
			"parsed bound columns row row row done:SELECT_3 ready:I",
		},
	},
	{
		// There a Query message in a pipeline is refused by the client. The server takes it,
		// between two Syncs.
		name: "disallowed_in_pipeline", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			require.NoError(t, db.QueryRow(ctx, "select 1").Scan(new(int)))
			require.NoError(t, db.QueryRow(ctx, "select 1", pgx.QueryExecModeSimpleProtocol).Scan(new(int)))
			require.NoError(t, db.QueryRow(ctx, "select 1").Scan(new(int)))
		},
		client: []string{one + "sync", "query", one + "sync"},
		server: []string{"parsed bound columns row done:SELECT_1 ready:I", "columns row done:SELECT_1 ready:I", "parsed bound columns row done:SELECT_1 ready:I"},
	},
	{
		name: "pipeline_idle: a notice among the answers", options: "&default_query_exec_mode=exec",
		do: func(t *testing.T, ctx context.Context, c colour, db *DB) {
			var unlocked bool
			require.NoError(t, db.QueryRow(ctx, "select pg_catalog.pg_advisory_unlock(1, 1)").Scan(&unlocked))
			require.False(t, unlocked)
		},
		client: []string{one + "sync"},
		server: []string{"parsed bound columns notice:01000 row done:SELECT_1 ready:I"},
	},
}

func TestSequencesOfMessages(t *testing.T) {
	for _, test := range sequences {
		t.Run(test.name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create table demo (id int generated by default as identity primary key, itemno int)")
				tap, tapped := newTap(t, target)
				db, err := Open(tapped.URL() + "&pool_lanes=1" + test.options)
				require.NoError(t, err)
				shown(t, db)
				if !test.session {
					require.NoError(t, db.Ping(ctx)) // now there is a lane
					client, server := tap.take(0)
					require.Equal(t, "query", client)
					require.Equal(t, "emptyqueryresponse ready:I", server)
				}
				test.do(t, ctx, c, db)
				client, server := tap.take(0)
				want := func(lines []string) string { return strings.Join(lines, "\n") }
				if test.session && client != want(test.client) {
					// The statements that make a session ready for the next owner may have been sent already.
					client, server = head(client, len(test.client)), head(server, len(test.server))
				}
				require.Equal(t, want(test.client), client)
				require.Equal(t, want(test.server), server)
				require.NoError(t, db.Close(ctx))
				until(t, ctx, "the end", func() bool {
					client, _ = tap.take(0)
					return strings.HasSuffix(client, "terminate")
				})
			})
		})
	}
}

func head(lines string, n int) string {
	all := strings.Split(lines, "\n")
	return strings.Join(all[:min(n, len(all))], "\n")
}

func repeated(n int, line string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = line
	}
	return all
}

// together runs a text in n callers at once, each with its number if there is a parameter.
func together(n int, sql string) func(t *testing.T, ctx context.Context, c colour, db *DB) {
	return func(t *testing.T, ctx context.Context, c colour, db *DB) {
		for _, err := range c.together(ctx, n, func(ctx context.Context, i int) error {
			var args []any
			if strings.Contains(sql, "$1") {
				args = append(args, i)
			}
			var got string
			if err := db.QueryRow(ctx, sql, args...).Scan(&got); err != nil || args != nil && got != fmt.Sprint(i) {
				return fmt.Errorf("%d: %q %w", i, got, err)
			}
			return nil
		}) {
			require.NoError(t, err)
		}
	}
}

func items(t *testing.T, ctx context.Context, q querier) []int {
	rows, err := q.Query(ctx, "select itemno from demo order by itemno")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return got
}
