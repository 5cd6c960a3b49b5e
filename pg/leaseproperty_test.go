package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// An ownership is a run of random owners of few sessions: transactions, savepoints in them,
// sessions. Their statements overlap with their ends, take their time for an argument, are
// cancelled, or come too late. The model says what must have become of each. Each row of the table
// has the number of its owner, which is one transaction or one session, and the server's number of
// the transaction that inserted it.
type ownership struct {
	c    colour
	db   *DB
	seed uint64

	mu       sync.Mutex
	owners   int
	inserts  []*insert
	gates    []*gate
	pending  []func() error
	txOf     map[int64]int // the owner of each of the server's transactions
	refused  int           // how many were refused because their owner ended while they were under way
	problems []error
}

// A scope is a transaction or a savepoint, whose rollback undoes an insert. The scope of a session
// is never undone.
type scope struct {
	in      *scope
	session bool
	owner   int
	fate    fate
}

// An insert is one row.
type insert struct {
	in   *scope
	seq  int
	what string
	fate fate
}

// fateOf returns the final fate of the row.
func (i *insert) fateOf() fate {
	f := i.fate
	for s := i.in; s != nil; s = s.in {
		f = max(f, s.fate)
	}
	return f
}

func (o *ownership) problem(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.problems = append(o.problems, fmt.Errorf(format, args...))
}

// newScope returns the scope of a savepoint in another scope, or of a new owner.
func (o *ownership) newScope(in *scope) *scope {
	o.mu.Lock()
	defer o.mu.Unlock()
	if in != nil && !in.session {
		return &scope{in: in, owner: in.owner, fate: perhaps}
	}
	o.owners++
	return &scope{owner: o.owners, fate: perhaps}
}

// inserted records an insert and its fate.
func (o *ownership) inserted(in *scope, what string) *insert {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := &insert{in: in, seq: len(o.inserts) + 1, what: what, fate: perhaps}
	o.inserts = append(o.inserts, i)
	return i
}

// slow returns a value that takes its time: it waits until another such value is asked for, or the
// run is over.
func (o *ownership) slow(r *rand.Rand, value int) *gate {
	g := newGate(int64(value))
	o.mu.Lock()
	o.gates = append(o.gates, g)
	var open *gate
	if n := len(o.gates); n > 3 {
		i := r.IntN(n)
		open = o.gates[i]
		o.gates[i] = o.gates[n-1]
		o.gates = o.gates[:n-1]
	}
	o.mu.Unlock()
	if open != nil {
		open.open.Resolve(struct{}{})
	}
	return g
}

var insertKinds = []string{"exec", "describe", "query", "batch", "stream", "copy"}

// insert inserts a row and records the outcome. The row's value is its number, or takes its time.
func (o *ownership) insert(ctx context.Context, r *rand.Rand, q user, in *scope, kind string, slow bool) (wait func() error) {
	i := o.inserted(in, kind)
	var value any = i.seq
	if slow {
		value = o.slow(r, i.seq)
	}
	// The driver describes a new text first.
	sql := fmt.Sprintf("insert into t (owner, seq) values ($1, $2) returning xid /* %d */", r.IntN(5))
	return o.c.start(ctx, func(ctx context.Context) error {
		xid, err := o.insertNow(ctx, q, in.owner, kind, sql, value)
		o.mu.Lock()
		defer o.mu.Unlock()
		if i.fate = fateAfter(kind, err); i.fate == 0 {
			o.problems = append(o.problems, fmt.Errorf("%s: %w", kind, err))
		}
		if slow && err != nil && i.fate == never && !errors.Is(err, ErrInUse) {
			o.refused++
		}
		if xid != 0 {
			if other, known := o.txOf[xid]; known && other != in.owner {
				o.problems = append(o.problems, fmt.Errorf("%s of owner %d ran in the transaction of owner %d", kind, in.owner, other))
			}
			o.txOf[xid] = in.owner
		}
		return err
	})
}

func (o *ownership) insertNow(ctx context.Context, q user, owner int, kind, sql string, value any) (xid int64, err error) {
	switch kind {
	case "exec":
		_, err = q.Exec(ctx, sql, owner, value)
	case "describe":
		err = q.QueryRow(ctx, sql, pgx.QueryExecModeDescribeExec, owner, value).Scan(&xid)
	case "query":
		err = q.QueryRow(ctx, sql, owner, value).Scan(&xid)
	case "batch":
		b := new(pgx.Batch)
		b.Queue("select 1")
		b.Queue(sql, owner, value)
		results := q.SendBatch(ctx, b)
		if _, err = results.Exec(); err == nil {
			err = results.QueryRow().Scan(&xid)
		}
		err = errors.Join(err, results.Close())
	case "stream":
		var rows pgx.Rows
		if rows, err = q.Stream(ctx, sql, owner, value); err == nil {
			for rows.Next() {
				err = rows.Scan(&xid)
			}
			err = errors.Join(err, rows.Err())
		}
	case "copy":
		done := false
		_, err = q.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"owner", "seq"}, pgx.CopyFromFunc(func() ([]any, error) {
			if done {
				return nil, nil
			}
			done = true
			if g, ok := value.(*gate); ok {
				return []any{owner, g.value}, g.wait()
			}
			return []any{owner, value}, nil
		}))
	}
	return xid, err
}

// fateAfter returns what the test knows of a row after an error: 0 for an error that must not come.
func fateAfter(kind string, err error) fate {
	var lost *LostError
	var failed *pgconn.PgError
	switch {
	case err == nil:
		return certain
	case errors.As(err, &lost):
		if lost.MaybeApplied {
			return perhaps
		}
		return never
	case errors.Is(err, pgx.ErrTxClosed), errors.Is(err, ErrInUse):
		return never
	case errors.Is(err, ErrClosed):
		if kind == "stream" && strings.Contains(err.Error(), "before the rows had been read") {
			return perhaps // the statement was executed, only its rows weren't read
		}
		return never
	case errors.Is(err, context.Canceled):
		return perhaps
	case errors.As(err, &failed):
		return never
	}
	return 0
}

// late makes a late call, which must not be sent.
func (o *ownership) late(ctx context.Context, r *rand.Rand, q user, in *scope) {
	want := error(ErrClosed)
	if _, ok := q.(*Tx); ok {
		want = pgx.ErrTxClosed
	}
	calls := callsOf(q)
	call := calls[r.IntN(len(calls))]
	if err := call.do(ctx); !errors.Is(err, want) {
		o.problem("late: %s: %v", call.name, err)
	}
	if err := o.insert(ctx, r, q, in, insertKinds[r.IntN(len(insertKinds))], r.IntN(2) == 0)(); !errors.Is(err, want) {
		o.problem("late insert: %v", err)
	}
}

// use does something in the scope of q, which ends afterwards: some inserts one after the other,
// and some that are still under way at the end. It returns false if it leaves a transaction open,
// to end with its session.
func (o *ownership) use(ctx context.Context, r *rand.Rand, q user, in *scope, depth int) bool {
	kind := func() string { return insertKinds[r.IntN(len(insertKinds))] }
	for range r.IntN(3) {
		_ = o.insert(ctx, r, q, in, kind(), false)()
	}
	if depth > 0 && r.IntN(2) == 0 {
		if tx, err := q.Begin(ctx); err == nil && !o.transaction(ctx, r, tx.(*Tx), o.newScope(in), depth-1, in.session) {
			return false
		}
	}
	for range r.IntN(2) {
		_ = o.insert(ctx, r, q, in, kind(), false)()
	}
	for range r.IntN(3) {
		limited, cancel := context.WithCancel(ctx)
		wait := o.insert(limited, r, q, in, kind(), r.IntN(3) > 0)
		if r.IntN(4) == 0 {
			cancel()
		}
		o.mu.Lock()
		o.pending = append(o.pending, func() error { defer cancel(); return wait() })
		o.mu.Unlock()
	}
	return true
}

// transaction uses a transaction, or a savepoint, and ends it in some way. It returns false if it
// leaves that to its session.
func (o *ownership) transaction(ctx context.Context, r *rand.Rand, tx *Tx, in *scope, depth int, mayLeave bool) bool {
	// Statements that wait for the first one could wait forever here if that takes its time.
	begun := r.IntN(3) > 0 && o.insert(ctx, r, tx, in, "exec", false)() == nil
	o.use(ctx, r, tx, in, depth)
	fate := never
	var err error
	switch how := r.IntN(6); {
	case how == 0 && mayLeave:
	case how < 4 && begun:
		if err = tx.Commit(ctx); err == nil {
			fate = certain
		} else if errors.Is(err, ErrInUse) {
			err = tx.Rollback(ctx)
		}
	case how == 4:
		ended, cancel := context.WithCancel(ctx)
		cancel()
		err = tx.Rollback(ended)
	default:
		err = tx.Rollback(ctx)
	}
	var failed *pgconn.PgError // that the transaction has failed, or the cancel of another statement
	if err != nil && !errors.As(err, &failed) && !errors.Is(err, pgx.ErrTxCommitRollback) {
		o.problem("the end of a transaction: %w", err)
	}
	o.mu.Lock()
	in.fate = fate
	o.mu.Unlock()
	if mayLeave && !tx.s.ended() {
		return false
	}
	o.late(ctx, r, tx, in)
	return true
}

// own is the life of one owner of a session.
func (o *ownership) own(ctx context.Context, r *rand.Rand) error {
	if r.IntN(2) == 0 {
		tx, err := o.db.Begin(ctx)
		if err == nil {
			o.transaction(ctx, r, tx.(*Tx), o.newScope(nil), 2, false)
		}
		return err
	}
	s, err := o.db.Acquire(ctx)
	if err != nil {
		return err
	}
	in := o.newScope(nil)
	in.session, in.fate = true, certain
	o.use(ctx, r, s, in, 2)
	if r.IntN(5) == 0 {
		err = s.Close(ctx)
	} else {
		s.Release()
	}
	o.late(ctx, r, s, in)
	return err
}

// check compares the table with the model.
func (o *ownership) check(t *testing.T, ctx context.Context) {
	require.Zero(t, count(t, ctx, o.db, "t where id is not null"), "late calls")
	rows, err := o.db.Query(ctx, "select owner, seq, xid from t order by seq")
	require.NoError(t, err)
	type row struct {
		Owner, Seq int
		XID        int64
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	require.NoError(t, err)
	found := map[int]row{}
	for _, r := range all {
		require.NotContains(t, found, r.Seq, "inserted twice")
		found[r.Seq] = r
		if other, known := o.txOf[r.XID]; known {
			require.Equal(t, other, r.Owner, "row %d is in another owner's transaction", r.Seq)
		}
		o.txOf[r.XID] = r.Owner
	}
	for _, i := range o.inserts {
		r, there := found[i.seq]
		delete(found, i.seq)
		switch i.fateOf() {
		case certain:
			require.True(t, there, "%s: row %d of owner %d is gone", i.what, i.seq, i.in.owner)
		case never:
			require.False(t, there, "%s: row %d of owner %d must not be there: %+v", i.what, i.seq, i.in.owner, r)
		}
		if there {
			require.Equal(t, i.in.owner, r.Owner)
		}
	}
	require.Empty(t, found)
}

// However calls overlap, nothing of one owner is done in another's transaction. What was
// acknowledged and committed is there, and nothing else is.
func TestOwnersNeverMeet(t *testing.T) {
	for _, network := range []time.Duration{0, 300 * time.Microsecond} {
		t.Run(fmt.Sprint("delay=", network), func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, proxy, target := proxied(t, "&pool_sessions=2&pool_lanes=1")
				target.MustQuery(t, "create table t (id int, owner int, seq int, xid bigint default txid_current())")
				proxy.Delay(network, network)
				o := &ownership{c: c, db: db, seed: rand.Uint64(), txOf: map[int64]int{}}
				defer func() {
					if t.Failed() {
						t.Logf("the seed is %d; the order is also that of the machine", o.seed)
					}
				}()
				for _, err := range c.together(ctx, 5, func(ctx context.Context, i int) error {
					r := rand.New(rand.NewPCG(o.seed, uint64(i)))
					for range 20 {
						if err := o.own(ctx, r); err != nil {
							return err
						}
					}
					return nil
				}) {
					require.NoError(t, err)
				}
				for _, g := range o.gates {
					g.open.Resolve(struct{}{})
				}
				for _, wait := range o.pending {
					_ = wait()
				}
				for _, err := range o.problems {
					t.Error(err)
				}
				o.check(t, ctx)
				require.NotZero(t, o.refused, "nothing came too late, so nothing was tested")
			})
		})
	}
}
