package loop_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// reports collects what a loop reports.
type reports struct {
	mu   sync.Mutex
	errs []error
	came chan struct{}
}

func newReports() *reports { return &reports{came: make(chan struct{}, 100)} }

func (r *reports) add(err error) {
	r.mu.Lock()
	r.errs = append(r.errs, err)
	r.mu.Unlock()
	r.came <- struct{}{}
}

func (r *reports) all() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errs
}

// next waits for the next report. Meanwhile it collects garbage, because only the collector notices
// some failures.
func (r *reports) next(t *testing.T) error {
	t.Helper()
	for range 1000 {
		select {
		case <-r.came:
			all := r.all()
			return all[len(all)-1]
		case <-time.After(10 * time.Millisecond):
			runtime.GC()
		}
	}
	t.Fatal("nothing was reported")
	return nil
}

func TestFailureThatNobodyCanLookAtAnyMoreIsReported(t *testing.T) {
	leakcheck.Test(t)
	r := newReports()
	l := open(t, loop.Debug(time.Minute), loop.ReportTo(r.add))
	func() {
		p := loop.NewPromise[int](l)
		p.Future().SetName("the answer")
		p.Reject(errTest)
		require.True(t, p.Future().Done(), "that it is done says nothing of the error")
	}()
	err := r.next(t)
	var unobserved *loop.UnobservedError
	require.ErrorAs(t, err, &unobserved)
	require.ErrorIs(t, err, errTest)
	require.Equal(t, "the answer", unobserved.What)
	l.Close()
	require.Len(t, r.all(), 1, "once")
}

func TestFailureThatSomebodyHasLookedAtIsNotReported(t *testing.T) {
	for name, look := range map[string]func(f *loop.Future[int]){
		"Result": func(f *loop.Future[int]) { _, _ = f.Result() },
		"Err":    func(f *loop.Future[int]) { _ = f.Err() },
		"Wait":   func(f *loop.Future[int]) { _, _ = f.Wait(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReports()
			l := loop.New(loop.Debug(time.Minute), loop.ReportTo(r.add))
			p := loop.NewPromise[int](l)
			if name != "Wait" {
				look(p.Future()) // too early to count
			}
			p.Reject(errTest)
			look(p.Future())
			other := loop.NewPromise[int](l)
			if name != "Wait" {
				look(other.Future())
			}
			other.Reject(errTest)
			l.Close()
			require.Len(t, r.all(), 1, "only the other")
		})
	}
}

func TestCancelledFuturesAndClosedLoopsAreNotReported(t *testing.T) {
	r := newReports()
	l := loop.New(loop.Debug(0), loop.ReportTo(r.add))
	loop.NewPromise[int](l).Future().Cancel(nil)
	f := loop.NewPromise[int](l).Future()
	other := open(t)
	f.OnDone(other, func() {})
	l.Close()
	require.ErrorIs(t, f.Err(), loop.ErrClosed)
	require.Empty(t, r.all())
}

func TestWithoutDebugModeOnlyPanicsAreReported(t *testing.T) {
	r := newReports()
	l := loop.New(loop.ReportTo(r.add))
	loop.NewPromise[int](l).Reject(errTest)
	require.Nil(t, l.Bridge().UnobservedPanic())
	loop.NewPromise[int](l).Complete(func() (int, error) { panic(errTest) })
	loop.NewPromise[int](l).Complete(func() (int, error) { panic("another") })
	require.ErrorIs(t, l.Bridge().UnobservedPanic(), errTest)
	l.Close()
	require.Len(t, r.all(), 1, "the first is the business of who has asked for it")
	require.ErrorContains(t, r.all()[0], "another")
}

func TestPanicOfAnOffloadedFunctionThatNobodyAwaitsIsReported(t *testing.T) {
	for name, offload := range offloads {
		t.Run(name, func(t *testing.T) {
			r := newReports()
			l := open(t, loop.ReportTo(r.add))
			offload(l, func() (int, error) { panic(errTest) })
			require.ErrorIs(t, r.next(t), errTest)
		})
	}
}

func TestPanicOfAnAbandonedOffloadedFunctionIsReported(t *testing.T) {
	r := newReports()
	l := open(t, loop.ReportTo(r.add))
	begun, proceed := make(chan struct{}), make(chan struct{})
	f := loop.Offload(l, func() (int, error) {
		close(begun)
		<-proceed
		panic(errTest)
	})
	<-begun
	f.Cancel(nil)
	close(proceed)
	require.ErrorIs(t, r.next(t), errTest)
}

func TestReportsGoToTheLogByDefault(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	l := loop.New()
	loop.NewPromise[int](l).Complete(func() (int, error) { panic(errTest) })
	l.Close()
	require.Contains(t, log.String(), "nothing has looked at its error")
	require.Contains(t, log.String(), "level=ERROR")
}

func TestObservedFailuresAreForgotten(t *testing.T) {
	l := open(t, loop.Debug(0), loop.ReportTo(func(error) {}))
	leakcheck.Repeat(t, func() {
		for range 100 {
			p := loop.NewPromise[int](l)
			p.Reject(errTest)
			_ = p.Future().Err()
		}
	})
}
