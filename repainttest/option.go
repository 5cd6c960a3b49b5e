package repainttest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// An Option of [Explore] is an option of this package or of package loop. This package's options do
// nothing in other loops.
type Option = loop.Option

// settings hold the values of the options. They are the chooser of a loop that exists only to take
// the options.
type settings struct {
	strategies []strategy
	check      bool
	shrink     time.Duration
	faults     []Fault
	faultLimit int
	page       string
	resets     []func(ctx context.Context) error
	schema     *Schema // see Reduced; or nil
	wrong      error   // the first option that makes no sense; or nil
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

// wrongOption is an option that makes no sense.
func wrongOption(format string, args ...any) Option {
	return setting(func(s *settings) {
		if s.wrong == nil {
			s.wrong = fmt.Errorf(format, args...)
		}
	})
}

// read returns the settings of the options. It returns an error if an option makes no sense.
func read(opts []Option) (*settings, error) {
	s := &settings{shrink: shrinkTime, faultLimit: 1}
	l := loop.New(append([]Option{loop.ChooseBy(s)}, opts...)...)
	if l.Chooser() != loop.Chooser(s) {
		return nil, errChooser
	}
	switch {
	case s.strategies != nil:
	case s.schema != nil:
		s.strategies = []strategy{exhaustive{}}
	default:
		s.strategies = portfolio()
	}
	return s, s.wrong
}

// errChooser is the error of [read] if an option of package loop chooses the order of callbacks.
var errChooser = errors.New("an option of package loop chooses the order of callbacks")

// CheckRepeats makes [Explore] run each schedule that passes a second time. If the second run
// differs, the test fails and shows the first difference. Differences come from things that a
// schedule doesn't decide: real time, chance, the order of a map, the program's own goroutines.
func CheckRepeats() Option { return setting(func(s *settings) { s.check = true }) }

// shrinkTime is the default of [ShrinkFor].
const shrinkTime = 3 * time.Second

// ShrinkFor limits the real time in which [Explore] and [Search] look for a shorter schedule that
// fails, too. The default is 3 seconds. With 0 they show the schedule as they found it.
func ShrinkFor(d time.Duration) Option { return setting(func(s *settings) { s.shrink = d }) }
