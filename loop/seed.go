package loop

import "math/rand/v2"

// WithSeed makes the loop take what is ready in an order of chance instead of the order of requests: each tick runs one callback,
// any of those that are ready or due. The same seed gives the same order, so the program runs in the same way again,
// as long as nothing comes from other goroutines and the clock is virtual; other seeds give others.
//
// It is for tests, which find with many seeds what happens only if one task overtakes another. See repainttest.Explore.
func WithSeed(seed uint64) Option {
	return func(l *Loop) { l.chance = rand.New(rand.NewPCG(seed, 0)) }
}

// pick leaves one callback in the batch, any of those in it and those that earlier picks have left behind.
func (l *Loop) pick() {
	l.pool = append(l.pool, l.batch...)
	clear(l.batch)
	l.batch = l.batch[:0]
	n := len(l.pool)
	if n == 0 {
		return
	}
	i := l.chance.IntN(n)
	l.batch = append(l.batch, l.pool[i])
	l.pool[i] = l.pool[n-1]
	l.pool[n-1] = nil
	l.pool = l.pool[:n-1]
}
