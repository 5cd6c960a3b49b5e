package repainttest_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/seed1239206e/repaint"
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

// With a Schema, Explore leaves out orders of statements that touch different tables.
func ExampleSchema() {
	// In a test file:
	_ = func(t *testing.T, main func(t *testing.T, ctx context.Context)) {
		tables := repainttest.PlainTables("account", "audit")
		repainttest.Explore(t, 10_000, main, repainttest.Reduced(tables))
	}
}
