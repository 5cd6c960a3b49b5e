package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// someone is a Holder.
type someone struct{ stack string }

func (s someone) LoopHolder() (name, stack string) { return "someone", s.stack }

func TestALoopThatIsHeldIsReportedOnceAlsoWithoutDebugMode(t *testing.T) {
	loop.SetHoldPatience(t, 20*time.Millisecond)
	reports := make(chan error, 2)
	l := open(t, loop.ReportTo(func(err error) { reports <- err }))
	l.Bridge().Watch(someone{"its stack"})
	var e *loop.HeldError
	l.CallSoon(func() { require.ErrorAs(t, <-reports, &e) }) // it holds the loop until there is a report
	l.CallSoon(func() { time.Sleep(100 * time.Millisecond) })
	runDry(t, l)
	require.Equal(t, "someone", e.Holder)
	require.Equal(t, "its stack", e.Stack)
	require.GreaterOrEqual(t, e.For, 20*time.Millisecond)
	require.Contains(t, e.Error(), "repaint.Block")
	require.Empty(t, reports)
}

func TestALoopThatSleepsOrGoesOnIsNotHeld(t *testing.T) {
	loop.SetHoldPatience(t, 400*time.Millisecond)
	var reports []error
	l := open(t, loop.ReportTo(func(err error) { reports = append(reports, err) }))
	slept := false
	l.CallLater(time.Second, func() { slept = true })
	require.NoError(t, l.Drive(func() bool { return slept }))
	l.Close()
	require.Empty(t, reports)
}

func TestNoTimerIsLeftWhenNoLoopRuns(t *testing.T) {
	l := loop.New()
	require.False(t, loop.IsAttended(), "a loop that wasn't used")
	l.CallSoon(func() { require.True(t, loop.IsAttended()) })
	runDry(t, l)
	l.Close()
	require.False(t, loop.IsAttended())
}

func TestAnIdleLoopHidesNoDeadlockOfTheProgram(t *testing.T) {
	loop.SetHoldPatience(t, 20*time.Millisecond)
	l := open(t)
	l.Bridge().Hold()
	done := false
	go func() {
		for loop.IsAttended() { // until the overseer has seen that the loop sleeps
			time.Sleep(time.Millisecond)
		}
		l.Post(func() { done = true })
	}()
	require.NoError(t, l.Drive(func() bool { return done }))
}
