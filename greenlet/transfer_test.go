package greenlet_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestSwitchingDeepInCalls(t *testing.T) {
	root := inFamily(t)
	var deep func(n int) int
	deep = func(n int) int {
		if n == 0 {
			v, _ := root.Switch(nil)
			return v.(int)
		}
		return deep(n-1) + 1
	}
	g := greenlet.New(func(any) (any, error) { return deep(10_000), nil })
	_, _ = g.Switch(nil)
	v, err := g.Switch(5)
	require.Equal(t, 10_005, must(t, v, err))
}

func TestRandomSwitchesAmongMany(t *testing.T) {
	root := inFamily(t)
	const n, rounds = 50, 20_000
	all := []*greenlet.Greenlet{root}
	counts := make([]int, n+1)
	seed := uint32(1)
	pick := func() *greenlet.Greenlet {
		seed = seed*1664525 + 1013904223
		return all[seed>>16%(n+1)]
	}
	left := rounds
	for i := range n {
		all = append(all, greenlet.New(func(arg any) (any, error) {
			for {
				if arg != left {
					panic("lost a value")
				}
				counts[i+1]++
				if left--; left <= 0 {
					return "done", nil
				}
				arg, _ = pick().Switch(left)
			}
		}))
	}
	for left > 0 {
		counts[0]++
		left--
		if v, err := pick().Switch(left); err != nil {
			t.Fatal(err)
		} else if v != "done" && v != left {
			t.Fatal("lost a value", v, left)
		}
	}
	for i, c := range counts {
		require.Positive(t, c, i)
	}
}

func TestIllegalUseFromManyGoroutinesDisturbsNoFamily(t *testing.T) {
	leakcheck.Test(t)
	const families = 16
	duration := 2 * time.Second
	if testing.Short() {
		duration = 100 * time.Millisecond
	}
	shared := make([]*greenlet.Greenlet, families)
	var ready, done sync.WaitGroup
	ready.Add(families)
	var legal, illegal atomic.Int64
	for i := range families {
		done.Go(func() {
			f, _ := greenlet.Enter()
			defer f.Close()
			root := greenlet.Current()
			own := greenlet.New(func(arg any) (any, error) {
				for {
					arg, _ = root.Switch(arg)
				}
			})
			shared[i] = own
			attack := func() {
				for j, foreign := range shared {
					if j == i {
						continue
					}
					_, switched := foreign.Switch("illegal")
					_, thrown := foreign.Throw(errors.New("illegal"))
					for _, err := range []error{switched, thrown, foreign.Kill(), foreign.SetParent(root), own.SetParent(foreign)} {
						if !errors.Is(err, greenlet.ErrOtherFamily) {
							t.Error("an illegal use got", err)
						}
					}
					illegal.Add(5)
				}
			}
			ready.Done()
			ready.Wait()
			for r, deadline := 0, time.Now().Add(duration); time.Now().Before(deadline); r++ {
				v, err := own.Switch(r)
				if v != r || err != nil {
					t.Error("a legal switch lost its value", v, err)
				}
				// From the root, and from a greenlet that comes and goes.
				v, err = greenlet.New(func(arg any) (any, error) { attack(); return arg, nil }).Switch(r)
				if v != r || err != nil {
					t.Error("a greenlet lost its value", v, err)
				}
				attack()
				legal.Add(2)
			}
		})
	}
	done.Wait()
	t.Log(legal.Load(), "legal uses,", illegal.Load(), "illegal ones")
}
