package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// An order is an Owned Runnable: each of its callbacks goes on with the same order.
type order struct {
	loop *loop.Loop
	name string
	left int
}

func (o *order) LoopOwner() string { return o.name }

func (o *order) RunInLoop() {
	if o.left--; o.left > 0 {
		o.loop.Schedule(o)
	}
}

// owners notes whose callback runs next.
type owners struct{ names []string }

func (w *owners) Choose(ready []loop.Runnable) int {
	if o, ok := ready[0].(loop.Owned); ok {
		w.names = append(w.names, o.LoopOwner())
	}
	return 0
}

// A Chooser asks for the owners, for example to repeat an order in which a program has failed.
func ExampleOwned() {
	w := &owners{}
	l := loop.New(loop.ChooseBy(w))
	defer l.Close()
	tea, toast := &order{l, "tea", 2}, &order{l, "toast", 1}
	l.Schedule(tea)
	l.Schedule(toast)
	if err := l.Drive(func() bool { return tea.left+toast.left == 0 }); err != nil {
		fmt.Println(err)
	}
	fmt.Println(w.names)
	// Output: [tea toast tea]
}
