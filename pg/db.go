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

// A DB is a database that is reached over a few connections. All its methods may be called from any
// goroutine and from any task of any loop. See the package's documentation for what lanes and
// sessions are.
type DB struct {
	config  *Config
	debug   bool            // REPAINT_DEBUG is set
	ctx     context.Context // ends when the DB is closed by force, or has been closed
	end     context.CancelCauseFunc
	lanes   lease
	readers lease // of the lanes of Readers
	pool    *pool
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

// Open reads the connection string, as [ParseConfig] does, and returns the database. It doesn't
// wait for a connection: one is opened when the first statement comes, or, if a minimum is
// configured, after Open has returned. [DB.Ping] tells whether the database can be reached.
func Open(conn string) (*DB, error) {
	config, err := ParseConfig(conn)
	if err != nil {
		return nil, err
	}
	return OpenConfig(config)
}

// OpenConfig is [Open] for a configuration, which must come from [ParseConfig] and must not be
// changed any more.
func OpenConfig(config *Config) (*DB, error) {
	if config == nil || config.Conn == nil {
		return nil, errors.New("pg: the configuration must come from ParseConfig")
	}
	if err := config.checkPool(); err != nil {
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
	db.lanes.grant(&newLanes(db, descs).line)
	db.readers.grant(&newReaders(db, descs).line)
	db.pool = &pool{db: db, most: config.Sessions, all: map[*owned]struct{}{}}
	db.startUpkeep()
	return db, nil
}

// allLanes returns those of all callers, and those of Readers.
func (db *DB) allLanes() [2]*lanes { return [2]*lanes{db.lanes.of.(*lanes), db.readers.of.(*lanes)} }

// fewLanes is how many lanes are opened as soon as there is anything for them to do at once.
const fewLanes = 4

// Config returns the configuration, which must not be changed.
func (db *DB) Config() *Config { return db.config }

// Exec runs a statement and returns what the server said of it. Without arguments the text may have
// several statements, which are one transaction.
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

// Query runs a statement and returns its rows: all of them are in memory then. The error is also
// that of the rows. Options can stand before the arguments: those of [DB.Exec],
// pgx.QueryResultFormats and pgx.QueryResultFormatsByOID.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := db.query(ctx, sql, args)
	return r, r.err
}

// QueryRow runs a statement and returns its first row. The error comes from the row's Scan; it is
// pgx.ErrNoRows if there is none.
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

// SendBatch runs the batch's statements in one go and as one transaction: if one fails, none has
// had an effect. All results are in memory when it returns. Close of the results calls the batch's
// functions and returns the error.
//
// After [pgx.Batch.BeginTx] it begins a transaction on a session of its own, which goes on after
// the batch: it is the results' Tx, and must be ended.
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

// Ping asks the server for a sign of life.
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

// NewTx is [DB.BeginTx] with the concrete result, which also has Stream, CopyTo, cursors and what
// else pgx.Tx hasn't.
func (db *DB) NewTx(ctx context.Context, options pgx.TxOptions) (*Tx, error) {
	return db.beginTx(ctx, options)
}

// BeginTx starts a transaction, which is a [*Tx] (see [DB.NewTx]), on a session of its own, waiting
// for one if all are in use. The server hears of it with the transaction's first statement. The
// context is for the wait only: a transaction isn't rolled back when it ends.
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

// Acquire returns a session: a connection that the caller owns until Release. If all are in use it
// waits; who came first is served first.
func (db *DB) Acquire(ctx context.Context) (*Session, error) {
	s := &Session{db: db}
	if err := db.pool.acquire(ctx, &s.s); err != nil {
		return nil, &callError{"waiting for a session", true, err}
	}
	return s, nil
}

// spawn starts a goroutine that Close waits for. It returns false if the DB is closed.
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
