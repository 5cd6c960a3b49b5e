package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A download is a future with a history: whatever can be awaited as one is an Awaitable.
type download struct {
	promise loop.Promise[string]
	tries   int
}

func (d *download) AsFuture() *loop.Future[string] { return d.promise.Future() }

func ExampleAwaitable() {
	d := &download{tries: 2}
	d.promise.Resolve("page")
	var a loop.Awaitable[string] = d // repaint.Await takes it
	fmt.Println(a.AsFuture().Result())
	// Output: page <nil>
}
