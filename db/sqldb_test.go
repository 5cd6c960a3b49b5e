package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// A peer is a sql.DB of the driver itself, on the same database as Engine.SQL.
var peers = map[string]struct {
	open  func(t *testing.T) (url string, peer *sql.DB)
	table string
	rows  []string
	args  string // a query that returns its arguments as columns

	duration string // a query that returns its argument
}{
	"sqlite": {
		open: func(t *testing.T) (string, *sql.DB) {
			file := t.TempDir() + "/peer.db"
			peer, err := sql.Open("sqlite", file)
			require.NoError(t, err)
			return "sqlite:///" + file, peer
		},
		table: "create table v(i integer, r real, t text, b blob, y boolean, d date, m datetime, n numeric(10,2), c varchar(20) not null)",
		rows: []string{
			"insert into v values (1, 2.5, 'text', x'00ff', true, '2024-02-29', '2024-02-29 10:00:00', 1.25, 'c')",
			"insert into v values (null, null, null, null, null, null, null, null, '')",
		},
		args:     "select ?, ?, ?, ?, ?, ?",
		duration: "select ?",
	},
	"postgres": {
		open: func(t *testing.T) (string, *sql.DB) {
			url := testserver.Postgres(t).Database(t).URL()
			p, err := pg.Open(url)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.Close(context.Background())) })
			return url, stdlib.OpenDB(p)
		},
		table: `create table v(i int, s smallint, l bigint, r real, f float8, t text, b bytea, y boolean, d date, m timestamp, z timestamptz,
			n numeric(10,2), c varchar(20) not null, j jsonb, u uuid, a int[], v interval, o oid)`,
		rows: []string{
			`insert into v values (1, 2, 3, 1.5, 2.5, 'text', '\x00ff', true, '2024-02-29', '2024-02-29 10:00', '2024-02-29 10:00+02', 1.25, 'c', '{"a": 1}',
				'00112233-4455-6677-8899-aabbccddeeff', '{1,2}', '1 day', 7)`,
			"insert into v (c, d) values ('', 'infinity')",
		},
		args:     "select $1::text, $2::bigint, $3::float8, $4::boolean, $5::bytea, $6::timestamptz",
		duration: "select $1::bigint",
	},
	"mysql": {
		open: func(t *testing.T) (string, *sql.DB) {
			at := testserver.MariaDB(t).Database(t)
			peer, err := sql.Open("mysql", at.DSN()+"?parseTime=true")
			require.NoError(t, err)
			return at.URL(), peer
		},
		table: `create table v(i int, s smallint, l bigint, u bigint unsigned, r float, f double, t text, b blob, y boolean, d date, m datetime(6), z timestamp null,
			n decimal(10,2), c varchar(20) not null, j json, h time, k bit(8), e enum('a', 'b'))`,
		rows: []string{
			`insert into v values (1, 2, 3, 18446744073709551615, 1.5, 2.5, 'text', x'00ff', true, '2024-02-29', '2024-02-29 10:00:00.5', '2024-02-29 10:00:00', 1.25, 'c', '{"a": 1}',
				'10:00:00', b'101', 'a')`,
			"insert into v (c) values ('')",
		},
		args:     "select ?, ?, ?, ?, ?, ?",
		duration: "select ?",
	},
}

// Engine.SQL returns the same values as the driver's own sql.DB, one by one.
func TestValuesOfSQLAreTheDriversOwn(t *testing.T) {
	for name, p := range peers {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			url, peer := p.open(t)
			defer peer.Close()
			e, err := db.Open(ctx, url)
			require.NoError(t, err)
			defer e.Close(context.Background())
			door := e.SQL()
			for _, st := range append([]string{p.table}, p.rows...) {
				_, err := door.ExecContext(ctx, st)
				require.NoError(t, err)
			}
			text := "some text"
			args := []any{&text, uint8(7), 2.5, true, []byte{1, 2}, time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC)}
			for _, q := range []struct {
				text string
				args []any
			}{{"select * from v order by c desc", nil}, {p.args, args}} {
				want, wantTypes := read(t, peer, q.text, q.args)
				got, gotTypes := read(t, door, q.text, q.args)
				if name == "sqlite" && q.args != nil {
					want[0][5] = "2024-02-29 10:00:00+00:00" // the form in which package db stores times
				}
				assert.Equal(t, want, got, q.text)
				assert.Equal(t, wantTypes, gotTypes, q.text)
			}
			var d time.Duration
			require.NoError(t, door.QueryRowContext(ctx, p.duration, time.Second).Scan(&d))
			require.Equal(t, time.Second, d, "a duration is a number, as everywhere in database/sql")
		})
	}
}

func read(t *testing.T, d *sql.DB, query string, args []any) (all [][]any, described []string) {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	for _, c := range types {
		length, hasLength := c.Length()
		nullable, knowsNull := c.Nullable()
		precision, scale, decimal := c.DecimalSize()
		described = append(described, fmt.Sprint(c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, knowsNull, precision, scale, decimal))
	}
	for rows.Next() {
		row := make([]any, len(types))
		into := make([]any, len(types))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(t, rows.Scan(into...))
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all, described
}

func TestNamedArgumentsOfSQL(t *testing.T) {
	e, err := db.Open(t.Context(), "sqlite://")
	require.NoError(t, err)
	defer e.Close(context.Background())
	var sum int
	require.NoError(t, e.SQL().QueryRow("select :a + @b + $c", sql.Named("a", 1), sql.Named("b", 2), sql.Named("c", 4)).Scan(&sum))
	require.Equal(t, 7, sum)
	require.NoError(t, e.SQL().QueryRow("select :a + :a", sql.Named("a", 1)).Scan(&sum))
	require.Equal(t, 2, sum)
}

// An executor is a sql.DB or a sql.Tx.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// blockers are the ways in which database/sql blocks a loop. Each runs in a process of its own,
// because a blocked loop never goes on.
var blockers = map[string]func(ctx context.Context, d *sql.DB, slow func(executor)) error{
	"two tasks use one transaction": func(ctx context.Context, d *sql.DB, slow func(executor)) error {
		tx, err := d.BeginTx(ctx, nil)
		if err == nil {
			slow(tx)
			_, err = tx.ExecContext(ctx, "select 1")
		}
		return err
	},
	"a task commits beside a statement": func(ctx context.Context, d *sql.DB, slow func(executor)) error {
		tx, err := d.BeginTx(ctx, nil)
		if err == nil {
			slow(tx)
			err = tx.Commit()
		}
		return err
	},
	"a task waits for a connection in database/sql": func(ctx context.Context, d *sql.DB, slow func(executor)) error {
		d.SetMaxOpenConns(1)
		slow(d)
		return d.PingContext(ctx)
	},
}

// The loop stands still, and its report names the place.
func TestWhatBlocksALoopInDatabaseSQLIsReported(t *testing.T) {
	const asked = "REPAINT_TEST_BLOCKER"
	if name := os.Getenv(asked); name != "" {
		block(t, name)
		return
	}
	for name := range blockers {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestWhatBlocksALoopInDatabaseSQLIsReported$")
			child.Env = append(os.Environ(), asked+"="+name)
			out, err := child.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "held in database/sql")
		})
	}
}

func block(t *testing.T, name string) {
	e, err := db.Open(t.Context(), "sqlite://")
	require.NoError(t, err)
	err = repaint.Run(t.Context(), func(ctx context.Context) error {
		return blockers[name](ctx, e.SQL(), func(q executor) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_, err := q.ExecContext(ctx, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000) select count(*) from n")
				return 0, err
			})
		})
	}, loop.Debug(100*time.Millisecond), loop.ReportTo(func(err error) {
		var held *loop.HeldError
		if errors.As(err, &held) && strings.Contains(held.Stack, "database/sql.") {
			fmt.Println("held in database/sql")
			os.Exit(0)
		}
	}))
	t.Fatal("nothing was blocked", err)
}
