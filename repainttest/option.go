package repainttest

import (
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// An Option of [Explore] is one of this package's, or one of the loop's. This package's options do nothing in other loops.
type Option = loop.Option

// settings are what the options say. It is the chooser of a loop that is made only to be given the options.
type settings struct {
	strategies []strategy
	check      bool
	shrink     time.Duration
	faults     []Fault
	faultLimit int
}

// Choose implements [loop.Chooser]. The loop never runs.
func (s *settings) Choose([]loop.Runnable) int {
	panic("repainttest: the settings were asked for a schedule")
}

// setting makes an option of what it does to the settings.
func setting(fn func(*settings)) Option {
	return func(l *loop.Loop) {
		if s, ok := l.Chooser().(*settings); ok {
			fn(s)
		}
	}
}

// read returns what the options say, nil if one of them sets another chooser.
func read(opts []Option) *settings {
	s := &settings{shrink: shrinkTime, faultLimit: 1}
	l := loop.New(append([]Option{loop.WithChooser(s)}, opts...)...)
	if l.Chooser() != loop.Chooser(s) {
		return nil
	}
	if s.strategies == nil {
		s.strategies = portfolio()
	}
	return s
}

// CheckRepeats runs each schedule that hasn't failed a second time. The test fails if something else happens then, with the
// first difference. What a schedule doesn't decide makes such differences: real time, chance, the order of a map, goroutines
// of the program's own.
func CheckRepeats() Option { return setting(func(s *settings) { s.check = true }) }

// shrinkTime is how long a schedule that failed is shrunk if nothing else is said.
const shrinkTime = 3 * time.Second

// ShrinkFor sets how much real time may be spent on finding a shorter schedule that fails, too. The default is 3 seconds; 0 means
// that the schedule is shown as it was found.
func ShrinkFor(d time.Duration) Option { return setting(func(s *settings) { s.shrink = d }) }
