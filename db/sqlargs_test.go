package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/sqltext"
)

// asking is a driver whose named parts convert arguments. It notes which part is asked, and which
// values arrive.
type asking struct {
	conn, stmt, columns, execer bool
	log                         []string
}

func (a *asking) Driver() driver.Driver { return nil }
func (a *asking) Connect(context.Context) (driver.Conn, error) {
	c := askingConn{a}
	switch {
	case a.conn && a.execer:
		return struct {
			askingConn
			askedConn
			askingExecer
		}{c, askedConn{a}, askingExecer{a}}, nil
	case a.conn:
		return struct {
			askingConn
			askedConn
		}{c, askedConn{a}}, nil
	case a.execer:
		return struct {
			askingConn
			askingExecer
		}{c, askingExecer{a}}, nil
	}
	return c, nil
}

func (a *asking) note(what string, v any) { a.log = append(a.log, fmt.Sprintf("%s %T %[2]v", what, v)) }

// check answers for the part named who.
func (a *asking) check(who string, v *driver.NamedValue) error {
	a.note(fmt.Sprint(who, v.Ordinal), v.Value)
	switch x := v.Value.(type) {
	case string:
		switch x {
		case "none of it":
			return driver.ErrRemoveArgument
		case "refused":
			return errors.New("refused by the " + who)
		}
		v.Value = x + " by the " + who
		return nil
	case []int:
		v.Value = fmt.Sprint(x)
		return nil
	}
	return driver.ErrSkip
}

type (
	askingConn    struct{ a *asking }
	askedConn     struct{ a *asking }
	askingExecer  struct{ a *asking }
	askingStmt    struct{ a *asking }
	askedStmt     struct{ a *asking }
	askingColumns struct{ a *asking }
	askedColumn   struct {
		a *asking
		i int
	}
)

func (c askedConn) CheckNamedValue(v *driver.NamedValue) error { return c.a.check("conn", v) }
func (s askedStmt) CheckNamedValue(v *driver.NamedValue) error { return s.a.check("stmt", v) }
func (s askingColumns) ColumnConverter(i int) driver.ValueConverter {
	return askedColumn{s.a, i}
}

func (c askedColumn) ConvertValue(v any) (driver.Value, error) {
	c.a.note(fmt.Sprint("column", c.i), v)
	return driver.DefaultParameterConverter.ConvertValue(v)
}

func (c askingConn) Begin() (driver.Tx, error) { return nil, errors.New("not used") }
func (c askingConn) Close() error              { return nil }
func (c askingConn) Prepare(string) (driver.Stmt, error) {
	s := askingStmt(c)
	switch {
	case c.a.stmt && c.a.columns:
		return struct {
			askingStmt
			askedStmt
			askingColumns
		}{s, askedStmt(c), askingColumns(c)}, nil
	case c.a.stmt:
		return struct {
			askingStmt
			askedStmt
		}{s, askedStmt(c)}, nil
	case c.a.columns:
		return struct {
			askingStmt
			askingColumns
		}{s, askingColumns(c)}, nil
	}
	return s, nil
}

func (e askingExecer) ExecContext(_ context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if text == "skip ?" {
		return nil, driver.ErrSkip
	}
	e.a.arrived(args)
	return driver.RowsAffected(0), nil
}

func (a *asking) arrived(args []driver.NamedValue) {
	for _, v := range args {
		a.note(fmt.Sprint("arrived", v.Ordinal), v.Value)
	}
}

func (s askingStmt) Close() error { return nil }
func (s askingStmt) NumInput() int {
	if s.a.columns {
		return 1
	}
	return -1
}
func (s askingStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("not used") }
func (s askingStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.New("not used") }
func (s askingStmt) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.a.arrived(args)
	return driver.RowsAffected(0), nil
}

func (s askingStmt) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.a.arrived(args)
	return noRows{}, nil
}

type noRows struct{}

func (noRows) Columns() []string         { return []string{"x"} }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }

// askingDialect keeps prepared statements that begin with "keep".
type askingDialect struct {
	scriptedDialect
	a *asking
}

func (a *asking) register() string {
	d := askingDialect{scriptedDialect{name: fmt.Sprint("scripted", scripts.Add(1))}, a}
	db.Register(d)
	return d.name + "://"
}

func (d askingDialect) Connector(*db.URL) (db.Connector, error) {
	return db.SQLConnector(db.SQLDriver{Connector: d.a, KeepStatements: 2, BeginText: func(db.TxOptions) []string { return []string{"begin"} }}), nil
}

func (askingDialect) Traits(_ string, st []sqltext.Statement) db.Traits {
	return db.Traits{Plan: st[0].Verb == "keep"}
}

func TestArgumentsAreConvertedInTheOrderOfDatabaseSQL(t *testing.T) {
	moment := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	values := []any{nil, 7, int64(8), int8(9), 3.5, float32(2.5), true, "x", "none of it", "refused", []byte("b"), moment,
		sql.NullString{String: "s", Valid: true}, sql.NullInt64{}, (*sql.NullString)(nil), []int{1, 2}, make(chan int)}
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for which := range 16 {
			a := func() *asking {
				return &asking{conn: which&1 > 0, stmt: which&2 > 0, columns: which&4 > 0, execer: which&8 > 0}
			}
			theirs, ours := a(), a()
			pool := sql.OpenDB(theirs)
			e := dbtest.Open(t, ctx, ours.register())
			for range 2 { // the first time it isn't known which part converts
				for _, verb := range []string{"keep", "once", "skip"} {
					for _, v := range values {
						what := fmt.Sprintf("%+v, %s, %T %[3]v", ours, verb, v)
						theirs.log, ours.log = nil, nil
						var want error
						if verb == "keep" {
							stmt, err := pool.PrepareContext(ctx, "keep ?")
							require.NoError(t, err)
							_, want = stmt.ExecContext(ctx, v)
							require.NoError(t, stmt.Close())
						} else {
							_, want = pool.ExecContext(ctx, verb+" ?", v)
						}
						_, err := e.Exec(ctx, verb+" :v", db.Named("v", v))
						require.Equal(t, want == nil, err == nil, "%s: %v, %v", what, want, err)
						// A part that has been asked isn't asked again when the driver wants the
						// text prepared.
						require.Equal(t, slices.Compact(theirs.log), slices.Compact(ours.log), what)
						if err != nil {
							require.ErrorIs(t, err, db.ErrParameter, what)
						}
						if verb == "keep" {
							ours.log = nil
							_, err := e.Query(ctx, "keep :v", db.Named("v", v))
							require.Equal(t, want == nil, err == nil, what)
							require.Equal(t, theirs.log, ours.log, what)
						}
					}
				}
			}
			require.NoError(t, pool.Close())
		}
	})
}

// where is a Valuer that notes where its method is called.
type where struct{ inGreenlet *bool }

func (w where) Value() (driver.Value, error) {
	*w.inGreenlet = repaint.InGreenlet()
	return "here", nil
}

// Whichever part converts, a Valuer may wait, for other tasks too.
func TestTheMethodsOfArgumentsAreCalledWhereTheCallerIs(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		in := repaint.InGreenlet()
		for which := range 16 {
			a := &asking{conn: which&1 > 0, stmt: which&2 > 0, columns: which&4 > 0, execer: which&8 > 0}
			e := dbtest.Open(t, ctx, a.register())
			for range 2 {
				for _, text := range []string{"keep :v", "once :v"} {
					for _, query := range []bool{false, true} {
						called := !in
						v := db.Named("v", where{&called})
						var err error
						if query {
							_, err = e.Query(ctx, text, v)
						} else {
							_, err = e.Exec(ctx, text, v)
						}
						require.NoError(t, err)
						require.Equal(t, in, called, "%+v %s", a, text)
						require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
							called = !in
							_, err := tx.Exec(ctx, text, v)
							return err
						}))
						require.Equal(t, in, called, "%+v %s in a transaction", a, text)
					}
				}
			}
		}
	})
}

func TestAStatementThatTakesAnotherNumberOfArgumentsIsRefused(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		a := &asking{columns: true}
		e := dbtest.Open(t, ctx, a.register())
		_, err := e.Exec(ctx, "keep :a :b", db.Named("a", 1), db.Named("b", 2))
		require.ErrorIs(t, err, db.ErrParameter)
		require.ErrorContains(t, err, "takes 1 arguments, and there are 2")
	})
}
