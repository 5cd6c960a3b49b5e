package dbconform

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// owners is a run of random transactions, savepoints and Conns on few connections. Some of their
// statements take long because of an argument, are cancelled, overlap with the end of their owner,
// or come too late. owners notes for each row whether it must be there in the end.
type owners struct {
	*run
	table string

	mu   sync.Mutex
	rows []*ownedRow
	errs []error
}

// fate says whether a row must be there. A row in a transaction or savepoint has the greater of
// their fates and its own.
type fate uint8

const (
	stays fate = iota + 1
	perhaps
	never
)

// An ownedRow is a row that was inserted, or should have been, in a transaction, in a savepoint, or
// in none.
type ownedRow struct {
	in   *ownerScope
	fate fate
}

// An ownerScope is a transaction or savepoint whose rollback undoes a row; nil if there is none.
type ownerScope struct {
	in   *ownerScope
	fate fate
}

func (r *ownedRow) fateOf() fate {
	f := r.fate
	for s := r.in; s != nil; s = s.in {
		f = max(f, s.fate)
	}
	return f
}

// ended notes the fate of a transaction or savepoint.
func (o *owners) ended(in *ownerScope, f fate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	in.fate = f
}

func (o *owners) wrong(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs = append(o.errs, fmt.Errorf(format, args...))
}

// insert inserts a row whose number is its place in the list. If value is nil, it sends that number
// at once.
func (o *owners) insert(ctx context.Context, q db.Querier, in *ownerScope, value *slow) error {
	o.mu.Lock()
	row := &ownedRow{in: in, fate: perhaps}
	o.rows = append(o.rows, row)
	id := len(o.rows)
	o.mu.Unlock()
	var arg any = id
	if value != nil {
		value.value = int64(id)
		arg = value
	}
	_, err := q.Exec(ctx, "insert into "+o.table+" (id, value) values (:id, 'x')", named("id", arg))
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		row.fate = stays
	case !errors.Is(err, context.Canceled) && !errors.Is(err, db.ErrUnknownOutcome):
		row.fate = never
	}
	return err
}

// overlap begins an insert that takes long, and calls end meanwhile. end must return db.ErrInUse.
// Then overlap lets the insert go on. It reports whether end has ended the owner all the same,
// which it may if the insert was refused.
func (o *owners) overlap(ctx context.Context, q db.Querier, in *ownerScope, end func() error) (ended bool) {
	value := newSlow(0)
	wait := o.start(ctx, func(ctx context.Context) error {
		err := o.insert(ctx, q, in, value)
		value.asked.give() // in case Value was never called
		return err
	})
	if err := value.asked.wait(ctx); err != nil {
		o.wrong("waiting for the argument: %w", err)
	}
	err := end()
	if err != nil && !errors.Is(err, db.ErrInUse) {
		o.wrong("the end of what is in use: %w", err)
	}
	value.open.give()
	_ = wait()
	return err == nil
}

// cancelled runs an insert whose context ends during the insert.
func (o *owners) cancelled(ctx context.Context, q db.Querier, in *ownerScope) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := o.start(ctx, func(context.Context) error { cancel(); return nil })
	_ = o.insert(ctx, q, in, nil)
	_ = stop()
}

// fill does some random work in a transaction.
func (o *owners) fill(ctx context.Context, r *rand.Rand, tx *db.Tx, in *ownerScope, depth int) {
	for range r.IntN(3) {
		_ = o.insert(ctx, tx, in, nil)
	}
	if depth > 0 && r.IntN(2) == 0 {
		if nested, err := tx.BeginTx(ctx); err == nil {
			o.transaction(ctx, r, nested, &ownerScope{in: in, fate: perhaps}, depth-1)
		}
	}
	switch r.IntN(5) {
	case 0:
		if o.overlap(ctx, tx, in, func() error { return tx.Rollback(ctx) }) {
			o.ended(in, never)
		}
	case 1:
		o.cancelled(ctx, tx, in)
	}
}

// transaction uses a transaction or a savepoint, ends it, and then makes late calls.
func (o *owners) transaction(ctx context.Context, r *rand.Rand, tx *db.Tx, in *ownerScope, depth int) {
	o.fill(ctx, r, tx, in, depth)
	ended := never
	if r.IntN(3) > 0 && tx.Commit(ctx) == nil {
		ended = stays
	} else if err := tx.Rollback(ctx); err != nil && !errors.Is(err, db.ErrTxDone) {
		o.wrong("rollback: %w", err)
	}
	o.ended(in, ended)
	o.late(ctx, r, tx, in, o.callsOfTx(tx, o.table))
}

// late makes random calls on an owner that has ended.
func (o *owners) late(ctx context.Context, r *rand.Rand, q db.Querier, in *ownerScope, calls map[string]func() error) {
	skip := r.IntN(len(calls))
	for name, call := range calls {
		if skip--; skip > 0 {
			continue
		}
		if err := call(); !errors.Is(err, db.ErrTxDone) && !errors.Is(err, db.ErrClosed) {
			o.wrong("late: %s: %v", name, err)
		}
		break
	}
	if err := o.insert(ctx, q, in, nil); err == nil {
		o.wrong("a late insert")
	}
}

// own is the life of one owner.
func (o *owners) own(ctx context.Context, r *rand.Rand) error {
	in := &ownerScope{fate: perhaps}
	switch r.IntN(3) {
	case 0:
		tx, err := o.e.BeginTx(ctx)
		if err == nil {
			o.transaction(ctx, r, tx, in, 2)
		}
		return err
	case 1:
		// The function ends while a statement is on its way.
		var wait func() error
		var kept *db.Tx
		value := newSlow(0)
		err := o.e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			kept = tx
			o.fill(ctx, r, tx, in, 1)
			wait = o.start(context.WithoutCancel(ctx), func(ctx context.Context) error {
				err := o.insert(ctx, tx, in, value)
				value.asked.give()
				return err
			})
			if err := value.asked.wait(ctx); err != nil || r.IntN(2) == 0 {
				return errors.Join(errOfTheCase, err)
			}
			return nil
		})
		switch {
		case err != nil:
			o.ended(in, never)
		case in.fate != never: // otherwise the function has rolled back, as it may
			o.ended(in, stays)
		}
		value.open.give()
		_ = wait()
		o.late(ctx, r, kept, in, o.callsOfTx(kept, o.table))
		return nil
	}
	conn, err := o.e.Connect(ctx)
	if err != nil {
		return err
	}
	for range r.IntN(3) {
		_ = o.insert(ctx, conn, nil, nil)
	}
	if r.IntN(2) == 0 {
		if tx, err := conn.BeginTx(ctx); err == nil {
			o.transaction(ctx, r, tx, in, 2)
		}
	}
	if r.IntN(3) == 0 {
		o.cancelled(ctx, conn, nil)
	}
	end := conn.Close
	if r.IntN(3) == 0 {
		o.overlap(ctx, conn, nil, end)
	}
	if err := end(); err != nil {
		o.wrong("close: %w", err)
	}
	o.late(ctx, r, conn, nil, o.callsOfConn(conn, o.table))
	return nil
}

var meeting = test{"owners never meet", func(c *run) {
	c.engine(db.PoolSize(2))
	table := c.items(0)
	o := &owners{run: c, table: table}
	seed := rand.Uint64()
	defer func() {
		if c.Failed() {
			c.Logf("the seed is %d; the order is also that of the machine", seed)
		}
	}()
	require.NoError(c, c.together(4, func(ctx context.Context, i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for range 12 {
			if err := o.own(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, err := range o.errs {
		c.Error(err)
	}
	ids, err := db.All[int](c.ctx, c.engine(), "select id from "+table)
	require.NoError(c, err)
	found := map[int]bool{}
	for _, id := range ids {
		found[id] = true
	}
	for i, row := range o.rows {
		there := found[i+1]
		delete(found, i+1)
		switch row.fateOf() {
		case stays:
			require.True(c, there, "row %d is gone", i+1)
		case never:
			require.False(c, there, "row %d must not be there", i+1)
		}
	}
	require.Empty(c, found)
	require.Zero(c, c.engine().Stats().InUse)
}}
