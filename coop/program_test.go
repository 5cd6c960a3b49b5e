package coop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// Random programs: some actors use a tool. Other actors, or other goroutines, cancel them at random
// moments: before they wait, while they wait, just before or after they are served. At the end the
// tool must have kept its promises, and every actor that wasn't cancelled must have finished: in a
// loop a lost wake-up is a deadlock.

// dice decide what a program does.
type dice interface{ IntN(n int) int }

// A play is one run of a program.
type play struct {
	t       require.TestingT
	inLoop  bool
	mu      sync.Mutex // guards dice and waits
	dice    dice
	waits   []*step // the waits that can be cancelled
	steps   atomic.Int32
	tickets int
	// exclusive says that the tool serves one actor at a time. Of several that are served together,
	// a later one may well run earlier.
	exclusive bool
	last      int // the ticket of the last step that was served without being cancelled
}

// A step is something that may wait.
type step struct {
	context.Context
	cancel    context.CancelCauseFunc
	cancelled atomic.Bool
	ticket    int
}

func (p *play) roll(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dice.IntN(n)
}

// try calls wait with a context that may end at any time, and reports whether it was served: in
// turn, if it's a loop's.
func (p *play) try(ctx context.Context, wait func(ctx context.Context) error) bool {
	var own *step
	err := p.quietly(ctx, func(ctx context.Context) error {
		own = ctx.(*step)
		p.mu.Lock()
		p.tickets++
		own.ticket = p.tickets
		p.mu.Unlock()
		return wait(ctx)
	})
	if err != nil {
		require.ErrorIs(p.t, err, errBoom)
		return false
	}
	if p.inLoop && p.exclusive && !own.cancelled.Load() {
		require.Greater(p.t, own.ticket, p.last, "who came later was served first")
		p.last = own.ticket
	}
	return true
}

// quietly is try for a wait that may also end with an error of the tool, and whose order isn't
// checked.
func (p *play) quietly(ctx context.Context, wait func(ctx context.Context) error) error {
	s := new(step)
	s.Context, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	// The number of cancels is limited, because a program that tries again and again ends only if
	// it succeeds at last.
	how := p.roll(8)
	if p.steps.Add(1) > 300 {
		how = -1
	}
	switch how {
	case 0:
		s.end()
	case 1:
		go s.end()
	case 2, 3:
		p.mu.Lock()
		p.waits = append(p.waits, s)
		p.mu.Unlock()
	}
	err := wait(s)
	if errors.Is(err, errBoom) {
		require.True(p.t, s.cancelled.Load())
	}
	return err
}

func (s *step) end() {
	s.cancelled.Store(true)
	s.cancel(errBoom)
}

// disturb cancels an actor, or lets others go on, or does neither.
func (p *play) disturb(ctx context.Context) {
	switch p.roll(6) {
	case 0, 1:
		p.mu.Lock()
		if n := len(p.waits); n > 0 {
			i := p.dice.IntN(n)
			p.waits[i].end()
			p.waits = slices.Delete(p.waits, i, i+1)
		}
		p.mu.Unlock()
	case 2:
		require.NoError(p.t, repaint.Sleep(ctx, 0))
	case 3:
		if p.inLoop {
			require.NoError(p.t, repaint.Sleep(ctx, time.Duration(p.roll(3))))
		}
	}
}

// actors runs fn several times side by side.
func (p *play) actors(ctx context.Context, n int, fn func(ctx context.Context, i int)) {
	g := repaint.NewGroup(ctx)
	for i := range n {
		g.Go(func(ctx context.Context) error { fn(ctx, i); return nil })
	}
	require.NoError(p.t, g.Wait())
}

var programs = map[string]func(ctx context.Context, p *play){
	"Mutex": func(ctx context.Context, p *play) {
		m := coop.NewMutex()
		inside := 0
		p.exclusive = true
		p.actors(ctx, 4, func(ctx context.Context, _ int) {
			for range 8 {
				if !p.try(ctx, m.Lock) {
					continue
				}
				inside++
				require.Equal(p.t, 1, inside)
				p.disturb(ctx)
				require.Equal(p.t, 1, inside)
				inside--
				m.Unlock()
				p.disturb(ctx)
			}
		})
		require.False(p.t, m.Locked())
		require.Zero(p.t, m.Waiting())
	},
	"Semaphore": func(ctx context.Context, p *play) {
		s := coop.NewSemaphore(3)
		var taken atomic.Int32
		p.actors(ctx, 5, func(ctx context.Context, _ int) {
			for range 8 {
				n := 1 + p.roll(3)
				if !p.try(ctx, func(ctx context.Context) error { return s.Acquire(ctx, n) }) {
					continue
				}
				require.LessOrEqual(p.t, taken.Add(int32(n)), int32(3))
				p.disturb(ctx)
				taken.Add(-int32(n))
				s.Release(n)
				p.disturb(ctx)
			}
		})
		require.Equal(p.t, 3, s.Free())
		require.Zero(p.t, s.Waiting())
	},
	"RWMutex": func(ctx context.Context, p *play) {
		m := coop.NewRWMutex()
		var readers, writers atomic.Int32
		p.actors(ctx, 5, func(ctx context.Context, _ int) {
			for range 8 {
				if p.roll(3) > 0 {
					if !p.try(ctx, m.RLock) {
						continue
					}
					readers.Add(1)
					require.Zero(p.t, writers.Load())
					p.disturb(ctx)
					readers.Add(-1)
					m.RUnlock()
				} else {
					if !p.try(ctx, m.Lock) {
						continue
					}
					require.EqualValues(p.t, 1, writers.Add(1))
					require.Zero(p.t, readers.Load())
					p.disturb(ctx)
					writers.Add(-1)
					m.Unlock()
				}
				p.disturb(ctx)
			}
		})
		require.True(p.t, m.TryLock())
		require.Zero(p.t, m.Waiting())
	},
	// A bounded buffer made of a condition, in which a lost signal leaves an actor waiting forever.
	"Cond": func(ctx context.Context, p *play) {
		m := coop.NewMutex()
		c := coop.NewCond(m)
		n, put, got := 0, 0, 0
		closed := false
		p.actors(ctx, 5, func(ctx context.Context, i int) {
			if i == 0 {
				for range 12 {
					require.NoError(p.t, m.Lock(ctx))
					n++
					put++
					c.Signal()
					m.Unlock()
					p.disturb(ctx)
				}
				require.NoError(p.t, m.Lock(ctx))
				closed = true
				c.Broadcast()
				m.Unlock()
				return
			}
			for {
				require.NoError(p.t, m.Lock(ctx))
				for n == 0 && !closed {
					s := new(step)
					s.Context, s.cancel = context.WithCancelCause(ctx)
					p.mu.Lock()
					p.waits = append(p.waits, s)
					p.mu.Unlock()
					err := c.Wait(s)
					require.True(p.t, m.Locked())
					if err != nil {
						require.ErrorIs(p.t, err, errBoom)
					}
					s.cancel(nil)
				}
				over := n == 0
				if !over {
					n--
					got++
				}
				m.Unlock()
				if over {
					return
				}
				p.disturb(ctx)
			}
		})
		require.Equal(p.t, put, got)
		require.Zero(p.t, c.Waiting())
		require.False(p.t, m.Locked())
	},
	"Queue": func(ctx context.Context, p *play) {
		q := coop.NewQueue[int](p.roll(3))
		var put, got journal[int]
		var putters atomic.Int32
		p.actors(ctx, 6, func(ctx context.Context, i int) {
			if i < 3 {
				putters.Add(1)
				for k := range 10 {
					item := 100*i + k
					err := p.quietly(ctx, func(ctx context.Context) error { return q.Put(ctx, item) })
					if err == nil {
						put.note(item)
					}
					p.disturb(ctx)
				}
				if putters.Add(-1) == 0 {
					q.Close()
				}
				return
			}
			for {
				var item int
				err := p.quietly(ctx, func(ctx context.Context) (err error) { item, err = q.Get(ctx); return err })
				if errors.Is(err, coop.ErrQueueClosed) {
					return
				}
				if err == nil {
					got.note(item)
					q.TaskDone()
				} else {
					require.NoError(p.t, repaint.Sleep(ctx, 0))
				}
				p.disturb(ctx)
			}
		})
		// An early Close is possible: the first putters may have ended before the last began.
		for _, item := range drain(q) {
			got.note(item)
			q.TaskDone()
		}
		require.ElementsMatch(p.t, put.read(), got.read())
		require.NoError(p.t, q.Join(ctx))
		require.Zero(p.t, q.WaitingGetters()+q.WaitingPutters())
	},
	"Shared": func(ctx context.Context, p *play) {
		s := coop.NewShared[int, int]()
		p.actors(ctx, 6, func(ctx context.Context, _ int) {
			for range 6 {
				key := p.roll(2)
				var v int
				err := p.quietly(ctx, func(ctx context.Context) (err error) {
					v, err = s.Do(ctx, key, func(ctx context.Context) (int, error) {
						p.disturb(context.WithoutCancel(ctx))
						return key + 10, nil
					})
					return err
				})
				if err == nil {
					require.Equal(p.t, key+10, v)
				}
				p.disturb(ctx)
			}
		})
		require.Zero(p.t, s.Flights())
	},
	"Loader": func(ctx context.Context, p *play) {
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			values := make(map[int]int)
			for _, k := range keys {
				values[k] = k * k
			}
			require.Len(p.t, values, len(keys), "each key once")
			require.NotEmpty(p.t, keys)
			return values, repaint.Sleep(ctx, time.Duration(p.roll(2)))
		}, coop.MaxBatch(1+p.roll(5)))
		p.actors(ctx, 6, func(ctx context.Context, _ int) {
			for range 6 {
				keys := []int{p.roll(5), p.roll(5)}
				var values []int
				err := p.quietly(ctx, func(ctx context.Context) (err error) {
					if p.roll(2) == 0 {
						values, err = l.LoadMany(ctx, keys)
						return err
					}
					v, err := l.Load(ctx, keys[0])
					values, keys = []int{v}, keys[:1]
					return err
				})
				if err == nil {
					for i, k := range keys {
						require.Equal(p.t, k*k, values[i])
					}
				}
				p.disturb(ctx)
			}
		})
		for _, k := range []int{0, 1, 2, 3, 4} {
			require.Zero(p.t, l.Waiting(k))
		}
	},
	"Barrier": func(ctx context.Context, p *play) {
		b := coop.NewBarrier(3)
		rounds := make(map[int]int) // how often each index was given
		var mu sync.Mutex
		var left atomic.Int32
		p.actors(ctx, 5, func(ctx context.Context, _ int) {
			for range 6 {
				err := p.quietly(ctx, func(ctx context.Context) error {
					i, err := b.Wait(ctx)
					if err == nil {
						mu.Lock()
						rounds[i]++
						mu.Unlock()
					}
					return err
				})
				if errors.Is(err, coop.ErrBarrierBroken) {
					break
				}
				p.disturb(ctx)
			}
			if left.Add(1) == 3 {
				b.Abort() // too few are left
			}
		})
		require.Equal(p.t, rounds[0], rounds[1])
		require.Equal(p.t, rounds[0], rounds[2])
		require.Zero(p.t, b.Waiting())
	},
}

// perform runs a program in a loop with a virtual clock, in one with a real clock, or in
// goroutines.
func perform(t require.TestingT, ctx context.Context, program func(ctx context.Context, p *play), d dice, stage int) {
	p := &play{t: t, dice: d, inLoop: stage != goroutines}
	if stage == goroutines {
		ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("an actor waits forever"))
		defer cancel()
		program(ctx, p)
		return
	}
	var opts []loop.Option
	if stage == virtualLoop {
		opts = append(opts, loop.VirtualClock(time.Unix(0, 0)))
	}
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		program(ctx, p)
		return nil
	}, opts...))
}

const (
	virtualLoop = iota
	realLoop
	goroutines
	stages
)

func TestRandomProgramsKeepThePromises(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		for stage := range stages {
			t.Run(fmt.Sprint(name, " ", []string{"virtual", "loop", "goroutines"}[stage]), func(t *testing.T) {
				leakcheck.Test(t)
				n := 150
				if stage == goroutines || raceEnabled {
					n = 40
				}
				seeds(t, n, func(t *testing.T, random *rand.Rand) { perform(t, t.Context(), programs[name], random, stage) })
			})
		}
	}
}

// bytesDice take the decisions from bytes, and start over when there are no more.
type bytesDice struct {
	bytes []byte
	next  int
}

func (d *bytesDice) IntN(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[d.next%len(d.bytes)]
	d.next++
	return (int(b) + d.next/len(d.bytes)) % n
}

// FuzzSchedules looks for a schedule that breaks a promise, with cancels at any of the points at
// which an actor waits.
func FuzzSchedules(f *testing.F) {
	names := slices.Sorted(maps.Keys(programs))
	for i := range names {
		f.Add(byte(i), []byte{0, 2, 1, 3, 2, 0, 5, 1, 1})
		f.Add(byte(i), []byte("a schedule is as good as any other"))
	}
	f.Fuzz(func(t *testing.T, which byte, schedule []byte) {
		perform(t, t.Context(), programs[names[int(which)%len(names)]], &bytesDice{bytes: schedule}, int(which)/len(names)%2)
	})
}
