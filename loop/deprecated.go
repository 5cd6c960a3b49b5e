package loop

import "time"

// WithVirtualClock is [VirtualClock].
//
// Deprecated: use VirtualClock.
func WithVirtualClock(start time.Time) Option { return VirtualClock(start) }

// WithOffloadLimit is [OffloadLimit].
//
// Deprecated: use OffloadLimit.
func WithOffloadLimit(n int) Option { return OffloadLimit(n) }

// WithDebug is [Debug].
//
// Deprecated: use Debug.
func WithDebug(limit time.Duration) Option { return Debug(limit) }

// WithReport is [ReportTo].
//
// Deprecated: use ReportTo.
func WithReport(fn func(err error)) Option { return ReportTo(fn) }

// WithSeed is [Seed].
//
// Deprecated: use Seed.
func WithSeed(seed uint64) Option { return Seed(seed) }

// WithChooser is [ChooseBy].
//
// Deprecated: use ChooseBy.
func WithChooser(c Chooser) Option { return ChooseBy(c) }
