package gauge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/sqltext"
)

// readOnlyParameter makes a PostgreSQL server refuse to write.
const readOnlyParameter = "default_transaction_read_only"

// openPostgres opens pgxpool, and a pg.DB for all other ways. u says where the server is, text is
// the URL as the user wrote it.
func openPostgres(ctx context.Context, text string, u *db.URL, o *Options, writable bool) (*database, error) {
	config, err := pg.ParseConfig(text)
	if err != nil {
		return nil, err
	}
	if o.Delay > 0 {
		if err := lead(config.Conn, u); err != nil {
			return nil, err
		}
	}
	config.Lanes, config.Sessions = o.Connections, o.Connections
	d := &database{
		language:   sqltext.PostgreSQL,
		refused:    func(err error) bool { return isCode(err, "25006") }, // read_only_sql_transaction
		unreadable: func(err error) bool { return isCode(err, "42601") }, // syntax_error
		reads: []*workload{
			{name: "one row", steps: []step{{text: "select $1::bigint as number", rows: true, args: valueOnly}}},
			{name: "100 rows", steps: []step{{text: "select n, n * 7 as number from generate_series(1, 100) n", rows: true, args: noArguments}}},
		},
		setup: []string{
			"create table %srow (id integer primary key, number bigint not null)",
			fmt.Sprintf("insert into %%srow select n, n from generate_series(1, %d) n", ownRows),
			"analyze %srow",
		},
		tables: []string{"row"},
		writes: tableWorkloads("$1", "$2"),
	}
	if !writable {
		if err := d.forbidWrites(ctx, config.Conn); err != nil {
			return nil, err
		}
	}
	pool, sent, err := openPool(ctx, config, o.Connections)
	if err != nil {
		return nil, err
	}
	lanes, err := pg.OpenConfig(config)
	if err != nil {
		pool.Close()
		return nil, err
	}
	d.exec = func(ctx context.Context, text string) error {
		_, err := pool.Exec(ctx, text)
		return err
	}
	d.prepare = func(ctx context.Context, text string) error {
		_, err := lanes.Describe(ctx, text)
		return err
	}
	d.close = func(ctx context.Context) error {
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		err := lanes.Close(ctx)
		select {
		case <-closed:
			return err
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("closing pgxpool: %w", context.Cause(ctx)))
		}
	}
	if err := pool.QueryRow(ctx, "select 'PostgreSQL ' || current_setting('server_version')").Scan(&d.server); err != nil {
		return nil, errors.Join(err, d.close(ctx))
	}
	reader := lanes.Reader()
	ours := func(name string, loop, reads bool) *way {
		do, stats := pgxCalls(lanes, nil), lanes.Stats
		if reads {
			stats = reader.Stats
			do = func(ctx context.Context, w *workload, i int) error { return pgxSteps(ctx, reader, w, i, nil) }
		}
		return &way{
			name: name, loop: loop, reads: reads, do: do,
			connections: func() int {
				s := stats()
				return s.Lanes + s.RetiringLanes + s.Sessions
			},
			// Statements in transactions aren't counted, as they have sessions to themselves.
			traffic: func() (uint64, uint64) {
				s := stats()
				return s.Statements, s.Writes
			},
		}
	}
	d.ways = []*way{
		{
			name: "pgxpool", do: pgxCalls(pool, &sent.statements),
			connections: func() int { return int(pool.Stat().TotalConns()) },
			traffic:     func() (uint64, uint64) { return sent.statements.Load(), sent.writes.Load() },
		},
		ours("repaint, goroutines", false, false),
		ours("repaint, one loop", true, false),
		ours("Reader, goroutines", false, true),
		ours("Reader, one loop", true, true),
	}
	return d, nil
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == code
}

// lead changes the configuration so that it leads to the URL's one host.
func lead(config *pgconn.Config, u *db.URL) error {
	port, err := strconv.ParseUint(u.Hosts[0].Port, 10, 16)
	if err != nil {
		return fmt.Errorf("the port of the proxy for --delay: %w", err)
	}
	config.Host, config.Port = u.Hosts[0].Name, uint16(port)
	for _, f := range config.Fallbacks { // the same host without TLS, or with it
		f.Host, f.Port = config.Host, config.Port
	}
	return nil
}

// forbidWrites makes the server refuse to write on each connection, if the server takes that
// setting. Some poolers don't.
func (d *database) forbidWrites(ctx context.Context, config *pgconn.Config) error {
	config.RuntimeParams[readOnlyParameter] = "on"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err == nil {
		return conn.Close(ctx)
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !strings.Contains(e.Message, readOnlyParameter) && !strings.Contains(e.Message, "startup parameter") {
		return err
	}
	delete(config.RuntimeParams, readOnlyParameter)
	d.notes = append(d.notes, "The server doesn't take the setting "+readOnlyParameter+", so only the statement's text says that it doesn't write.")
	return nil
}

// sent counts what a pool sends. Any goroutine may use it.
type sent struct{ statements, writes atomic.Uint64 }

// openPool opens a pgxpool with those settings of the configuration that pgxpool knows.
func openPool(ctx context.Context, config *pg.Config, size int) (*pgxpool.Pool, *sent, error) {
	c, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, nil, err
	}
	s := new(sent)
	c.ConnConfig.Config = *config.Conn.Copy()
	c.ConnConfig.DefaultQueryExecMode, c.ConnConfig.StatementCacheCapacity = config.ExecMode, config.StatementCache
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{conn, s}, nil
	}
	c.MaxConns = int32(size)
	pool, err := pgxpool.NewWithConfig(ctx, c)
	return pool, s, err
}

type countedConn struct {
	net.Conn
	sent *sent
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.sent.writes.Add(1)
	return c.Conn.Write(b)
}

// A pgxDatabase is what pgxpool and pg have in common.
type pgxDatabase interface {
	pgxQuerier
	Begin(ctx context.Context) (pgx.Tx, error)
}

type pgxQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// pgxCalls returns the function that makes calls. It counts the statements if sent isn't nil.
func pgxCalls(q pgxDatabase, sent *atomic.Uint64) func(ctx context.Context, w *workload, i int) error {
	return func(ctx context.Context, w *workload, i int) error {
		if !w.tx {
			return pgxSteps(ctx, q, w, i, sent)
		}
		tx, err := q.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx) // does nothing after the commit
		if err := pgxSteps(ctx, tx, w, i, sent); err != nil {
			return err
		}
		if sent != nil {
			sent.Add(2) // BEGIN and COMMIT
		}
		return tx.Commit(ctx)
	}
}

// pgxSteps executes the steps of a workload and reads what they return.
func pgxSteps(ctx context.Context, q pgxQuerier, w *workload, i int, sent *atomic.Uint64) error {
	for _, s := range w.steps {
		rows, err := q.Query(ctx, s.text, s.args(i)...)
		if err != nil {
			return err
		}
		for rows.Next() {
			if _, err := rows.Values(); err != nil {
				rows.Close()
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if sent != nil {
			sent.Add(1)
		}
	}
	return nil
}
