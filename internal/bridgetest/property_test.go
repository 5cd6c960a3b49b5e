package bridgetest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// difference shows where two traces part.
func difference(one, two string) string {
	a, b := strings.Split(one, "\n"), strings.Split(two, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("at line %d:\n%s\n\n%s", i, strings.Join(a[max(i-3, 0):min(i+2, len(a))], "\n"), strings.Join(b[min(max(i-3, 0), len(b)):min(i+2, len(b))], "\n"))
		}
	}
	return "one goes on longer"
}

// seeds calls test for a number of seeds, or only for the one in REPAINT_SEED.
func seeds(t *testing.T, n int, test func(t *testing.T, seed uint64)) {
	from, to := uint64(1), uint64(n)
	if text := os.Getenv("REPAINT_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		from, to = seed, seed
	}
	if testing.Short() {
		to = min(to, from+9)
	}
	for seed := from; seed <= to; seed++ {
		test(t, seed)
		if t.Failed() {
			t.Fatalf("repeat it with REPAINT_SEED=%d go test -run '^%s$'", seed, t.Name())
		}
	}
}

// sizeOf returns how many actors a program has: often a few, at most a thousand.
func sizeOf(seed uint64) int {
	if seed%20 == 0 {
		return 1000
	}
	return 5 + int(seed*37%120)
}

func TestRandomProgramsEndAndRepeatUnderTheSameSeed(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 80, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), sizeOf(seed), seed%3 == 0)
		for _, schedule := range []uint64{0, seed} {
			one, wrong := p.run(t.Context(), schedule, 0, false)
			if len(wrong) > 0 {
				t.Errorf("schedule %d:\n%s", schedule, strings.Join(wrong, "\n"))
				return
			}
			two, _ := p.run(t.Context(), schedule, 0, false)
			if one != two {
				t.Errorf("schedule %d gives two traces, which differ %s", schedule, difference(one, two))
			}
		}
	})
}

// A traced family passes control to the driver between two tasks. Otherwise one task gives it to
// the next.
func TestRandomProgramsDoTheSameWithoutTheDriverInBetween(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 60, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), sizeOf(seed), seed%3 == 0)
		one, wrong := p.run(t.Context(), 0, 0, false)
		require.Empty(t, strings.Join(wrong, "\n"))
		untrace := greenlet.AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})
		two, _ := p.run(t.Context(), 0, 0, false)
		untrace()
		if one != two {
			t.Errorf("the traces differ %s", difference(one, two))
		}
	})
}

func TestRandomProgramsTakeOtherOrdersUnderOtherSeeds(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 4, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), 300, true)
		traces := make(map[string]uint64)
		for schedule := range uint64(8) {
			trace, wrong := p.run(t.Context(), schedule, 0, false)
			require.Empty(t, strings.Join(wrong, "\n"))
			if same, ok := traces[trace]; ok {
				t.Errorf("schedules %d and %d give the same trace", same, schedule)
			}
			traces[trace] = schedule
		}
	})
}

func TestRandomProgramsEndWhereverACancelStrikes(t *testing.T) {
	leakcheck.Test(t)
	seeds(t, 8, func(t *testing.T, seed uint64) {
		p := newProgram(chance(seed), 12, false)
		for strikes := 1; strikes <= 60; strikes++ {
			for _, immediate := range []bool{true, false} {
				_, wrong := p.run(t.Context(), seed%4*seed, strikes, immediate)
				if len(wrong) > 0 {
					t.Errorf("cancel at wait %d, immediate: %t:\n%s", strikes, immediate, strings.Join(wrong, "\n"))
					return
				}
			}
		}
	})
}

// FuzzSchedules takes from its input the schedule, the wait at which a cancel comes, and the
// program.
func FuzzSchedules(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1, 5, 6, 3, 1, 4, 1, 5})
	f.Add([]byte{7, 12, 0, 3, 6, 2, 9, 4, 4, 4, 4, 12, 1, 2, 3})
	f.Add([]byte("a timeout in a group, which is in a group"))
	f.Fuzz(func(t *testing.T, data []byte) {
		next := choiceOf(data)
		seed, strikes, kind := uint64(next(256)), next(256), next(4)
		p := newProgram(next, 40, kind == 3 && strikes == 0)
		one, wrong := p.run(t.Context(), seed, strikes, kind == 1)
		if len(wrong) > 0 {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		if two, _ := p.run(t.Context(), seed, strikes, kind == 1); one != two {
			t.Fatalf("the same input gives two traces, which differ %s", difference(one, two))
		}
	})
}
