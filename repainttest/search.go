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

// A Finding is a schedule in which a program fails, as [Search] and [Replay] return it. It never
// changes, and any goroutine may call its methods.
type Finding struct {
	// Err is the program's error in this schedule. A panic is a *loop.PanicError. After [Replay] it
	// is nil if the program didn't fail.
	Err error
	// Schedule is the text that repeats the failure, see [Replay]. It is empty if each task goes on
	// for as long as it can.
	Schedule string
	// Tried is the number of schedules that ran until the first failure, including the one that
	// failed.
	Tried int
	// Runs is the number of schedules that ran to shrink the first one that failed.
	Runs int

	recorded *recorder
}

// Table draws the schedule with a column for each task and a row for each step. No line is longer
// than width, in characters, unless so many tasks need more. In less than 137 characters it leaves
// out the obvious rows: a task begins, and the main function only waits for its tasks.
func (f *Finding) Table(width int) string { return f.recorded.picture(width) }

// WritePage writes the schedule as an HTML page, see [Page]. The page shows the title, which should
// name the program, and the command, which should repeat the schedule. The error is the file
// system's.
func (f *Finding) WritePage(path, title, command string) error {
	how := "The program doesn't fail in this schedule."
	if f.Err != nil {
		how = fmt.Sprintf("The program fails in this schedule: %v.", f.Err)
	}
	if err := f.recorded.writePage(path, title, how, command); err != nil {
		return fmt.Errorf("repainttest: writing the page of a schedule: %w", err)
	}
	return nil
}

// Search is [Explore] for a program that isn't a test, such as a command that shows a race. main
// fails by an error or a panic. Search runs it up to n times, each time under another schedule, and
// returns the first failure, shrunk as Explore does, or nil if there is none. tried is the number
// of schedules that ran. If it is less than n and nothing failed, there are no others. The same
// seed tries the same schedules, if chance decides nothing else in main.
//
// Search reads and writes no files or environment variables, and ignores [Page], [CheckRepeats] and
// [Sometimes]. It returns an error if an option makes no sense, if a reset of [Fresh] fails, or if
// ctx ends before a failure is found; the running schedule ends first. main gets ctx's values.
func Search(ctx context.Context, n int, seed uint64, main func(ctx context.Context) error, opts ...Option) (found *Finding, tried int, err error) {
	s, err := newSearch(ctx, main, opts)
	if err != nil {
		return nil, 0, err
	}
	return s.find(ctx, n, seed)
}

// find runs the program up to n times, until it fails.
func (s *search) find(ctx context.Context, n int, seed uint64) (found *Finding, tried int, err error) {
	most := 0
	for chance := rand.New(rand.NewPCG(seed, 0)); tried < n && !s.tree.done(); {
		if ctx.Err() != nil {
			return nil, tried, loop.ContextError(ctx)
		}
		r := s.recorder(s.settings.strategies[chance.IntN(len(s.settings.strategies))])
		r.tree = s.tree
		failure, err := s.run(r, most, chance.Uint64())
		if err != nil {
			return nil, tried, err
		}
		most = max(most, len(r.steps)-1)
		tried++
		if failure == nil {
			continue
		}
		found = &Finding{Err: failure, Tried: tried, recorded: r}
		if s.settings.shrink > 0 {
			found.recorded, found.Runs = shrink(r, s.settings.shrink, func(at schedule) (*recorder, bool) {
				if ctx.Err() != nil {
					return found.recorded, false
				}
				r := s.recorder(&replay{schedule: at})
				failure, _ := s.run(r, 0, 0)
				return r, failure != nil
			})
		}
		best := found.recorded.needed()
		found.Schedule = best.String()
		if r, failure, _ := s.repeat(best); failure != nil { // the error may be another one now
			found.recorded, found.Err = r, failure
		}
		return found, tried, nil
	}
	return nil, tried, nil
}

// Replay runs main under one schedule that [Search] or [Explore] has found. The Finding's Err is
// nil if main didn't fail. Replay returns an error if the text isn't a schedule, or if the schedule
// doesn't fit the program. In the second case the Finding shows what ran.
func Replay(ctx context.Context, text string, main func(ctx context.Context) error, opts ...Option) (*Finding, error) {
	s, err := newSearch(ctx, main, opts)
	if err != nil {
		return nil, err
	}
	at, err := parseSchedule(text)
	if err != nil {
		return nil, fmt.Errorf("repainttest: %q isn't a schedule: %w", text, err)
	}
	follow := &replay{schedule: at}
	r := s.recorder(follow)
	r.detailed = true
	found := &Finding{Tried: 1, Schedule: at.String(), recorded: r}
	if found.Err, err = s.run(r, 0, 0); err != nil {
		return nil, err
	}
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
	tree     *tree
}

func newSearch(ctx context.Context, main func(ctx context.Context) error, opts []Option) (*search, error) {
	settings, err := read(opts)
	s := &search{ctx: context.WithoutCancel(ctx), main: main, opts: opts, settings: settings}
	switch {
	case err == errChooser:
		return nil, errors.New("repainttest: an option chooses the order of callbacks (loop.Seed, loop.ChooseBy), but a search chooses it: leave the option out")
	case err != nil:
		return nil, fmt.Errorf("repainttest: %w", err)
	}
	s.tree = s.settings.newTree()
	return s, nil
}

func (s *search) recorder(how strategy) *recorder {
	return &recorder{strategy: how, faults: s.settings.faults, faultLimit: s.settings.faultLimit}
}

// repeat runs the schedule in all detail.
func (s *search) repeat(at schedule) (r *recorder, failure, err error) {
	r = s.recorder(&replay{schedule: at})
	r.detailed = true
	failure, err = s.run(r, 0, 0)
	return r, failure, err
}

// run runs one schedule, and returns how the program failed in it, and why it couldn't run.
func (s *search) run(r *recorder, steps int, seed uint64) (failure, err error) {
	r.begin(seed, steps)
	if err := s.settings.refresh(s.ctx, r); err != nil {
		return nil, fmt.Errorf("repainttest: %w", err)
	}
	defer r.watch("the program that is searched for a race")()
	began := time.Now()
	defer func() {
		r.took = time.Since(began)
		r.end()
		if p := recover(); p != nil {
			failure = loop.Recovered(p)
		}
	}()
	all := append([]loop.Option{loop.VirtualClock(Epoch)}, s.opts...)
	return repaint.Run(s.ctx, s.main, append(all, loop.ChooseBy(r))...), nil
}
