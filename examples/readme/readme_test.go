package readme_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

var authors = map[int]string{1: "Ada", 2: "Bob"}

func authorsByID(_ context.Context, ids []int) (map[int]string, error) {
	fmt.Println("select id, name from author where id in", slices.Sorted(slices.Values(ids)))
	return maps.Clone(authors), nil
}

func Example_loader() {
	author := coop.NewLoader(authorsByID) // select … where id in (:ids)
	show := func(page, id int) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			name, err := author.Load(ctx, id) // reads like a lookup of one row
			return fmt.Sprintf("page %d by %s", page, name), err
		}
	}
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		pages, err := repaint.Gather(ctx, show(1, 1), show(2, 2), show(3, 1))
		fmt.Println(pages, err)
		return err
	})
	// Output:
	// select id, name from author where id in [1 2]
	// [page 1 by Ada page 2 by Bob page 3 by Ada] <nil>
}

func Example_dump() {
	_ = repaint.Run(context.Background(), func(ctx context.Context) error {
		cache, jobs := coop.NewMutex(coop.Named("cache")), coop.NewQueue[int](0, coop.Named("jobs"))
		_ = cache.Lock(ctx)
		repaint.Spawn(ctx, jobs.Get, repaint.Named("worker"))
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 7, cache.Lock(ctx) }, repaint.Named("page 7"))
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) }, repaint.Named("refresh"))
		return repaint.DumpTasks(short(os.Stdout))
	})
	// Output:
	// task 1 (worker) waits for an item of a coop.Queue named "jobs"
	// task 2 (page 7) waits for a coop.Mutex named "cache"
	// task 3 (refresh) waits for a sleep
}

// short leaves out what doesn't fit into a README: stacks, and where tasks were spawned.
func short(w *os.File) writer {
	return func(text []byte) (int, error) {
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "task ") {
				fmt.Fprint(w, regexp.MustCompile(` \[.*\] waits`).ReplaceAllString(line, " waits"))
			}
		}
		return len(text), nil
	}
}

type writer func(text []byte) (int, error)

func (w writer) Write(text []byte) (int, error) { return w(text) }
