package repaint_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

func ExampleFirst() {
	mirror := func(name string, latency time.Duration, err error) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if err := repaint.Sleep(ctx, latency); err != nil {
				return "", err // another mirror was faster
			}
			return name, err
		}
	}
	name, err := repaint.First(context.Background(),
		mirror("broken", 0, errors.New("refused")),
		mirror("far", time.Hour, nil),
		mirror("near", time.Millisecond, nil))
	fmt.Println(name, err)
	// Output: near <nil>
}

func ExampleAsCompleted() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		after := func(d time.Duration) func(ctx context.Context) (time.Duration, error) {
			return func(ctx context.Context) (time.Duration, error) { return d, repaint.Sleep(ctx, d) }
		}
		for d, err := range repaint.AsCompleted(ctx, after(3*time.Second), after(time.Second), after(2*time.Second)) {
			fmt.Println(d, err)
		}
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	// Output:
	// 1s <nil>
	// 2s <nil>
	// 3s <nil>
}

func ExampleEach() {
	load := func(ctx context.Context, id int) (string, error) {
		return fmt.Sprint("user ", id), repaint.Sleep(ctx, time.Millisecond)
	}
	ids := slices.Values([]int{1, 2, 3, 4})
	for user, err := range repaint.Each(context.Background(), 2, ids, load) { // two at a time
		fmt.Println(user, err)
	}
	// Output:
	// user 1 <nil>
	// user 2 <nil>
	// user 3 <nil>
	// user 4 <nil>
}

func ExampleWithTimeout() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := repaint.WithTimeout(ctx, time.Hour)
		defer cancel()
		fmt.Println(repaint.Sleep(ctx, 24*time.Hour)) // on this clock that takes no time
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	// Output: context deadline exceeded
}

func ExampleGroup_SetLimit() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		running, most := 0, 0
		g := repaint.NewGroup(ctx)
		g.SetLimit(3)
		for range 10 {
			g.Go(func(ctx context.Context) error { // waits for a place
				running++
				most = max(most, running)
				defer func() { running-- }()
				return repaint.Sleep(ctx, time.Millisecond)
			})
		}
		err := g.Wait()
		fmt.Println(most, err)
		return nil
	})
	// Output: 3 <nil>
}

// A caller waits until a function is ready, as with trio's nursery.start. The wait ends if the
// function fails before that.
func ExampleGroup_Context() {
	serve := func(ctx context.Context, address string, ready *loop.Promise[string]) error {
		if address == "" {
			return errors.New("no address to listen on")
		}
		ready.Resolve("listening on " + address)
		return repaint.Sleep(ctx, time.Millisecond)
	}
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		for _, address := range []string{"localhost:80", ""} {
			g := repaint.NewGroup(ctx)
			ready := loop.NewPromise[string](nil)
			g.Go(func(ctx context.Context) error { return serve(ctx, address, ready) })
			fmt.Println(repaint.Await(g.Context(), ready.Future()))
			fmt.Println(g.Wait())
		}
		return nil
	})
	// Output:
	// listening on localhost:80 <nil>
	// <nil>
	//  context canceled: no address to listen on
	// no address to listen on
}

// A queue is a foreign event loop.
type queue chan func()

func (q queue) Post(fn func()) { q <- fn }

func ExampleHost() {
	events := make(queue, 10)
	guest, err := repaint.Attach(context.Background(), events)
	if err != nil {
		fmt.Println(err)
		return
	}
	// In one of the event loop's callbacks:
	repaint.Spawn(guest.Context(), func(ctx context.Context) (int, error) {
		fmt.Println("begins at once")
		err := repaint.Sleep(ctx, time.Millisecond)
		fmt.Println("goes on when the event loop comes to it")
		events.Post(func() { guest.Detach(func(error) { close(events) }) })
		return 0, err
	})
	fmt.Println("the callback returns")
	for event := range events {
		event()
	}
	// Output:
	// begins at once
	// the callback returns
	// goes on when the event loop comes to it
}

func ExampleGuest() {
	events := make(queue, 10)
	guest, _ := repaint.Attach(context.Background(), events)
	repaint.Spawn(guest.Context(), func(ctx context.Context) (int, error) {
		err := repaint.Sleep(ctx, time.Hour)
		fmt.Println(err)
		return 0, err
	})
	guest.Detach(func(err error) {
		fmt.Println("detached", err)
		close(events)
	})
	for event := range events {
		event()
	}
	// Output:
	// context canceled: repaint: what this context belonged to has ended
	// detached <nil>
}

func ExampleDumpTasks() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		answer := loop.NewPromise[int](nil)
		answer.Future().SetName("the answer")
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Await(ctx, answer.Future())
		}, repaint.Named("asker"))
		var dump strings.Builder
		err := repaint.DumpTasks(&dump)
		fmt.Println(strings.Contains(dump.String(), "task 1 (asker)"), strings.Contains(dump.String(), "waits for the answer"))
		return err
	})
	// Output: true true
}

func ExampleDumpOnSignal() {
	// With syscall.SIGQUIT, Ctrl-\ shows what all tasks of the program are doing.
	defer repaint.DumpOnSignal(os.Stderr, dumpSignal)()
}

func ExampleStubbornError() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error { return nil },
		loop.ReportTo(func(err error) {
			var stubborn *repaint.StubbornError
			if errors.As(err, &stubborn) {
				fmt.Println(stubborn.Tasks, "have overlooked for", stubborn.For, "that they are cancelled")
			}
		}))
	// Output:
}
