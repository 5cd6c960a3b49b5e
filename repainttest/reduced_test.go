package repainttest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/repainttest"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// lite connects to an SQLite database in memory.
type lite struct{ dsn string }

func (l lite) Connect(context.Context) (driver.Conn, error) { return new(sqlite.Driver).Open(l.dsn) }
func (l lite) Driver() driver.Driver                        { return new(sqlite.Driver) }

// A database executes statements, in a transaction or not.
type database interface {
	exec(ctx context.Context, text string) error
	value(ctx context.Context, text string) (string, error)
	begin(ctx context.Context, level string) (database, error)
	commit(ctx context.Context) error // or rolls back if that fails
	rollback(ctx context.Context)
	query() repainttest.Query
}

// standard is a database of database/sql, or a transaction there.
type standard struct {
	pool *sql.DB
	tx   *sql.Tx
}

func (s standard) exec(ctx context.Context, text string) error {
	if s.tx != nil {
		_, err := s.tx.ExecContext(ctx, text)
		return err
	}
	_, err := s.pool.ExecContext(ctx, text)
	return err
}

func (s standard) value(ctx context.Context, text string) (v string, err error) {
	if s.tx != nil {
		return v, s.tx.QueryRowContext(ctx, text).Scan(&v)
	}
	return v, s.pool.QueryRowContext(ctx, text).Scan(&v)
}

func (s standard) begin(ctx context.Context, _ string) (database, error) {
	tx, err := s.pool.BeginTx(ctx, nil)
	return standard{tx: tx}, err
}

func (s standard) commit(context.Context) error { return s.tx.Commit() }
func (s standard) rollback(context.Context)     { _ = s.tx.Rollback() }
func (s standard) query() repainttest.Query     { return repainttest.Texts(s.pool) }

// postgres is a database of package pg, or a transaction there.
type postgres struct {
	db *pg.DB
	tx pgx.Tx
}

func (p postgres) exec(ctx context.Context, text string) error {
	if p.tx != nil {
		_, err := p.tx.Exec(ctx, text)
		return err
	}
	_, err := p.db.Exec(ctx, text)
	return err
}

func (p postgres) value(ctx context.Context, text string) (v string, err error) {
	if p.tx != nil {
		return v, p.tx.QueryRow(ctx, text).Scan(&v)
	}
	return v, p.db.QueryRow(ctx, text).Scan(&v)
}

func (p postgres) begin(ctx context.Context, level string) (database, error) {
	tx, err := p.db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.TxIsoLevel(level)})
	return postgres{tx: tx}, err
}

func (p postgres) commit(ctx context.Context) error { return p.tx.Commit(ctx) }
func (p postgres) rollback(ctx context.Context)     { _ = p.tx.Rollback(ctx) }

func (p postgres) query() repainttest.Query {
	return func(ctx context.Context, text string) (all [][]string, err error) {
		rows, err := p.db.Query(ctx, text)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return nil, err
			}
			var row []string
			for _, v := range values {
				row = append(row, fmt.Sprint(v))
			}
			all = append(all, row)
		}
		return all, rows.Err()
	}
}

// openTables opens a database with the tables a, b and c, each with one row, and returns what sets
// them back.
func openTables(t testing.TB, name string, definitions ...string) (d database, reset repainttest.Option) {
	t.Helper()
	if name == "PostgreSQL" {
		db, err := pg.Open(testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
		d = postgres{db: db}
	} else {
		pool := sql.OpenDB(repainttest.Driver(lite{fmt.Sprintf("file:/%s?vfs=memdb&_pragma=busy_timeout(5000)&_pragma=foreign_keys(on)", strings.ReplaceAll(t.Name(), "/", "_"))}))
		pool.SetMaxIdleConns(5)
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		kept, err := pool.Conn(t.Context()) // a database in memory lives as long as its connections
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, kept.Close()) })
		d = standard{pool: pool}
	}
	var fill []string
	for _, table := range []string{"a", "b", "c"} {
		require.NoError(t, d.exec(t.Context(), fmt.Sprintf("create table %s (v int)", table)))
		fill = append(fill, fmt.Sprintf("insert into %s values (1)", table))
	}
	for _, text := range definitions {
		require.NoError(t, d.exec(t.Context(), text))
	}
	empty, err := repainttest.Emptied(t.Context(), d.query(), fill...)
	require.NoError(t, err)
	require.NoError(t, empty(t.Context()))
	return d, repainttest.Fresh(empty)
}

// A program is what each of its tasks does.
type program [][]string

// run returns what becomes of the program: what each task has seen, and the tables in the end.
func (p program) run(ctx context.Context, d database) (string, error) {
	seen := make([]string, len(p))
	var all []func(ctx context.Context) error
	for i, texts := range p {
		all = append(all, func(ctx context.Context) error {
			seen[i] = runTexts(ctx, d, texts)
			return nil
		})
	}
	if err := tasks(ctx, all...); err != nil {
		return "", err
	}
	end, err := d.value(ctx, "select (select sum(v) from a) || ' ' || (select sum(v) from b) || ' ' || (select sum(v) from c)")
	return strings.Join(seen, "; ") + "; " + end, err
}

// runTexts executes statements until one fails, and returns what they have returned.
func runTexts(ctx context.Context, d database, texts []string) (seen string) {
	on := d
	for _, text := range texts {
		var err error
		switch verb, level, _ := strings.Cut(text, " "); verb {
		case "begin":
			if on, err = d.begin(ctx, level); err == nil {
				defer on.rollback(ctx)
			}
		case "commit":
			err = on.commit(ctx)
			on = d
		case "select":
			var v string
			v, err = on.value(ctx, text)
			seen += v + " "
		default:
			err = on.exec(ctx, text)
		}
		if err != nil {
			return seen + "failed"
		}
	}
	return seen
}

// explored returns the outcomes of all schedules of a program.
func (p program) explored(t *testing.T, d database, opts ...repainttest.Option) ([]string, repainttest.All) {
	t.Helper()
	outcomes := map[string]bool{}
	all, err := repainttest.SearchAll(t.Context(), 20_000, func(ctx context.Context) error {
		outcome, err := p.run(ctx, d)
		outcomes[outcome] = true
		return err
	}, opts...)
	require.NoError(t, err)
	require.True(t, all.Done, "%d schedules of %v", all.Tried, p)
	return slices.Sorted(maps.Keys(outcomes)), all
}

// draw draws a statement, or a transaction.
func draw(chance *rand.Rand, level string) []string {
	tables := []string{"a", "b", "c"}
	x, y := tables[chance.IntN(3)], tables[chance.IntN(3)]
	one := func() string {
		switch chance.IntN(4) {
		case 0:
			return fmt.Sprintf("select concat(sum(v), '') from %s", x)
		case 1:
			return fmt.Sprintf("update %s set v = (select max(v) from %s) * 2", x, y)
		case 2:
			return fmt.Sprintf("insert into %s select count(*) from %s", y, x)
		}
		return fmt.Sprintf("update %s set v = v * 3 + 1", y)
	}
	if level == "" {
		return []string{one()}
	}
	texts := []string{strings.TrimSpace("begin " + strings.TrimPrefix(level, "default"))}
	texts = append(texts, one())
	if chance.IntN(2) == 0 {
		x = y
		texts = append(texts, one())
	}
	return append(texts, "commit")
}

func TestReducedSearchFindsTheSameOutcomes(t *testing.T) {
	for i, c := range []struct {
		database string
		levels   []string // of the transactions, one of which is drawn; "" for single statements
		programs int
		exact    bool // the interleavings can be counted
		opts     []repainttest.Option
	}{
		{"SQLite", []string{""}, 20, true, nil},
		{"SQLite", []string{"", "default"}, 8, true, nil},
		{"SQLite", []string{""}, 4, false, []repainttest.Option{repainttest.Faults(repainttest.Slow, repainttest.Cancelled)}},
		{"SQLite", []string{""}, 6, true, []repainttest.Option{repainttest.Uniform(), repainttest.PCT(2)}},
		{"PostgreSQL", []string{"", "default"}, 4, true, nil},
		{"PostgreSQL", []string{"", "repeatable read", "serializable"}, 4, true, nil},
	} {
		t.Run(fmt.Sprintf("%s %d", c.database, i), func(t *testing.T) {
			d, reset := openTables(t, c.database)
			schema, err := repainttest.ReadSchema(t.Context(), d.query())
			require.NoError(t, err)
			full, fewer := 0, 0
			for seed := range uint64(c.programs) {
				chance := rand.New(rand.NewPCG(seed, uint64(len(c.levels))))
				var p program
				for range 2 + chance.IntN(2) {
					var texts []string
					for len(texts) == 0 || len(texts) < 3 && len(p) < 2 && chance.IntN(2) == 0 {
						texts = append(texts, draw(chance, c.levels[chance.IntN(len(c.levels))])...)
					}
					p = append(p, texts)
				}
				if longest := len(slices.Concat(p...)); longest > 9 || longest > 7 && len(p) > 2 {
					continue
				}
				want, all := p.explored(t, d, append(c.opts, reset)...)
				got, some := p.explored(t, d, append(c.opts, reset, repainttest.Reduced(schema))...)
				require.Equal(t, want, got, p)
				require.Equal(t, "", some.Broken, p)
				if some.Stands != "<nil>" || c.exact {
					require.Equal(t, fmt.Sprint(all.Tried), some.Stands, p)
				}
				full, fewer = full+all.Tried, fewer+some.Tried
			}
			t.Logf("%d schedules instead of %d", fewer, full)
			require.Less(t, fewer, full)
		})
	}
}

// TestReducedSearchOfWhatIsIndependent has the numbers that the theory gives.
func TestReducedSearchOfWhatIsIndependent(t *testing.T) {
	four := func(table string) []string {
		return slices.Repeat([]string{fmt.Sprintf("update %s set v = v + 1", table)}, 4)
	}
	transaction := func(table string) []string {
		return []string{"begin", fmt.Sprintf("select concat(sum(v), '') from %s", table), fmt.Sprintf("update %s set v = v + 1", table), "commit"}
	}
	serializable := func(table string) []string { return append([]string{"begin serializable"}, transaction(table)[1:]...) }
	for name, c := range map[string]struct {
		program program
		classes int // of schedules that differ in the order of steps that concern each other
		full    string
	}{
		"one table":                  {program{four("a"), four("a")}, 70, "70"},
		"two tables":                 {program{four("a"), four("b")}, 1, "70"},
		"transactions on two tables": {program{transaction("a"), transaction("b")}, 1, "70"},
		"serializable":               {program{serializable("a"), serializable("b")}, 20, "70"},
		"one of two":                 {program{append(four("a"), four("b")[:1]...), four("b")[:1]}, 2, "6"},
		"three tables":               {program{four("a")[:2], four("b")[:2], four("c")[:2]}, 1, "90"},
	} {
		t.Run(name, func(t *testing.T) {
			d, reset := openTables(t, "PostgreSQL")
			schema, err := repainttest.ReadSchema(t.Context(), d.query())
			require.NoError(t, err)
			_, all := program(c.program).explored(t, d, reset, repainttest.Reduced(schema))
			require.Empty(t, all.Broken)
			require.Equal(t, c.full, all.Stands)
			require.Equal(t, c.classes, all.Tried-all.Left)
			t.Logf("%d schedules, %d of them found redundant", all.Tried, all.Left)
		})
	}
}

func TestFalseClaimsAboutTablesAreNoticed(t *testing.T) {
	p := program{{"insert into a select 7"}, {"select concat(sum(v), '') from b", "select concat(sum(v), '') from b"}}
	d, reset := openTables(t, "SQLite", "create trigger hidden after insert on a begin update b set v = 7; end")
	want, all := p.explored(t, d, reset)
	got, some := p.explored(t, d, reset, repainttest.Reduced(repainttest.PlainTables("a", "b", "c")))
	require.Contains(t, some.Broken, "don't concern each other, but they do")
	require.Equal(t, want, got)
	require.Equal(t, 3, all.Tried)
	schema, err := repainttest.ReadSchema(t.Context(), d.query())
	require.NoError(t, err)
	got, some = p.explored(t, d, reset, repainttest.Reduced(schema))
	require.Empty(t, some.Broken, "the catalogue knows of the trigger")
	require.Equal(t, want, got)
}

func TestSharedMemoryIsNoticedWhereAStepShowsIt(t *testing.T) {
	d, reset := openTables(t, "SQLite")
	all, err := repainttest.SearchAll(t.Context(), 100, func(ctx context.Context) error {
		table := "a" // what task 1 does decides what task 2 does
		return tasks(ctx,
			func(ctx context.Context) error {
				err := d.exec(ctx, "update c set v = 3")
				table = "b"
				return err
			},
			func(ctx context.Context) error {
				_, err := d.value(ctx, "select v from b")
				return errors.Join(err, d.exec(ctx, "update "+table+" set v = 2"))
			})
	}, reset, repainttest.Reduced(repainttest.PlainTables("a", "b", "c")))
	require.NoError(t, err)
	require.True(t, all.Done)
	require.Contains(t, all.Broken, "don't concern each other, but they do")
}

func TestExplorationSaysForHowManyInterleavingsItStands(t *testing.T) {
	out, passed := child(t, "reduced", t.TempDir())
	require.True(t, passed, out)
	require.Regexp(t, `\d schedules explored, which stand for all 20 interleavings, if tasks share nothing but the database`, out)
	out, passed = child(t, "reduced without need", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "all 20 interleavings explored")
	out, passed = child(t, "reduced wrongly", t.TempDir())
	require.True(t, passed, out)
	require.Contains(t, out, "which proves nothing: by their tables, ")
}

func init() {
	explore := func(other string, definitions ...string) func(t *testing.T) {
		return func(t *testing.T) {
			d, reset := openTables(t, "SQLite", definitions...)
			p := program{slices.Repeat([]string{"insert into a select 1"}, 3), slices.Repeat([]string{other}, 3)}
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				_, err := p.run(ctx, d)
				require.NoError(t, err)
			}, reset, repainttest.Reduced(repainttest.PlainTables("a", "b", "c")))
		}
	}
	children["reduced"] = explore("select concat(sum(v), '') from b")
	children["reduced without need"] = explore("select concat(sum(v), '') from a")
	children["reduced wrongly"] = explore("select concat(sum(v), '') from b", "create trigger hidden after insert on a begin update b set v = v + 1; end")
}
