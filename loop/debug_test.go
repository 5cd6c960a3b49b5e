package loop_test

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// stuck blocks until the channel is closed. Its name is looked for in stacks.
func stuckOnChannel(c chan struct{}) { <-c }

func stuckOnMutex(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

func TestWhatHoldsTheLoopIsReportedOnceWhileItHoldsIt(t *testing.T) {
	var mu sync.Mutex
	for name, hold := range map[string]func(until chan struct{}){
		"stuckOnChannel": stuckOnChannel,
		"stuckOnMutex": func(until chan struct{}) {
			mu.Lock()
			go func() {
				<-until
				mu.Unlock()
			}()
			stuckOnMutex(&mu)
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			until := make(chan struct{})
			r := newReports()
			l := open(t, loop.Debug(time.Millisecond), loop.ReportTo(r.add))
			over := false
			l.CallSoon(func() { hold(until) })
			l.CallSoon(func() { over = true })
			l.OnTickEnd(func() {})
			go func() {
				<-r.came
				close(until)
			}()
			require.NoError(t, l.Drive(func() bool { return over }))
			var held *loop.HeldError
			require.ErrorAs(t, r.all()[0], &held)
			require.Contains(t, held.Stack, name)
			require.GreaterOrEqual(t, held.For, held.Limit)
			require.Equal(t, time.Millisecond, held.Limit)
			require.ErrorContains(t, held, "a callback has been holding the loop for")
			require.Len(t, r.all(), 1)
			require.GreaterOrEqual(t, l.Stats().LongestTick, time.Millisecond)
		})
	}
}

func TestSleepingLoopAndPausedLoopHoldNothing(t *testing.T) {
	leakcheck.Test(t)
	r := newReports()
	l := open(t, loop.Debug(time.Millisecond), loop.ReportTo(r.add))
	over := false
	l.CallLater(30*time.Millisecond, func() { over = true })
	require.NoError(t, l.Drive(func() bool { return over }))
	time.Sleep(20 * time.Millisecond) // while no callback runs, time may pass unreported
	// A machine that is busy with something else may have kept a callback from running on.
	for _, err := range r.all() {
		var held *loop.HeldError
		require.ErrorAs(t, err, &held)
		require.Less(t, held.For, 20*time.Millisecond)
	}
}

type namedHolder struct{ name, stack string }

func (h namedHolder) LoopHolder() (string, string) { return h.name, h.stack }

func TestBridgeTellsWhatHoldsTheLoopAlsoOutsideOfDrive(t *testing.T) {
	leakcheck.Test(t)
	r := newReports()
	l := open(t, loop.Debug(time.Millisecond), loop.ReportTo(r.add))
	l.Bridge().Watch(namedHolder{"task 7", "its stack"})
	require.ErrorContains(t, r.next(t), "task 7 has been holding the loop")
	require.ErrorContains(t, r.all()[0], "its stack")
	// After a callback it's the caller's turn again.
	called := false
	l.CallSoon(func() { called = true })
	require.NoError(t, l.Drive(func() bool { return called }))
	require.ErrorContains(t, r.next(t), "task 7")
	l.Close()
}

func TestDebugModeIsTurnedOnByTheEnvironment(t *testing.T) {
	if os.Getenv("REPAINT_DEBUG_TEST") != "" {
		loop.New().Close()
		l := loop.New(loop.ReportTo(func(err error) {
			var held *loop.HeldError
			if errors.As(err, &held) {
				println("limit", held.Limit.String())
				os.Exit(0)
			}
		}))
		if !l.Debugging() {
			println("off")
			os.Exit(0)
		}
		l.CallSoon(func() { select {} })
		_ = l.Drive(func() bool { return false })
	}
	if testing.Short() {
		t.Skip("needs subprocesses")
	}
	for value, want := range map[string]string{
		"1": "limit 100ms", "true": "limit 100ms", "20ms": "limit 20ms",
		"": "off\n", "0": "off\n", "false": "off\n", "F": "off\n",
	} {
		require.Contains(t, withDebugVariable(t, value), want, "REPAINT_DEBUG=%s", value)
	}
	for _, value := range []string{"off", "yes", "-1s", "0s", "2"} {
		out := withDebugVariable(t, value)
		require.Contains(t, out, "off\n", "REPAINT_DEBUG=%s", value)
		require.Equal(t, 1, strings.Count(out, "REPAINT_DEBUG is"), "%s", out)
		require.Contains(t, out, strconv.Quote(value), "it says what it doesn't understand")
	}
}

// withDebugVariable runs the calling test once more, in a process with the variable, and returns
// its output.
func withDebugVariable(t *testing.T, value string) string {
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "REPAINT_DEBUG_TEST=1", "REPAINT_DEBUG="+value)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestStatsShowWhatThereIsAtTheMoment(t *testing.T) {
	l := open(t, loop.OffloadLimit(1))
	proceed := make(chan struct{})
	for range 3 {
		loop.Offload(l, func() (int, error) { <-proceed; return 0, nil })
	}
	l.CallLater(time.Hour, func() {})
	l.CallSoon(func() {})
	l.CallSoon(func() {})
	s := l.Stats()
	require.Equal(t, 2, s.Ready)
	require.Equal(t, 1, s.Timers)
	require.Equal(t, 1, s.Offloading)
	require.Equal(t, 2, s.Queued)
	require.EqualValues(t, 3, s.Offloaded)
	require.Zero(t, s.LongestTick)
	close(proceed)
}
