package loop

import "math/rand/v2"

// WithSeed makes the loop take what is ready in an order of chance instead of the order of requests: each tick runs one callback,
// any of those that are ready or due. The same seed gives the same order, so the program runs in the same way again,
// as long as nothing comes from other goroutines and the clock is virtual; other seeds give others.
//
// It is for tests, which find with many seeds what happens only if one task overtakes another. See repainttest.Explore.
func WithSeed(seed uint64) Option {
	return func(l *Loop) { l.lottery = &lottery{chance: rand.New(rand.NewPCG(seed, 0))} }
}

// A lottery draws what a loop with a seed runs next. It belongs to the loop.
type lottery struct {
	chance *rand.Rand
	pool   []Runnable // what it hasn't drawn yet
}

// left returns what hasn't been drawn. The lottery may be nil.
func (p *lottery) left() []Runnable {
	if p == nil {
		return nil
	}
	return p.pool
}

// pick leaves one callback in the batch, any of those in it and those that earlier picks have left behind.
func (l *Loop) pick() {
	p := l.lottery
	p.pool = append(p.pool, l.batch...)
	clear(l.batch)
	l.batch = l.batch[:0]
	n := len(p.pool)
	if n == 0 {
		return
	}
	i := p.chance.IntN(n)
	l.batch = append(l.batch, p.pool[i])
	p.pool[i] = p.pool[n-1]
	p.pool[n-1] = nil
	p.pool = p.pool[:n-1]
}
