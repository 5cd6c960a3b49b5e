package rolestest

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// A writer is a way to write to a server in a transaction or a session.
type writer struct {
	name  string
	open  func(t *testing.T, url string) *pg.DB
	write func(ctx context.Context, id int) error
}

// writers returns one of each kind, each with a DB of its own.
func writers(t *testing.T) []*writer {
	const insert = "insert into refused values ($1)"
	with := func(name string, write func(ctx context.Context, db *pg.DB, id int) error) *writer {
		w := &writer{name: name}
		var db *pg.DB
		w.open = func(t *testing.T, url string) *pg.DB { db = open(t, url); return db }
		w.write = func(ctx context.Context, id int) error { return write(ctx, db, id) }
		return w
	}
	inTx := func(name string, write func(ctx context.Context, tx pgx.Tx, id int) error) *writer {
		return with(name, func(ctx context.Context, db *pg.DB, id int) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return write(ctx, tx, id) })
		})
	}
	all := []*writer{
		inTx("a transaction", func(ctx context.Context, tx pgx.Tx, id int) error {
			_, err := tx.Exec(ctx, insert, id)
			return err
		}),
		inTx("a batch in a transaction", func(ctx context.Context, tx pgx.Tx, id int) error {
			var b pgx.Batch
			b.Queue("select 1")
			b.Queue(insert, id)
			return tx.SendBatch(ctx, &b).Close()
		}),
		with("a session", func(ctx context.Context, db *pg.DB, id int) error {
			s, err := db.Acquire(ctx)
			if err != nil {
				return err
			}
			defer s.Release()
			_, err = s.Exec(ctx, insert, id)
			return err
		}),
	}
	engine := &writer{name: "an Engine"}
	var e *db.Engine
	engine.open = func(t *testing.T, url string) *pg.DB {
		var err error
		e, err = db.Open(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
		return e.Driver().(*pg.DB)
	}
	engine.write = func(ctx context.Context, id int) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into refused values (:id)", db.Named("id", id))
			return err
		})
	}
	std := &writer{name: "database/sql"}
	var pool *sql.DB
	std.open = func(t *testing.T, url string) *pg.DB {
		under := open(t, url)
		pool = stdlib.OpenDB(under)
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		return under
	}
	std.write = func(ctx context.Context, id int) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err = tx.ExecContext(ctx, insert, id); err != nil {
			return err
		}
		return tx.Commit()
	}
	return append(all, engine, std)
}

// laterWriters are those that learn of the refusal only after their caller: they write in a way that
// has no result of its own.
func laterWriters(t *testing.T) []*writer {
	var all []*writer
	for name, write := range map[string]func(ctx context.Context, tx pgx.Tx, id int) error{
		"COPY": func(ctx context.Context, tx pgx.Tx, id int) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"refused"}, []string{"id"}, pgx.CopyFromRows([][]any{{id}}))
			return err
		},
		"a stream": func(ctx context.Context, tx pgx.Tx, id int) error {
			rows, err := tx.(*pg.Tx).Stream(ctx, "insert into refused values ($1) returning id", id)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Err()
		},
	} {
		w := &writer{name: name}
		var db *pg.DB
		w.open = func(t *testing.T, url string) *pg.DB { db = open(t, url); return db }
		w.write = func(ctx context.Context, id int) error {
			return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return write(ctx, tx, id) })
		}
		all = append(all, w)
	}
	return all
}

// The primary is fenced, and another one is promoted, while nothing looks at them. The first caller
// whose transaction is refused gets the error. The next one is led to the new primary, and nothing
// leads to the old one any more.
func TestARefusedTransactionMakesTheDBLook(t *testing.T) {
	cluster := testserver.NewCluster(t, 1)
	primary, standby := cluster.Primary, cluster.Standbys[0]
	primary.MustQuery(t, "create table refused (id int)")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	type user struct {
		*writer
		db   *pg.DB
		loop bool
	}
	var users []user
	for _, loop := range []bool{false, true} {
		for i, w := range append(writers(t), laterWriters(t)...) {
			u := user{w, w.open(t, cluster.URL("postgres", "&host_check_period=1h")), loop}
			require.NoError(t, w.write(ctx, i))
			s, err := u.db.Acquire(ctx) // one that is idle, and one that has an owner
			require.NoError(t, err)
			other, err := u.db.Acquire(ctx)
			require.NoError(t, err)
			require.NoError(t, other.Ping(ctx))
			other.Release()
			t.Cleanup(s.Release)
			require.NoError(t, u.db.Ping(ctx))
			waitUntil(t, ctx, "a look at both", func() bool { return host(u.db, primary).Role == pg.RolePrimary && host(u.db, standby).Fit })
			users = append(users, u)
		}
	}
	standby.Promote(t)
	primary.MustQuery(t, "alter system set default_transaction_read_only = on")
	primary.MustQuery(t, "select pg_reload_conf()")
	waitUntil(t, ctx, "the reload", func() bool { return primary.MustQuery(t, "show default_transaction_read_only") == "on" })

	for i, u := range users {
		name := u.name + " in a goroutine"
		run := func(fn func(ctx context.Context) error) error { return fn(ctx) }
		if u.loop {
			name = u.name + " in a loop"
			run = func(fn func(ctx context.Context) error) error { return repaint.Run(ctx, fn) }
		}
		t.Run(name, func(t *testing.T) {
			require.Equal(t, pg.RolePrimary, host(u.db, primary).Role)
			require.Equal(t, pg.RoleStandby, host(u.db, standby).Role, "nothing has looked since")
			require.NoError(t, run(func(ctx context.Context) error {
				err := u.write(ctx, 100+i)
				var server *pgconn.PgError
				require.ErrorAs(t, err, &server, "the transaction is the caller's")
				require.Equal(t, "25006", server.Code)
				if strings.HasPrefix(u.name, "COPY") || strings.HasPrefix(u.name, "a stream") {
					waitUntil(t, ctx, "the look", func() bool { return host(u.db, standby).Role == pg.RolePrimary })
				}
				require.Equal(t, pg.RolePrimary, host(u.db, standby).Role, "it has looked")
				return u.write(ctx, 200+i)
			}))
			require.Equal(t, "1", standby.MustQuery(t, "select count(*) from refused where id = "+strconv.Itoa(200+i)))
			waitUntil(t, ctx, "the end of what leads to the old primary", func() bool {
				h := host(u.db, primary)
				return h.Lanes+h.Sessions == 0
			})
		})
	}
}
