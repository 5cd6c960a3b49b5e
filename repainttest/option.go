package repainttest

import (
	"context"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// An Option of [Explore] is one of this package's, or one of the loop's. This package's options do
// nothing in other loops.
type Option = loop.Option

// settings hold what the options say. They are the chooser of a loop that exists only to take the
// options.
type settings struct {
	strategies []strategy
	check      bool
	shrink     time.Duration
	faults     []Fault
	faultLimit int
	page       string
	resets     []func(ctx context.Context) error
	schema     *Schema // see Reduced; or nil
}

// Choose implements [loop.Chooser]. The loop never runs.
func (s *settings) Choose([]loop.Runnable) int {
	panic("repainttest: the settings were asked for a schedule")
}

// setting makes an option that changes the settings.
func setting(fn func(*settings)) Option {
	return func(l *loop.Loop) {
		if s, ok := l.Chooser().(*settings); ok {
			fn(s)
		}
	}
}

// read returns the settings of the options, or nil if one of them sets another chooser.
func read(opts []Option) *settings {
	s := &settings{shrink: shrinkTime, faultLimit: 1}
	l := loop.New(append([]Option{loop.ChooseBy(s)}, opts...)...)
	if l.Chooser() != loop.Chooser(s) {
		return nil
	}
	switch {
	case s.strategies != nil:
	case s.schema != nil:
		s.strategies = []strategy{exhaustive{}}
	default:
		s.strategies = portfolio()
	}
	return s
}

// CheckRepeats runs each schedule that hasn't failed a second time. If something else happens then,
// the test fails and shows the first difference. Such differences come from things that a schedule
// doesn't decide: real time, chance, the order of a map, the program's own goroutines.
func CheckRepeats() Option { return setting(func(s *settings) { s.check = true }) }

// shrinkTime is the default of [ShrinkFor].
const shrinkTime = 3 * time.Second

// ShrinkFor limits the real time for finding a shorter schedule that fails too. The default is 3
// seconds. With 0 the schedule is shown as it was found.
func ShrinkFor(d time.Duration) Option { return setting(func(s *settings) { s.shrink = d }) }
