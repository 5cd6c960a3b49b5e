package gauge

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/sqltext"
)

// openSQL opens an Engine, and a sql.DB on the same driver.
func openSQL(ctx context.Context, u *db.URL, o *Options, writable bool) (*database, error) {
	options := []db.Option{db.PoolSize(o.Connections), db.MaxOverflow(0), db.PoolTimeout(0)}
	if !writable {
		options = append(options, db.ReadOnly())
	}
	engine, err := db.OpenURL(ctx, u, options...)
	if err != nil {
		return nil, err
	}
	connector, ok := engine.Driver().(driver.Connector)
	d := &database{
		refused:    isReadOnly,
		unreadable: isUnreadable,
		reads: []*workload{
			{name: "one row", steps: []step{{text: "select ? + 0 as number", rows: true, args: valueOnly}}},
			{name: "100 rows", steps: []step{{text: "with digit as (" + digits + ") select 10 * a.n + b.n as n, 7 * a.n as number from digit a, digit b", rows: true, args: noArguments}}},
		},
		setup: []string{
			"create table %srow (id integer not null primary key, number bigint not null)",
			"insert into %srow (id, number) select 1000 * a.n + 100 * b.n + 10 * c.n + d.n + 1, a.n from (" +
				digits + ") a, (" + digits + ") b, (" + digits + ") c, (" + digits + ") d",
		},
		tables: []string{"row"},
		writes: tableWorkloads("?", "?"),
		exec: func(ctx context.Context, text string) error {
			_, err := engine.Exec(ctx, text)
			return err
		},
	}
	version, forbid := "", ""
	switch name := engine.Dialect().Name(); {
	case name == "sqlite":
		d.language, version, forbid = sqltext.SQLite, "select 'SQLite ' || sqlite_version()", "pragma query_only = on"
		d.notes = append(d.notes, "SQLite lets one connection write at a time. So database/sql has one for workloads that write: several would fail.")
	case name == "mysql":
		d.language, version, forbid = sqltext.MySQL, "select version()", "set session transaction read only"
	default:
		ok = false
	}
	if !ok {
		return nil, errors.Join(usagef("bench doesn't know the dialect %s: it measures PostgreSQL, MySQL, MariaDB and SQLite", engine.Dialect().Name()), engine.Close(ctx))
	}
	if !writable {
		connector = &preparedConnector{connector, forbid}
	}
	pool := &plainPool{db: sql.OpenDB(connector), statements: make(map[string]*sql.Stmt)}
	d.prepare = func(ctx context.Context, text string) error {
		st, err := pool.db.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		return st.Close()
	}
	d.close = func(ctx context.Context) error { return errors.Join(pool.db.Close(), engine.Close(ctx)) }
	for _, w := range append(d.reads, d.writes...) {
		for i := range w.steps {
			s := &w.steps[i]
			if s.named, s.names, err = d.placeholders(s.text); err != nil {
				return nil, errors.Join(err, d.close(ctx))
			}
		}
	}
	if d.server, err = db.Scalar[string](ctx, engine, version); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	if d.language == sqltext.MySQL {
		d.server = "MySQL " + d.server
	}
	ours := func(name string, loop bool) *way {
		return &way{
			name: name, loop: loop, do: engineCalls(engine),
			connections: func() int { return engine.Stats().Open },
		}
	}
	d.ways = []*way{
		{
			name: "database/sql", do: pool.call,
			ready:       func(w *workload) error { return pool.ready(ctx, w, o.Connections, d.language) },
			connections: func() int { return pool.db.Stats().OpenConnections },
		},
		ours("repaint, goroutines", false),
		ours("repaint, one loop", true),
	}
	return d, nil
}

const digits = "select 0 as n union all select 1 union all select 2 union all select 3 union all select 4 " +
	"union all select 5 union all select 6 union all select 7 union all select 8 union all select 9"

// tableWorkloads returns the workloads on the bench's own table. The arguments are the first and
// the second placeholder.
func tableWorkloads(first, second string) []*workload {
	one := step{text: "select id, number from %srow where id = " + first, rows: true, args: keyOnly}
	update := step{text: "update %srow set number = " + first + " where id = " + second, args: valueAndKey}
	return []*workload{
		{name: "point select", steps: []step{one}},
		{name: "update", steps: []step{update}, writes: true},
		{name: "transaction", steps: []step{one, update}, writes: true, tx: true},
	}
}

// isReadOnly reports whether err says that the database may only be read.
func isReadOnly(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 1792 // in a transaction that may only read
	}
	return errors.Is(err, db.ErrReadOnly) || sqliteCode(err) == 8
}

// isUnreadable reports whether err says that a text is no statement.
func isUnreadable(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 1064
	}
	return sqliteCode(err) == 1
}

// sqliteCode returns the code of an error of SQLite, or 0.
func sqliteCode(err error) int {
	var e interface{ Code() int }
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// A preparedConnector executes a statement on each new connection.
type preparedConnector struct {
	driver.Connector
	first string
}

func (c *preparedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		err = fmt.Errorf("the driver's connection, a %T, executes nothing by itself", conn)
	} else {
		_, err = e.ExecContext(ctx, c.first, nil)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("running %q on a new connection: %w", c.first, err), conn.Close())
	}
	return conn, nil
}

// A plainPool makes calls through database/sql, with statements that are prepared once, which is
// its fastest way.
type plainPool struct {
	db         *sql.DB
	statements map[string]*sql.Stmt // by text; calls only read it
}

// ready prepares the statements of a workload. It isn't called while calls are made.
func (p *plainPool) ready(ctx context.Context, w *workload, connections int, l *sqltext.Language) error {
	if l == sqltext.SQLite && w.writes {
		connections = 1
	}
	p.db.SetMaxOpenConns(connections)
	p.db.SetMaxIdleConns(connections)
	for _, s := range w.steps {
		if p.statements[s.text] != nil {
			continue
		}
		st, err := p.db.Prepare(s.text)
		if err != nil {
			return err
		}
		p.statements[s.text] = st
	}
	return nil
}

func (p *plainPool) call(ctx context.Context, w *workload, i int) error {
	if !w.tx {
		return p.steps(ctx, w, i, func(st *sql.Stmt) *sql.Stmt { return st })
	}
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := p.steps(ctx, w, i, func(st *sql.Stmt) *sql.Stmt { return tx.StmtContext(ctx, st) }); err != nil {
		return err
	}
	return tx.Commit()
}

func (p *plainPool) steps(ctx context.Context, w *workload, i int, of func(*sql.Stmt) *sql.Stmt) error {
	for _, s := range w.steps {
		st := of(p.statements[s.text])
		if !s.rows {
			if _, err := st.ExecContext(ctx, s.args(i)...); err != nil {
				return err
			}
			continue
		}
		rows, err := st.QueryContext(ctx, s.args(i)...)
		if err != nil {
			return err
		}
		if err := readAll(rows); err != nil {
			return err
		}
	}
	return nil
}

// readAll scans all values.
func readAll(rows *sql.Rows) error {
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// engineCalls returns the function that makes calls through an Engine.
func engineCalls(e *db.Engine) func(ctx context.Context, w *workload, i int) error {
	return func(ctx context.Context, w *workload, i int) error {
		if !w.tx {
			return engineSteps(ctx, e, w, i)
		}
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return engineSteps(ctx, tx, w, i) })
	}
}

func engineSteps(ctx context.Context, q db.Querier, w *workload, i int) error {
	for _, s := range w.steps {
		args := s.args(i)
		for k, v := range args {
			args[k] = db.Named(s.names[k], v)
		}
		if !s.rows {
			if _, err := q.Exec(ctx, s.named, args...); err != nil {
				return err
			}
			continue
		}
		rows, err := q.Query(ctx, s.named, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			if _, err := rows.Values(); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}
