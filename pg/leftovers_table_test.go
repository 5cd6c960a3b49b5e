package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// A leftover is a row of docs/leftovers.md.
type leftover struct {
	sql, note string
	want      [3]string // on a lane, on a session, in a transaction
}

func leftovers(t *testing.T) (all []leftover) {
	t.Helper()
	doc, err := os.ReadFile("../docs/leftovers.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(doc), "## PostgreSQL\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		sql, ok := strings.CutPrefix(cells[0], "| `")
		if !ok {
			continue
		}
		require.Len(t, cells, 4, line)
		one := leftover{}
		one.sql, one.note, _ = strings.Cut(sql, "`")
		one.want = [3]string{cells[1], cells[2], strings.TrimSuffix(cells[3], " |")}
		all = append(all, one)
	}
	return all
}

var ofVersions = regexp.MustCompile(`(before|from) PostgreSQL (\d+)`)

// concerns reports whether a row is about a server of this version.
func (l leftover) concerns(major int) bool {
	found := ofVersions.FindStringSubmatch(l.note)
	if found == nil {
		return true
	}
	limit, _ := strconv.Atoi(found[2])
	return (found[1] == "before") == (major < limit)
}

// Statements leave behind what the documentation says, and nothing else.
func TestWhatStatementsLeaveBehind(t *testing.T) {
	all := leftovers(t)
	require.Greater(t, len(all), 100)
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		_, target := open(t, "")
		admin := openAt(t, target.URL())
		prepareLeftovers(t, ctx, target)
		ordinary := target
		ordinary.User, ordinary.Password = "ordinary", "ordinary"
		for as, target := range map[string]testserver.Target{"": target, ", as an ordinary user": ordinary} {
			w := &leftoverWorld{t: t, url: target.URL() + "&timezone=UTC&pool_lanes=1&pool_sessions=1"}
			for _, one := range all {
				if strings.Contains(one.note, "ordinary") != (as != "") || !one.concerns(testserver.Postgres(t).Major()) {
					continue
				}
				for i, use := range []func(ctx context.Context, sql string) (string, error){w.onLane, w.onSession, w.inTransaction} {
					got, err := use(ctx, one.sql)
					where := fmt.Sprintf("%s%s, %d", one.sql, as, i)
					want := one.want[i]
					if want == "nothing" && i > 0 {
						want, err = "undone", nil // some statements aren't possible there
					}
					require.Equal(t, want, got, where)
					if want != "refused" {
						require.NoError(t, err, where)
					}
					_, err = admin.Exec(ctx, "drop table if exists y; drop materialized view if exists x")
					require.NoError(t, err, where)
				}
			}
			w.close(ctx)
		}
	})
}

func prepareLeftovers(t *testing.T, ctx context.Context, target testserver.Target) {
	t.Helper()
	db := openAt(t, target.URL())
	_, err := db.Exec(ctx, fmt.Sprintf(`
		do $$ begin
			create role low;
			create role ordinary login password 'ordinary' in role low;
		exception when duplicate_object or unique_violation then null; end $$;
		create schema s;
		create extension dblink;
		create table t (id int);
		insert into t values (0);
		create sequence seq;
		create function run(sql text) returns void language plpgsql as $$ begin execute sql; end $$;
		create procedure proc(sql text) language plpgsql as $$ begin execute sql; end $$;
		create function with_setting() returns void language plpgsql set work_mem = '8MB' as $$ begin perform 1; end $$;
		create function last() returns bigint language plpgsql as $$ begin return lastval(); exception when others then return null; end $$;
		create function conninfo() returns text language sql as $$ select 'host=%s port=%d user=%s dbname=%s'::text $$`,
		target.Socket, target.Port, target.User, target.DBName))
	require.NoError(t, err)
}

// leftoverWorld executes statements and looks for their leftovers. It keeps its DB until something
// stays behind.
type leftoverWorld struct {
	t      *testing.T
	url    string
	db     *DB
	before string // the state of a new connection
	seeded string // what random() returns first after setseed(0.5)
}

// whatIsLeft shows all state that a connection can have.
const whatIsLeft = `select pg_catalog.concat_ws(' ', session_user, current_user,
	(select string_agg(name || '=' || setting, ',' order by name) from pg_settings where source = 'session'),
	nullif(current_setting('my.setting', true), ''),
	(select string_agg(objid::text, ',') from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
	(select count(*) from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = pg_my_temp_schema()),
	(select string_agg(name, ',') from pg_cursors where name = 'c'),
	(select string_agg(c, ',') from pg_listening_channels() c),
	(select string_agg(name, ',') from pg_prepared_statements where from_sql),
	public.last(),
	(select string_agg(name, ',') from pg_settings where name = 'auto_explain.log_format'),
	(select string_agg(c, ',') from unnest(public.dblink_get_connections()) c),
	(select string_agg(slot_name, ',') from pg_replication_slots where active_pid = pg_backend_pid())),
	random()::text`

func (w *leftoverWorld) open(ctx context.Context) *DB {
	if w.db != nil {
		return w.db
	}
	var err error
	w.db, err = Open(w.url)
	require.NoError(w.t, err)
	if w.seeded == "" {
		s, err := w.db.Acquire(ctx)
		require.NoError(w.t, err)
		_, err = s.Exec(ctx, "select setseed(0.5)")
		require.NoError(w.t, err)
		require.NoError(w.t, s.QueryRow(ctx, "select random()::text").Scan(&w.seeded))
		s.Release()
		s, err = w.db.Acquire(ctx)
		require.NoError(w.t, err)
		w.before = w.look(ctx, s)
		s.Release()
	}
	return w.db
}

func (w *leftoverWorld) close(ctx context.Context) {
	if w.db != nil {
		require.NoError(w.t, w.db.Close(ctx))
		w.db = nil
	}
}

func (w *leftoverWorld) look(ctx context.Context, on interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) string {
	var left, random string
	require.NoError(w.t, on.QueryRow(ctx, whatIsLeft, pgx.QueryExecModeExec).Scan(&left, &random))
	if random == w.seeded {
		left += " seeded"
	}
	return left
}

func (w *leftoverWorld) onLane(ctx context.Context, sql string) (string, error) {
	db := w.open(ctx)
	require.NoError(w.t, db.Ping(ctx))
	before := db.Stats()
	_, err := db.Exec(ctx, sql)
	left := w.look(ctx, db)
	after := db.Stats()
	switch {
	case left != w.before:
		w.close(ctx)
		return "stays", err
	case after.Poisoned > before.Poisoned:
		return "closed", err
	case errors.Is(err, ErrRefusedOnLane):
		return "refused", err
	}
	return "nothing", err
}

func (w *leftoverWorld) onSession(ctx context.Context, sql string) (string, error) {
	s, err := w.open(ctx).Acquire(ctx)
	require.NoError(w.t, err)
	pid := s.PID()
	_, err = s.Exec(ctx, sql)
	s.Release()
	return w.next(ctx, pid), err
}

func (w *leftoverWorld) inTransaction(ctx context.Context, sql string) (string, error) {
	s, err := w.open(ctx).Acquire(ctx)
	require.NoError(w.t, err)
	pid := s.PID()
	s.Release()
	tx, err := w.db.Begin(ctx)
	require.NoError(w.t, err)
	if _, err = tx.Exec(ctx, sql); err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		_ = tx.Rollback(ctx) // it may have ended itself
	}
	return w.next(ctx, pid), err
}

// next is the next owner of a session.
func (w *leftoverWorld) next(ctx context.Context, pid uint32) string {
	s, err := w.db.Acquire(ctx)
	require.NoError(w.t, err)
	left := w.look(ctx, s)
	now := s.PID()
	s.Release()
	switch {
	case left != w.before:
		w.close(ctx)
		return "stays"
	case now != pid:
		return "closed"
	}
	return "undone"
}
