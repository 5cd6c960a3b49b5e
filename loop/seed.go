package loop

import "math/rand/v2"

// Seed makes the loop run ready callbacks in a random order instead of the order of requests:
// each tick runs one callback, drawn from those that are ready or due. The same seed gives the same
// order, so the program runs in the same way again, as long as the clock is virtual and nothing
// comes from other goroutines but answers to what the loop has asked for; other seeds give other
// orders.
//
// It is for tests, which find with many seeds what happens only if one task overtakes another.
// Where that takes more than chance, there is [ChooseBy]. See repainttest.Explore.
func Seed(seed uint64) Option {
	return func(l *Loop) { ChooseBy(&uniform{rand.New(rand.NewPCG(seed, 0))})(l) }
}

// A uniform chooser draws each callback with the same probability.
type uniform struct{ chance *rand.Rand }

func (u *uniform) Choose(ready []Runnable) int { return u.chance.IntN(len(ready)) }
