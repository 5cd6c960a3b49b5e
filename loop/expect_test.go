package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

type expecter func() time.Duration

func (fn expecter) LoopExpects() time.Duration { return fn() }

// An Expecter is asked only when the loop knows of nothing else.
func TestExpecterIsAskedBeforeADeadlockIsReported(t *testing.T) {
	inEachClock(t, func(t *testing.T, l *loop.Loop) {
		asked := 0
		l.Bridge().Expect(expecter(func() time.Duration { asked++; return 0 }))
		fired := false
		l.CallLater(time.Millisecond, func() { fired = true })
		require.NoError(t, l.Drive(func() bool { return fired }))
		require.Zero(t, asked)
		require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
		require.Equal(t, 1, asked)
	})
}

func TestExpecterIsAskedAgainWhenItsTimeIsOver(t *testing.T) {
	inEachClock(t, func(t *testing.T, l *loop.Loop) {
		began := time.Now()
		waits := []time.Duration{time.Millisecond, time.Millisecond, 0}
		l.Bridge().Expect(expecter(func() time.Duration {
			wait := waits[0]
			waits = waits[1:]
			return wait
		}))
		require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
		require.Empty(t, waits)
		require.GreaterOrEqual(t, time.Since(began), 2*time.Millisecond, "it is real time")
	})
}

func TestWhatIsScheduledEndsTheWaitForWhatAnExpecterExpects(t *testing.T) {
	inEachClock(t, func(t *testing.T, l *loop.Loop) {
		called := false
		l.Bridge().Expect(expecter(func() time.Duration {
			go l.Post(func() { called = true })
			return time.Hour
		}))
		require.NoError(t, l.Drive(func() bool { return called }))
		l.Bridge().Expect(expecter(func() time.Duration {
			l.CallSoon(func() { called = false })
			return 0
		}))
		require.NoError(t, l.Drive(func() bool { return !called }), "it is what has become ready that counts")
		l.Bridge().Expect(expecter(func() time.Duration {
			go l.Bridge().Wake()
			return time.Hour
		}))
		looks := 0
		l.Bridge().OnIdle(func() {
			if looks++; looks == 2 {
				l.CallSoon(func() { called = true })
			}
		})
		require.NoError(t, l.Drive(func() bool { return called }))
	})
}

func TestPanicOfAnExpecterPassesThroughDrive(t *testing.T) {
	l := loop.New()
	defer l.Close()
	boom := errors.New("boom")
	l.Bridge().Expect(expecter(func() time.Duration { panic(boom) }))
	require.PanicsWithValue(t, boom, func() { _ = l.Drive(never) })
	l.Bridge().Expect(expecter(func() time.Duration { return 0 }))
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
}

func inEachClock(t *testing.T, test func(t *testing.T, l *loop.Loop)) {
	t.Run("real", func(t *testing.T) { test(t, open(t)) })
	t.Run("virtual", func(t *testing.T) { test(t, virtual(t)) })
}
