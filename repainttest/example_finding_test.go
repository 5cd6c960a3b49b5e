package repainttest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/repainttest"
)

// A Finding's Schedule repeats the failure.
func ExampleFinding() {
	ctx := context.Background()
	found, _, err := repainttest.Search(ctx, 100, 1, withdrawals(2))
	if err != nil || found == nil {
		fmt.Println("no failure", err)
		return
	}
	fmt.Println(found.Err)
	again, err := repainttest.Replay(ctx, found.Schedule, withdrawals(2))
	fmt.Println(again.Err, err)
	// Output:
	// overdrawn
	// overdrawn <nil>
}

// Each schedule loses the connection at another statement, before or after its execution. What a
// transfer has moved must arrive all the same.
func ExampleFault() {
	// In a test file:
	_ = func(t *testing.T, transfer, check func(ctx context.Context) error) {
		repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
			_ = transfer(ctx) // it may fail
			if err := check(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		}, repainttest.Faults(repainttest.LostBefore, repainttest.LostAfter))
	}
}

// Two doctors go off duty, and one has to stay. The table shows at which isolation level the
// database keeps that rule.
func ExampleOutcome() {
	// In a test file:
	_ = func(t *testing.T, leave func(ctx context.Context, doctor int, level sql.IsolationLevel) (aborted int, err error), onDuty func(ctx context.Context) int) {
		results := repainttest.Isolations(t, 100, func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *repainttest.Outcome) {
			one := func(ctx context.Context) (int, error) { return leave(ctx, 1, level) }
			two := func(ctx context.Context) (int, error) { return leave(ctx, 2, level) }
			aborted, err := repaint.Gather(ctx, one, two)
			if err != nil {
				t.Fatal(err)
			}
			o.Aborted = aborted[0] + aborted[1]
			o.Wrong = onDuty(ctx) == 0
		})
		for _, r := range results {
			if r.Level == sql.LevelSerializable && r.Wrong > 0 {
				t.Errorf("%d of %d schedules broke the rule", r.Wrong, r.Schedules)
			}
		}
	}
}

// Isolations counts the Outcomes of each level.
func ExampleIsolationResult() {
	results := []repainttest.IsolationResult{
		{Level: sql.LevelReadCommitted, Schedules: 70, Of: 70, Wrong: 40},
		{Level: sql.LevelSerializable, Schedules: 70, Of: 70, Aborted: 40},
	}
	for _, r := range results {
		if r.Wrong == 0 {
			fmt.Println(r.Level, "keeps the rule; of", r.Schedules, "schedules", r.Aborted, "have to be repeated")
		}
	}
	// Output: Serializable keeps the rule; of 70 schedules 40 have to be repeated
}

// Options of Search and Explore choose the schedules; those of package loop configure each loop.
func ExampleOption() {
	opts := []repainttest.Option{repainttest.Exhaustive(), loop.VirtualClock(time.Unix(0, 0))}
	found, tried, err := repainttest.Search(context.Background(), 1000, 1, withdrawals(1), opts...)
	fmt.Println(found == nil, tried < 1000, err)
	// Output: true true <nil>
}

// Any function that returns rows as texts is a Query.
func ExampleQuery() {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1) // each connection has a database of its own
	query := repainttest.Texts(pool)
	fmt.Println(query(context.Background(), "select 1, 'one'"))
	// Output: [[1 one]] <nil>
}

// A Schema that was read from the catalogue vouches for each table that it knows.
func ExampleSchema_read() {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	schema, err := repainttest.ReadSchema(ctx, repainttest.Texts(pool))
	if err != nil {
		fmt.Println(err)
		return
	}
	found, _, err := repainttest.Search(ctx, 1000, 1, withdrawals(1), repainttest.Reduced(schema))
	fmt.Println(found == nil, err)
	// Output: true <nil>
}

// The test's function says in the Outcome what its schedule has come to.
func ExampleOutcome_doctors() {
	conflict := errors.New("could not serialize access") // as the database's driver has it
	judge := func(o *repainttest.Outcome, onDuty int, errs ...error) {
		o.Wrong = onDuty == 0
		for _, err := range errs {
			if errors.Is(err, conflict) {
				o.Aborted++
			}
		}
	}
	var o repainttest.Outcome
	judge(&o, 1, nil, conflict)
	fmt.Println(o.Wrong, o.Aborted)
	// Output: false 1
}

// With a Schema, Explore leaves out orders of statements that touch different tables.
func ExampleSchema() {
	// In a test file:
	_ = func(t *testing.T, main func(t *testing.T, ctx context.Context)) {
		tables := repainttest.PlainTables("account", "audit")
		repainttest.Explore(t, 10_000, main, repainttest.Reduced(tables))
	}
}
