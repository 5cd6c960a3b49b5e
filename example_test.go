package repaint_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// fetch is red: it returns at once. A real driver would send something now, and complete the
// promise when the answer comes.
func fetch(l *loop.Loop, what string) *loop.Future[string] {
	p := loop.NewPromise[string](l)
	l.CallLater(time.Second, func() { p.Resolve("the " + what) })
	return p.Future()
}

// describe is blue: it calls the red function as if that blocked.
func describe(ctx context.Context, l *loop.Loop, what string) (string, error) {
	first, err := repaint.Await(ctx, fetch(l, what))
	if err != nil {
		return "", err
	}
	second, err := repaint.Await(ctx, fetch(l, "colour of "+first))
	if err != nil {
		return "", err
	}
	return first + " and " + second, nil
}

func Example() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		l := repaint.CurrentLoop()
		start := l.Now()
		sky := repaint.Spawn(ctx, func(ctx context.Context) (string, error) { return describe(ctx, l, "sky") })
		sea := repaint.Spawn(ctx, func(ctx context.Context) (string, error) { return describe(ctx, l, "sea") })
		for _, task := range []*repaint.Task[string]{sky, sea} {
			text, err := repaint.Await(ctx, task)
			if err != nil {
				return err
			}
			fmt.Println(text)
		}
		fmt.Println("took", l.Now().Sub(start))
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	// Output:
	// the sky and the colour of the sky
	// the sea and the colour of the sea
	// took 2s
}

// A Run is a small world: what is started in it ends with it.
func ExampleRun() {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			err := repaint.Sleep(ctx, time.Hour)
			fmt.Println("the task:", err)
			return 0, err
		})
		fmt.Println("main returns")
		return nil
	})
	fmt.Println("Run:", err)
	// Output:
	// main returns
	// the task: context canceled: repaint: what this context belonged to has ended
	// Run: <nil>
}

func ExampleSpawn() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
			fmt.Println("the task runs at once,")
			err := repaint.Sleep(ctx, time.Millisecond)
			return "and later it returns", err
		})
		fmt.Println("up to its first wait")
		text, err := repaint.Await(ctx, task)
		fmt.Println(text)
		return err
	})
	// Output:
	// the task runs at once,
	// up to its first wait
	// and later it returns
}

// A task that is cancelled finds that its context has ended.
func ExampleTask() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		fmt.Println("done:", task.Done())
		task.Cancel(errors.New("not needed any more"))
		_, err := repaint.Await(ctx, task)
		fmt.Println("done:", task.Done(), err)
		return nil
	})
	// Output:
	// done: false
	// done: true context canceled: not needed any more
}

func ExampleTaskOption() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(context.Context) (int, error) {
			time.Sleep(time.Microsecond) // blocks the whole loop
			return 0, nil
		}, repaint.Named("sleeper"), repaint.RequireAwait())
		_, err := repaint.Await(ctx, task)
		fmt.Println(errors.Is(err, repaint.ErrAwaitRequired))
		return nil
	})
	// Output: true
}

// Await works in a plain goroutine, too: it waits.
func ExampleAwait() {
	p := loop.NewPromise[string](nil)
	go p.Resolve("from another goroutine")
	text, err := repaint.Await(context.Background(), p.Future())
	fmt.Println(text, err)
	// Output: from another goroutine <nil>
}

func ExampleAwaitOnly() {
	_, err := repaint.AwaitOnly(context.Background(), loop.Resolved(1))
	fmt.Println(errors.Is(err, repaint.ErrNoGreenlet))
	// Output: true
}

func ExampleSleep() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		start := repaint.CurrentLoop().Now()
		if err := repaint.Sleep(ctx, 24*time.Hour); err != nil {
			return err
		}
		fmt.Println("slept for", repaint.CurrentLoop().Now().Sub(start))
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	// Output: slept for 24h0m0s
}

// In a loop, Block keeps a blocking call from stopping the other tasks.
func ExampleBlock() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		answer := make(chan string)
		_, err := repaint.Gather(ctx,
			func(ctx context.Context) (string, error) {
				return repaint.Block(ctx, func(context.Context) (string, error) {
					fmt.Println(<-answer)
					return "", nil
				})
			},
			func(ctx context.Context) (string, error) {
				answer <- "sent by another task of the same loop"
				return "", nil
			})
		return err
	})
	// Output: sent by another task of the same loop
}

func ExampleGather() {
	twice := func(n int) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) { return 2 * n, repaint.Sleep(ctx, time.Millisecond) }
	}
	// Here the functions run in goroutines; in a loop they would be tasks.
	results, err := repaint.Gather(context.Background(), twice(1), twice(2), twice(3))
	fmt.Println(results, err)
	// Output: [2 4 6] <nil>
}

func ExampleGroup() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			err := repaint.Sleep(ctx, time.Hour)
			fmt.Println("the patient one:", errors.Is(err, context.Canceled))
			return err
		})
		g.Go(func(ctx context.Context) error { return errors.New("no such table") })
		fmt.Println("the group:", g.Wait())
		return nil
	})
	// Output:
	// the patient one: true
	// the group: no such table
}

func ExampleDeadlockError() {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		gate.Future().SetName("the gate")
		_, err := repaint.Await(ctx, gate.Future())
		return err
	})
	var deadlock *repaint.DeadlockError
	if errors.As(err, &deadlock) {
		fmt.Println(deadlock.Waiting[0])
	}
	// Output: the main function waits for the gate
}

func ExampleStats() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Millisecond) })
		}
		err := g.Wait()
		fmt.Println("waited at once:", repaint.CurrentStats().MaxWaiting)
		return err
	})
	// Output: waited at once: 3
}

func ExampleUntilDone() {
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(time.Millisecond, func() { cancel(errors.New("asked to stop")) }) // or signal.NotifyContext
	err := repaint.Run(ctx, repaint.UntilDone)
	fmt.Println(err)
	// Output: context canceled: asked to stop
}
