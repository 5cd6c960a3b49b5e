package repainttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Finding is a schedule in which a program fails.
type Finding struct {
	// Err is the program's error, or its panic, in this schedule.
	Err error
	// Schedule repeats the failure, see [Replay]. It is empty if each task goes on for as long as
	// it can.
	Schedule string
	// Tried is the number of schedules that ran until the first one failed, with that one.
	Tried int
	// Runs is the number of schedules that were tried to shrink it.
	Runs int

	recorded *recorder
}

// Table draws the schedule with a column for each task and a row for each step. No line is longer
// than width, in characters, unless there are so many tasks that their columns get too narrow.
func (f *Finding) Table(width int) string { return f.recorded.picture(width) }

// Search is [Explore] for a program that isn't a test: a command that shows a race, say. main fails
// by an error or a panic. Search runs it up to n times, each time under another schedule, and
// returns the first failure, shrunk as Explore does, or nil if there is none. tried is the number
// of schedules that ran; fewer than n are all that there are. The same seed tries the same
// schedules, if nothing else in main is a matter of chance.
//
// Search reads and writes no files or environment variables, and [Sometimes] isn't for it. It
// returns an error if ctx ends before a failure is found; a schedule that runs is ended first. main
// gets ctx's values.
func Search(ctx context.Context, n int, seed uint64, main func(ctx context.Context) error, opts ...Option) (found *Finding, tried int, err error) {
	s, err := newSearch(ctx, main, opts)
	if err != nil {
		return nil, 0, err
	}
	var explored tree
	most := 0
	for chance := rand.New(rand.NewPCG(seed, 0)); tried < n && !explored.done(); {
		if ctx.Err() != nil {
			return nil, tried, loop.ContextError(ctx)
		}
		r := s.recorder(s.settings.strategies[chance.IntN(len(s.settings.strategies))])
		r.tree = &explored
		failure := s.run(r, most, chance.Uint64())
		most = max(most, len(r.steps)-1)
		tried++
		if failure == nil {
			continue
		}
		found = &Finding{Err: failure, Tried: tried, recorded: r}
		if s.settings.shrink > 0 {
			found.recorded, found.Runs = shrink(r, s.settings.shrink, func(at schedule) (*recorder, bool) {
				r := s.recorder(&replay{schedule: at})
				return r, ctx.Err() == nil && s.run(r, 0, 0) != nil
			})
		}
		best := found.recorded.needed()
		found.Schedule = best.String()
		if r, failure := s.repeat(best); failure != nil { // with the places of all statements
			found.recorded, found.Err = r, failure
		}
		return found, tried, nil
	}
	return nil, tried, nil
}

// Replay runs main under one schedule, as [Search] or [Explore] has found it. The Finding's Err is
// nil if main didn't fail. Replay returns an error if the text is no schedule, or the schedule
// doesn't fit the program: then the Finding shows what has run.
func Replay(ctx context.Context, text string, main func(ctx context.Context) error, opts ...Option) (*Finding, error) {
	s, err := newSearch(ctx, main, opts)
	if err != nil {
		return nil, err
	}
	at, err := parseSchedule(text)
	if err != nil {
		return nil, fmt.Errorf("repainttest: %q is no schedule: %w", text, err)
	}
	follow := &replay{schedule: at}
	r := s.recorder(follow)
	r.detailed = true
	found := &Finding{Tried: 1, Schedule: at.String(), recorded: r}
	found.Err = s.run(r, 0, 0)
	if misfit := follow.verdict(); misfit != "" {
		return found, fmt.Errorf("repainttest: the schedule %q doesn't fit the program: %s", at, misfit)
	}
	return found, nil
}

// A search runs one program under many schedules.
type search struct {
	ctx      context.Context
	main     func(ctx context.Context) error
	opts     []Option
	settings *settings
}

func newSearch(ctx context.Context, main func(ctx context.Context) error, opts []Option) (*search, error) {
	s := &search{context.WithoutCancel(ctx), main, opts, read(opts)}
	if s.settings == nil {
		return nil, errors.New("repainttest: an option chooses the order of things (loop.WithSeed, loop.WithChooser), which a search does itself: leave it out")
	}
	return s, nil
}

func (s *search) recorder(how strategy) *recorder {
	return &recorder{strategy: how, faults: s.settings.faults, faultLimit: s.settings.faultLimit}
}

// repeat runs the schedule in all detail.
func (s *search) repeat(at schedule) (*recorder, error) {
	r := s.recorder(&replay{schedule: at})
	r.detailed = true
	return r, s.run(r, 0, 0)
}

// run runs one schedule, and returns how the program failed in it.
func (s *search) run(r *recorder, steps int, seed uint64) (failure error) {
	r.begin(seed, steps)
	defer r.watch("the program that is searched for a race")()
	began := time.Now()
	defer func() {
		r.took = time.Since(began)
		r.end()
		if p := recover(); p != nil {
			failure = loop.Recovered(p)
		}
	}()
	all := append([]loop.Option{loop.WithVirtualClock(Epoch)}, s.opts...)
	return repaint.Run(s.ctx, s.main, append(all, loop.WithChooser(r))...)
}
