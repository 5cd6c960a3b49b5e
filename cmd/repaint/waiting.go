package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

// Act 3: a loop says what its tasks wait for.

// shownTasks is how many lines of the dump are shown.
const shownTasks = 5

// showWaiting shows what the tasks of a small service wait for.
func (d *demo) showWaiting(ctx context.Context) error {
	d.heading(3, "what is each task waiting for?")
	var dump bytes.Buffer
	err := repaint.Run(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var tasks []*repaint.Task[struct{}]
		for _, s := range service() {
			tasks = append(tasks, repaint.Spawn(ctx, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, s.run(ctx)
			}, repaint.Named(s.name)))
		}
		if err := repaint.DumpTasks(&dump); err != nil {
			return err
		}
		cancel()
		for _, t := range tasks {
			if _, err := repaint.Await(context.WithoutCancel(ctx), t); !errors.Is(err, context.Canceled) {
				return err
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return d.interrupt()
	}
	shown := 0
	for line := range strings.Lines(dump.String()) {
		if strings.HasPrefix(line, "task ") && shown < shownTasks {
			d.say("%s", origin.ReplaceAllString(strings.TrimSpace(line), " waits"))
			shown++
		}
	}
	d.say("A dump also says where each was spawned, and has their stacks: repaint.DumpTasks, DumpOnSignal.")
	return err
}

// origin matches the part of a line that says where the task comes from.
var origin = regexp.MustCompile(` \[[^]]*\] waits`)

type part struct {
	name string
	run  func(ctx context.Context) error
}

// service returns the parts of a service that all wait.
func service() []part {
	jobs := coop.NewQueue[int](0, coop.Named("job queue"))
	cache := coop.NewMutex(coop.Named("cache"))
	return []part{
		{"refresh", func(ctx context.Context) error {
			if err := cache.Lock(ctx); err != nil {
				return err
			}
			defer cache.Unlock()
			return repaint.Sleep(ctx, time.Minute)
		}},
		{"page 7", func(ctx context.Context) error {
			if err := cache.Lock(ctx); err != nil {
				return err
			}
			cache.Unlock()
			return nil
		}},
		{"worker", func(ctx context.Context) error {
			_, err := jobs.Get(ctx)
			return err
		}},
		{"report", func(ctx context.Context) error {
			_, err := repaint.Gather(ctx, hour, hour)
			return err
		}},
	}
}

func hour(ctx context.Context) (struct{}, error) { return struct{}{}, repaint.Sleep(ctx, time.Hour) }
