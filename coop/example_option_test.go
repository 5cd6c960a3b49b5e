package coop_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

// The options are for all tools. A name appears in the dump of a deadlock, and an unbound tool can
// be used by other goroutines, too.
func ExampleOption() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		ready := coop.NewEvent(coop.Named("ready"), coop.Unbound())
		go ready.Set() // a goroutine outside the loop
		err := ready.Wait(ctx)
		fmt.Println(err)
		return err
	})
	// Output: <nil>
}

// Cached is an option of loaders only. Named and Unbound are for loaders, too.
func ExampleLoaderOption() {
	calls := 0
	squares := coop.NewLoader(func(_ context.Context, keys []int) (map[int]int, error) {
		calls++
		found := map[int]int{}
		for _, k := range keys {
			found[k] = k * k
		}
		return found, nil
	}, coop.Cached(), coop.Named("squares"))
	for range 3 {
		n, err := squares.Load(context.Background(), 7)
		fmt.Println(n, err)
	}
	fmt.Println("calls:", calls)
	// Output:
	// 49 <nil>
	// 49 <nil>
	// 49 <nil>
	// calls: 1
}
