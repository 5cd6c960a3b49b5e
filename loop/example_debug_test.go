package loop_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

func ExampleUnobservedError() {
	l := loop.New(loop.ReportTo(func(err error) {
		var unobserved *loop.UnobservedError
		if errors.As(err, &unobserved) {
			fmt.Printf("%s: %v\n", unobserved.What, errors.Unwrap(unobserved.Err))
		}
	}))
	p := loop.NewPromise[int](l)
	p.Future().SetName("the conversion")
	p.Complete(func() (int, error) { panic(errors.New("out of range")) })
	l.Close() // no code has looked at the future
	// Output: the conversion: out of range
}

func ExampleHeldError() {
	answer := make(chan struct{})
	l := loop.New(loop.Debug(10*time.Millisecond), loop.ReportTo(func(err error) {
		var held *loop.HeldError
		if errors.As(err, &held) {
			fmt.Println("held:", strings.Contains(held.Stack, "ExampleHeldError"))
			close(answer)
		}
	}))
	defer l.Close()
	over := false
	l.CallSoon(func() {
		<-answer // a callback must not block
		over = true
	})
	_ = l.Drive(func() bool { return over })
	// Output: held: true
}

// A bridge knows which of its tasks has control.
type bridge struct{ current string }

func (b *bridge) LoopHolder() (name, stack string) { return b.current, "" }

func ExampleHolder() {
	reported := make(chan error, 1)
	l := loop.New(loop.Debug(time.Millisecond), loop.ReportTo(func(err error) { reported <- err }))
	defer l.Close()
	l.Bridge().Watch(&bridge{current: "task 7"})
	var held *loop.HeldError
	errors.As(<-reported, &held)
	fmt.Println(held.Holder)
	// Output: task 7
}

func ExampleLoop_CallWhenIdle() {
	l := loop.New()
	defer l.Close()
	var asked []string
	for _, key := range []string{"a", "b", "c"} {
		l.CallSoon(func() { asked = append(asked, key) })
	}
	loaded := false
	l.CallWhenIdle(func() {
		fmt.Println("one query for", asked)
		loaded = true
	})
	_ = l.Drive(func() bool { return loaded })
	// Output: one query for [a b c]
}

func ExampleNewGuest() {
	host := make(chan func(), 10) // a foreign event loop
	l := loop.NewGuest(func(fn func()) { host <- fn })
	defer l.Close()
	l.CallLater(time.Millisecond, func() {
		fmt.Println("called by the host")
		close(host)
	})
	for fn := range host {
		fn()
	}
	// Output: called by the host
}

func ExampleSeed() {
	order := func(seed uint64) (order string) {
		l := loop.New(loop.Seed(seed))
		defer l.Close()
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			l.CallSoon(func() { order += name })
		}
		_ = l.Drive(func() bool { return len(order) == 8 })
		return order
	}
	once, again, other := order(1), order(1), order(2)
	fmt.Println(once == again, once == other)
	// Output: true false
}
