package loop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A loop runs what it's told to, in order, until a condition holds.
func Example() {
	l := loop.New()
	defer l.Close()

	answer := loop.NewPromise[int](l)
	l.CallSoon(func() {
		fmt.Println("thinking")
		l.CallLater(time.Millisecond, func() { answer.Resolve(42) })
	})

	if err := l.Drive(answer.Future().Done); err != nil {
		fmt.Println(err)
	}
	fmt.Println(answer.Future().Result())
	// Output:
	// thinking
	// 42 <nil>
}

func ExampleLoop_CallSoon() {
	l := loop.New()
	defer l.Close()
	done := false
	l.CallSoon(func() {
		l.CallSoon(func() {
			fmt.Println("what a callback schedules comes in the next tick")
			done = true
		})
		fmt.Println("first")
	})
	l.CallSoon(func() { fmt.Println("second") })
	_ = l.Drive(func() bool { return done })
	// Output:
	// first
	// second
	// what a callback schedules comes in the next tick
}

// Other goroutines reach the loop by Post. Hold tells it that one will.
func ExampleLoop_Post() {
	l := loop.New()
	defer l.Close()
	var lines []string // needs no lock: only callbacks touch it
	closed := false

	l.Bridge().Hold()
	go func() {
		for line := range strings.Lines("one\ntwo\n") {
			l.Post(func() { lines = append(lines, strings.TrimSpace(line)) })
		}
		l.Post(func() {
			closed = true
			l.Bridge().Release()
		})
	}()

	err := l.Drive(func() bool { return closed })
	fmt.Println(lines, err)
	// Output: [one two] <nil>
}

// Without the Hold, and with nothing else to wait for, silence is a deadlock.
func ExampleLoop_Drive_deadlock() {
	l := loop.New()
	defer l.Close()
	egg, hen := loop.NewPromise[string](l), loop.NewPromise[string](l)
	egg.Future().OnDone(l, func() { hen.Resolve("hen") })
	hen.Future().OnDone(l, func() { egg.Resolve("egg") })

	err := l.Drive(hen.Future().Done)
	fmt.Println(errors.Is(err, loop.ErrDeadlock))
	// Output: true
}

// A driver collects during the tick what it has to write, and writes it once.
func ExampleLoop_OnTickEnd() {
	l := loop.New()
	defer l.Close()
	var buffer []string
	remove := l.OnTickEnd(func() {
		if len(buffer) > 0 {
			fmt.Println("write:", strings.Join(buffer, " "))
			buffer = nil
		}
	})
	defer remove()

	for _, query := range []string{"a", "b", "c"} {
		l.CallSoon(func() { buffer = append(buffer, query) })
	}
	l.CallLater(time.Millisecond, func() { buffer = append(buffer, "d") })
	_ = l.Drive(func() bool { return l.Stats().Callbacks == 4 })
	// Output:
	// write: a b c
	// write: d
}

// On a virtual clock hours pass in no time.
func ExampleVirtualClock() {
	start := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	l := loop.New(loop.VirtualClock(start))
	defer l.Close()

	attempts := 0
	backoff := time.Minute
	var try func()
	try = func() {
		attempts++
		fmt.Println(l.Now().Format(time.TimeOnly))
		l.CallLater(backoff, try)
		backoff *= 4
	}
	l.CallSoon(try)
	_ = l.Drive(func() bool { return attempts == 4 })
	// Output:
	// 00:00:00
	// 00:01:00
	// 00:05:00
	// 00:21:00
}

// With a limit of one, offloaded functions run one after the other.
func ExampleOffloadLimit() {
	l := loop.New(loop.OffloadLimit(1))
	defer l.Close()
	left := 3
	for i := range left {
		f := loop.Offload(l, func() (string, error) { return fmt.Sprint("job ", i), nil })
		f.OnDone(l, func() {
			left--
			fmt.Println(f.Result())
		})
	}
	_ = l.Drive(func() bool { return left == 0 })
	// Output:
	// job 0 <nil>
	// job 1 <nil>
	// job 2 <nil>
}

// A timer can be stopped as long as its function hasn't been called, also in the tick in which it
// is due.
func ExampleTimer() {
	l := loop.New(loop.VirtualClock(time.Time{}))
	defer l.Close()
	var timeout *loop.Timer
	l.CallLater(time.Second, func() {
		fmt.Println("an answer, just in time")
		fmt.Println("timeout stopped:", timeout.Stop())
	})
	timeout = l.CallLater(time.Second, func() { fmt.Println("timeout") })
	err := l.Drive(func() bool { return false })
	fmt.Println("nothing is left:", errors.Is(err, loop.ErrDeadlock))
	// Output:
	// an answer, just in time
	// timeout stopped: true
	// nothing is left: true
}

// A timer that sets itself again is a ticker.
func ExampleTimer_Reset() {
	l := loop.New(loop.VirtualClock(time.Time{}))
	defer l.Close()
	ticks := 0
	var ticker *loop.Timer
	ticker = l.CallLater(time.Second, func() {
		ticks++
		fmt.Println("tick", ticks)
		ticker.Reset(time.Second)
	})
	_ = l.Drive(func() bool { return ticks == 3 })
	// Output:
	// tick 1
	// tick 2
	// tick 3
}

// A plain goroutine can wait for a future, whatever code completes it.
func ExampleFuture() {
	promise := loop.NewPromise[string](nil)
	go promise.Resolve("done")

	future := promise.Future()
	fmt.Println(future.Wait(context.Background()))
	fmt.Println(future.Done(), future.Err())
	fmt.Println(loop.NewPromise[int](nil).Future().Result())
	// Output:
	// done <nil>
	// true <nil>
	// 0 loop: the future isn't done yet
}

// The first completion counts, and each attempt is told whether it was that.
func ExamplePromise() {
	promise := loop.NewPromise[string](nil)
	fmt.Println(promise.Resolve("first"))
	fmt.Println(promise.Reject(errors.New("second")))
	fmt.Println(promise.Future().Cancel(nil))
	fmt.Println(promise.Future().Result())
	// Output:
	// true
	// false
	// false
	// first <nil>
}

// Complete turns whatever a function does into a result.
func ExamplePromise_Complete() {
	var good, bad loop.Promise[string]
	good.Complete(func() (string, error) { return "value", nil })
	bad.Complete(func() (string, error) { _, err := os.ReadFile("/does/not/exist"); return "", err })
	fmt.Println(good.Future().Result())
	fmt.Println(errors.Is(bad.Future().Err(), os.ErrNotExist))
	// Output:
	// value <nil>
	// true
}

// The owner of a promise decides what a cancel means.
func ExamplePromise_OnCancel() {
	promise := loop.NewPromise[string](nil)
	promise.OnCancel(func(cause error) {
		fmt.Println("stopping the work:", cause)
		promise.Reject(fmt.Errorf("stopped: %w", cause))
	})
	fmt.Println(promise.Future().Cancel(errors.New("nobody is interested")))
	fmt.Println(promise.Future().Err())
	// Output:
	// stopping the work: nobody is interested
	// true
	// stopped: nobody is interested
}

func ExampleLatch_OnDone() {
	l := loop.New()
	defer l.Close()
	promise := loop.NewPromise[int](nil) // bound to none: another goroutine completes it
	future := promise.Future()
	sum := 0
	future.OnDone(l, func() {
		v, _ := future.Result()
		sum += v
	})
	future.OnDone(l, func() { fmt.Println("sum:", sum) })
	go promise.Resolve(42)

	_ = l.Drive(func() bool { return sum > 0 })
	// Output: sum: 42
}

// Dumps show the name of what a task waits for.
func ExampleLatch_SetName() {
	promise := loop.NewPromise[int](nil)
	promise.Future().SetName("a free connection")
	fmt.Println("waiting for", promise.Future())
	// Output: waiting for a free connection
}

func ExampleResolved() {
	f := loop.Resolved("from the cache")
	fmt.Println(f.Result())
	// Output: from the cache <nil>
}

func ExampleFailed() {
	f := loop.Failed[string](errors.New("refused"))
	fmt.Println(f.Err())
	// Output: refused
}

// What blocks runs in another goroutine, and the loop goes on.
func ExampleOffload() {
	l := loop.New()
	defer l.Close()
	proceed := make(chan struct{})
	f := loop.Offload(l, func() (string, error) {
		<-proceed // it blocks
		return "contents", nil
	})
	l.CallSoon(func() {
		fmt.Println("the loop isn't blocked")
		close(proceed)
	})
	done := false
	f.OnDone(l, func() {
		fmt.Println(f.Result())
		done = true
	})
	_ = l.Drive(func() bool { return done })
	// Output:
	// the loop isn't blocked
	// contents <nil>
}

// A joined function isn't abandoned: when its future is done, it no longer uses the buffer.
func ExampleOffloadJoined() {
	l := loop.New()
	defer l.Close()
	buffer := make([]byte, 4)
	began, proceed := make(chan struct{}), make(chan struct{})
	f := loop.OffloadJoined(l, func() (int, error) {
		close(began)
		<-proceed
		return copy(buffer, "data"), nil
	})
	<-began
	f.Cancel(errors.New("too slow"))
	fmt.Println("done after the cancel:", f.Done())
	close(proceed)
	fmt.Println(f.Wait(context.Background()))
	// Output:
	// done after the cancel: false
	// 4 <nil>
}

func ExamplePanicError() {
	l := loop.New()
	defer l.Close()
	f := loop.Offload(l, func() (int, error) {
		panic(fmt.Errorf("parse config: %w", os.ErrInvalid))
	})
	_, err := f.Wait(context.Background())

	if p, ok := errors.AsType[*loop.PanicError](err); ok {
		fmt.Println("panicked with:", p.Value)
		fmt.Println("has a stack:", len(p.Stack) > 0)
	}
	fmt.Println("is os.ErrInvalid:", errors.Is(err, os.ErrInvalid))
	// Output:
	// panicked with: parse config: invalid argument
	// has a stack: true
	// is os.ErrInvalid: true
}

func ExampleLoop_Stats() {
	l := loop.New(loop.VirtualClock(time.Time{}))
	defer l.Close()
	for range 100 {
		l.CallSoon(func() {})
	}
	l.CallLater(time.Hour, func() {})
	_ = l.Drive(func() bool { return false })
	s := l.Stats()
	fmt.Println(s.Callbacks, "callbacks in", s.Ticks, "ticks")
	// Output: 101 callbacks in 2 ticks
}

// A Stats is a value: a later one less an earlier one says what happened in between.
func ExampleStats() {
	l := loop.New(loop.VirtualClock(time.Time{}))
	defer l.Close()
	timer := l.CallLater(time.Hour, func() {})
	before := l.Stats()
	timer.Stop()
	l.CallSoon(func() {})
	l.CallSoon(func() {})
	after := l.Stats()
	fmt.Println(before.Timers, "timer,", after.Timers, "now;", after.Ready-before.Ready, "callbacks more are ready")
	// Output: 1 timer, 0 now; 2 callbacks more are ready
}

func ExampleContextError() {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the server shuts down"))
	err := loop.ContextError(ctx)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// context canceled: the server shuts down
	// true
}
