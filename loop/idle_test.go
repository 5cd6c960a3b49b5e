package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// A busybody is always ready.
type busybody struct {
	loop  *loop.Loop
	turns int
	each  func()
}

func (b *busybody) RunInLoop() {
	b.turns++
	if b.each != nil {
		b.each()
	}
	b.loop.Schedule(b)
}

func TestCallWhenIdleSoonComesWhenTheLoopIsIdle(t *testing.T) {
	inEachClock(t, func(t *testing.T, l *loop.Loop) {
		var d diary
		l.CallWhenIdleSoon(d.notes("first"))
		l.CallWhenIdle(d.notes("second"))
		l.CallWhenIdleSoon(d.notes("third"))
		l.CallSoon(d.notes("ready"))
		runDry(t, l)
		require.Equal(t, diary{"ready", "first", "second", "third"}, d)
	})
}

func TestCallWhenIdleSoonComesInALoopThatIsNeverIdle(t *testing.T) {
	for name, l := range map[string]*loop.Loop{
		"real":            open(t),
		"virtual":         virtual(t),
		"real, seeded":    open(t, loop.Seed(1)),
		"virtual, seeded": virtual(t, loop.Seed(1)),
	} {
		for _, busy := range []int{1, 100} {
			var all []*busybody
			for range busy {
				all = append(all, &busybody{loop: l})
				l.Schedule(all[len(all)-1])
			}
			called, never := false, false
			l.CallWhenIdleSoon(func() { called = true })
			l.CallWhenIdle(func() { never = true })
			require.NoError(t, l.Drive(func() bool { return called }))
			require.False(t, never)
			for _, b := range all {
				require.LessOrEqual(t, b.turns, 3*256, "%s, %d callbacks", name, busy)
			}
		}
		l.Close()
	}
}

func TestCallWhenIdleSoonTakesNoLongerThanAMomentWhereTurnsAreLong(t *testing.T) {
	l := open(t)
	long := &busybody{loop: l, each: func() {
		for began := time.Now(); time.Since(began) < time.Millisecond; {
		}
	}}
	l.Schedule(long)
	called := false
	l.CallWhenIdleSoon(func() { called = true })
	require.NoError(t, l.Drive(func() bool { return called }))
	require.LessOrEqual(t, long.turns, 2)
}

// Time and turns of a virtual clock have nothing to do with how fast the machine is.
func TestCallWhenIdleSoonIsTheSameInEachRunWithAVirtualClock(t *testing.T) {
	var turns []int
	for _, pause := range []time.Duration{0, 50 * time.Microsecond} {
		l := virtual(t)
		b := &busybody{loop: l, each: func() {
			for began := time.Now(); time.Since(began) < pause; {
			}
		}}
		l.Schedule(b)
		called := false
		l.CallWhenIdleSoon(func() { called = true })
		require.NoError(t, l.Drive(func() bool { return called }))
		turns = append(turns, b.turns)
	}
	require.Equal(t, turns[0], turns[1])
}
