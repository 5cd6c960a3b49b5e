package pg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/loop"
)

// A DB is a database and the connections to it. Any goroutine, and any task of any loop, may call
// its methods. The package documentation says what lanes and sessions are, and which errors there
// are. The methods that run statements return a [*StatementError], and check their context: when it
// ends they return at once, with an error in which errors.Is finds its cause.
type DB struct {
	config  *Config
	debug   bool            // REPAINT_DEBUG is set
	ctx     context.Context // ends when the DB is closed by force, or has been closed
	end     context.CancelCauseFunc
	lanes   lease
	readers lease // of the lanes of Readers
	roles   *roles
	pool    *pool
	places  *places // nil without Config.MaxConns
	codecs  sync.Pool
	cancels cancelBudget
	asking  asking
	hearing hearing
	types   atomic.Pointer[typeDefs] // that were loaded; nil if none were

	mu             sync.Mutex // held for moments; a loop's hook list isn't touched inside
	collectors     map[*loop.Loop]*collector
	spareCollector *collector

	jobs sync.Mutex // held for moments, also inside of other mutexes
	// running is the number of goroutines; ended, closed when it is 0 and over is set.
	running int
	over    bool
	ended   chan struct{}
}

// Open reads the connection string, as [ParseConfig] does, and returns the database. Like sql.Open
// and pgxpool.New, it doesn't wait for a connection: the first statement opens one. If the
// configuration has a minimum, a goroutine opens these connections meanwhile. [DB.Ping] checks
// whether the database can be reached. The caller must close the DB. Open may be called from any
// goroutine.
func Open(conn string) (*DB, error) {
	config, err := ParseConfig(conn)
	if err != nil {
		return nil, err
	}
	return OpenConfig(config)
}

// OpenConfig is [Open] for a configuration, which must come from [ParseConfig]. Nothing may change
// it any more.
func OpenConfig(config *Config) (*DB, error) {
	if config == nil || config.Conn == nil {
		return nil, errors.New("pg: the configuration must come from ParseConfig")
	}
	if err := config.checkPool(); err != nil {
		return nil, fmt.Errorf("pg: %w", err)
	}
	if err := config.checkRoles(); err != nil {
		return nil, fmt.Errorf("pg: %w", err)
	}
	if config.CancelTimeout <= 0 {
		return nil, fmt.Errorf("pg: CancelTimeout is %v: it must be above 0", config.CancelTimeout)
	}
	db := &DB{config: config, collectors: map[*loop.Loop]*collector{}, ended: make(chan struct{}), debug: loop.New().Debugging()}
	base := context.Background()
	if config.Context != nil {
		base = context.WithoutCancel(config.Context)
	}
	db.ctx, db.end = context.WithCancelCause(base)
	db.codecs.New = db.newCodec
	descs := newDescriptions(2 * config.StatementCache)
	db.places = newPlaces(db)
	db.lanes.grant(&newLanes(db, descs).line)
	db.readers.grant(&newReaders(db, descs).line)
	db.roles = newRoles(db, descs)
	db.pool = &pool{db: db, most: db.mostSessions(), all: map[*owned]struct{}{}}
	db.startUpkeep()
	return db, nil
}

// allLanes returns the lanes of all callers, and those of Readers.
func (db *DB) allLanes() []*lanes {
	all := []*lanes{db.lanes.of.(*lanes), db.readers.of.(*lanes)}
	if db.roles != nil {
		for _, n := range db.roles.nodes {
			all = append(all, n.lanes())
		}
	}
	return all
}

// fewLanes is how many lanes are opened as soon as there is work for them at once.
const fewLanes = 4

// mostSessions returns how many sessions there may be.
func (db *DB) mostSessions() int {
	if most := db.config.MaxConns; most > 0 && !db.config.Pipeline {
		return min(db.config.Sessions, most)
	}
	return db.places.limit(db.config.Sessions)
}

// Config returns the configuration. The caller must not change it.
func (db *DB) Config() *Config { return db.config }

// Exec runs a statement and returns the server's command tag, such as "UPDATE 3". Without arguments
// the text may have several statements, which are one transaction.
//
// As with pgx, options can stand before the arguments: a pgx.QueryExecMode, or a pgx.QueryRewriter
// such as pgx.NamedArgs.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if db.pipelines() {
		return db.lanes.executor().exec(ctx, &query{text: sql, args: args})
	}
	o := &owning{query: query{text: sql, args: args}}
	if err := db.pool.acquire(ctx, &o.lease); err != nil {
		return pgconn.CommandTag{}, o.failed(StageWait, err)
	}
	defer db.pool.recycle(&o.lease, false)
	return o.lease.executor().exec(ctx, &o.query)
}

// An owning query has a session for itself. It and its lease are one piece of memory.
type owning struct {
	query
	lease lease
}

// Query runs a statement and returns its rows, all of them in memory. The error is also the Err of
// the rows, which are never nil. Options can stand before the arguments: those of [DB.Exec],
// pgx.QueryResultFormats and pgx.QueryResultFormatsByOID. A result of more than Config.ResultLimit
// bytes is [ErrResultTooLarge].
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := db.query(ctx, sql, args)
	return r, r.err
}

// QueryRow runs a statement and returns its first row. The row's Scan returns the error, which is
// pgx.ErrNoRows if there is no row.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(db.query(ctx, sql, args))
}

func (db *DB) query(ctx context.Context, sql string, args []any) *Rows {
	if db.pipelines() {
		return db.lanes.executor().query(ctx, &query{text: sql, args: args})
	}
	o := &owning{query: query{text: sql, args: args}}
	if err := db.pool.acquire(ctx, &o.lease); err != nil {
		o.row.err, o.row.closed = o.failed(StageWait, err), true
		return &o.row
	}
	defer db.pool.recycle(&o.lease, false)
	return o.lease.executor().query(ctx, &o.query)
}

// SendBatch runs the batch's statements in one round trip and as one transaction: if one fails,
// none has an effect. All results are in memory when it returns. Their Close calls the batch's
// functions and returns the error, which is a [*BatchError] if it concerns one statement.
//
// After [pgx.Batch.BeginTx], SendBatch begins a transaction on a session of its own, which goes on
// after the batch. The results' Tx returns it, and the caller must end it.
func (db *DB) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if beginsTx(b) {
		tx, err := db.beginTx(ctx, optionsOf(b))
		if err != nil {
			return pgx.FailedBatchResults(b, err)
		}
		return tx.beginWith(ctx, b)
	}
	if db.pipelines() {
		return db.lanes.executor().batch(ctx, b, nil)
	}
	s := new(lease)
	if err := db.pool.acquire(ctx, s); err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	defer db.pool.recycle(s, false)
	return s.executor().batch(ctx, b, nil)
}

// Ping sends the server an empty statement and waits for the answer. It opens a connection if there
// is none.
func (db *DB) Ping(ctx context.Context) error {
	if db.pipelines() {
		return db.lanes.executor().ping(ctx)
	}
	s, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	return s.Ping(ctx)
}

func (s executor) ping(ctx context.Context) error {
	q := &query{text: "-- ping", isExec: true}
	q.harmless = true
	return s.run(ctx, q)
}

// Begin starts a transaction with the server's defaults. See [DB.BeginTx].
func (db *DB) Begin(ctx context.Context) (pgx.Tx, error) { return db.BeginTx(ctx, pgx.TxOptions{}) }

// NewTx is [DB.BeginTx] with the concrete result, which also has methods that pgx.Tx doesn't have,
// such as Stream, CopyTo and Cursor.
func (db *DB) NewTx(ctx context.Context, options pgx.TxOptions) (*Tx, error) {
	return db.beginTx(ctx, options)
}

// BeginTx starts a transaction on a session of its own. If all sessions are in use, it waits for
// one, and returns an [*ExhaustedError] when the context ends first. BEGIN travels with the
// transaction's first statement. The context is for the wait only: its end doesn't roll the
// transaction back. The result is a [*Tx]; see [DB.NewTx].
func (db *DB) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	tx, err := db.beginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (db *DB) beginTx(ctx context.Context, options pgx.TxOptions) (*Tx, error) {
	tx := newTx(options)
	if err := db.pool.acquire(ctx, &tx.s); err != nil {
		return nil, &StatementError{SQL: "begin", Stage: StageWait, Err: err, unsent: true}
	}
	tx.owns = db.pool
	return tx, nil
}

// Acquire returns a session: a connection that the caller owns until Release or Close. If all
// sessions are in use, it waits; callers are served in the order in which they came. If the context
// ends first, it returns an [*ExhaustedError] or, if no connection could be opened, a
// [*ConnectError]. On a closed DB it returns [ErrClosed].
func (db *DB) Acquire(ctx context.Context) (*Session, error) {
	s := &Session{db: db}
	if err := db.pool.acquire(ctx, &s.s); err != nil {
		return nil, &callError{"waiting for a session", true, err}
	}
	return s, nil
}

// spawn starts a goroutine that Close waits for. It reports whether it did: it doesn't if the DB is
// closed.
func (db *DB) spawn(fn func()) bool {
	db.jobs.Lock()
	defer db.jobs.Unlock()
	if db.over && db.running == 0 {
		return false
	}
	db.running++
	go func() {
		defer func() {
			db.jobs.Lock()
			defer db.jobs.Unlock()
			db.running--
			if db.over && db.running == 0 {
				db.closeEnded()
			}
		}()
		fn()
	}()
	return true
}
