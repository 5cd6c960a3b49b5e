package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/trace"
)

func Example() {
	t := trace.Start()
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		nap := repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
			return "rested", repaint.Sleep(ctx, time.Millisecond)
		}, repaint.Named("nap"))
		how, err := repaint.Await(ctx, nap)
		fmt.Println(how)
		return err
	})
	t.Stop()
	if err != nil {
		log.Fatal(err)
	}

	var page, perfetto bytes.Buffer // two files, more likely
	if err := t.WriteHTML(&page); err != nil {
		log.Fatal(err)
	}
	if err := t.WritePerfetto(&perfetto); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Contains(page.Bytes(), []byte("task 1 (nap)")), bytes.Contains(perfetto.Bytes(), []byte("a sleep")))
	// Output:
	// rested
	// true true
}

func ExampleTrace_Dropped() {
	t := trace.Start(trace.Limit(10))
	defer t.Stop()
	for range 100 {
		if err := repaint.Run(context.Background(), func(ctx context.Context) error { return repaint.Sleep(ctx, 0) }); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(t.Events(), t.Dropped() > 100)
	// Output: 10 true
}

// A longer recording needs more memory: an event takes about 80 bytes.
func ExampleOption() {
	t := trace.Start(trace.Limit(1_000_000))
	err := repaint.Run(context.Background(), func(ctx context.Context) error { return repaint.Sleep(ctx, 0) })
	t.Stop()
	fmt.Println(t.Events() > 0, t.Dropped(), err)
	// Output: true 0 <nil>
}
