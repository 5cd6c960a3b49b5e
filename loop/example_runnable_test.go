package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A countdown is a Runnable: it schedules itself without a closure.
type countdown struct {
	loop *loop.Loop
	from int
}

func (c *countdown) RunInLoop() {
	fmt.Println(c.from)
	if c.from--; c.from > 0 {
		c.loop.Schedule(c)
	}
}

func ExampleRunnable() {
	l := loop.New()
	defer l.Close()
	c := &countdown{l, 3}
	l.Schedule(c)
	_ = l.Drive(func() bool { return c.from == 0 })
	// Output:
	// 3
	// 2
	// 1
}
