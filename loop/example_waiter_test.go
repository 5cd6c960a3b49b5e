package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A connection waits again and again, always with the same Waiter, and is its own callback: no
// closure is made for it.
type connection struct {
	loop   *loop.Loop
	waiter loop.Waiter
	answer *loop.Promise[string]
	rounds int
}

func (c *connection) start(l *loop.Loop) {
	c.loop = l
	c.waiter.Notify(l, c)
	c.ask()
}

func (c *connection) ask() {
	c.answer = loop.NewPromise[string](c.loop)
	c.answer.Future().Subscribe(&c.waiter)
	c.loop.CallSoon(func() { c.answer.Resolve(fmt.Sprint("answer ", c.rounds)) })
}

// RunInLoop is called when the answer is there.
func (c *connection) RunInLoop() {
	fmt.Println(c.answer.Future().Result())
	if c.rounds++; c.rounds < 3 {
		c.ask()
	}
}

func ExampleWaiter() {
	l := loop.New()
	defer l.Close()
	var c connection
	c.start(l)
	_ = l.Drive(func() bool { return c.rounds == 3 })
	// Output:
	// answer 0 <nil>
	// answer 1 <nil>
	// answer 2 <nil>
}
