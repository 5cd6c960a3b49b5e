package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A query implements Canceler: it is told of a cancel without a closure, and names its promise.
type query struct {
	promise loop.Promise[int]
	sql     string
}

func (q *query) CancelFuture(cause error) { q.promise.Reject(fmt.Errorf("%s: %w", q.sql, cause)) }
func (q *query) String() string           { return "the query " + q.sql }

func ExampleCanceler() {
	l := loop.New()
	defer l.Close()
	q := &query{sql: "select 1"}
	q.promise.Bind(l, q)
	fmt.Println("waiting for", q.promise.Future())
	q.promise.Future().Cancel(nil)
	fmt.Println(q.promise.Future().Err())
	// Output:
	// waiting for the query select 1
	// select 1: context canceled
}
