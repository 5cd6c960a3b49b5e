package loop_test

import (
	"errors"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A Unix socket has room anew each time the other side has read something.
func TestALoopIsWokenOnlyForWhatIsWanted(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	l := held(t)
	var all []loop.Readiness
	p, err := l.PollFor(uintptr(a), loop.Readable, pollable(func(r loop.Readiness) { all = append(all, r) }))
	require.NoError(t, err)
	answer := func() {
		send(t, a)
		n, _ := drain(b)
		require.Equal(t, 1, n)
		send(t, b)
	}
	for i := range 3 {
		answer()
		require.NoError(t, l.Drive(func() bool { return len(all) == i+1 }))
		require.Equal(t, loop.Readable, all[i], "room isn't wanted")
	}

	require.NoError(t, p.Want(loop.Readable|loop.Writable))
	require.NoError(t, l.Drive(func() bool { return len(all) == 4 }))
	require.Equal(t, loop.Readable|loop.Writable, all[3], "as things stand: nothing was read")
	require.NoError(t, p.Want(loop.Writable))
	require.NoError(t, l.Drive(func() bool { return len(all) == 5 }))
	require.Equal(t, loop.Writable, all[4])

	p.Remove()
	require.ErrorIs(t, p.Want(loop.Readable), loop.ErrClosed)
	p, err = l.PollFor(uintptr(a), loop.Readable, pollable(func(loop.Readiness) {}))
	require.NoError(t, err)
	l.Close()
	require.ErrorIs(t, p.Want(loop.Readable), loop.ErrClosed)
}

func TestTheEndOfTheOtherSideIsToldTogetherWithItsLastData(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	l := held(t)
	var all []loop.Readiness
	_, err := l.PollFor(uintptr(a), loop.Readable, pollable(func(r loop.Readiness) { all = append(all, r) }))
	require.NoError(t, err)
	send(t, b)
	require.NoError(t, l.Drive(func() bool { return len(all) == 1 }))
	require.Zero(t, all[0]&loop.Ended)
	send(t, b)
	require.NoError(t, syscall.Shutdown(b, syscall.SHUT_WR))
	require.NoError(t, l.Drive(func() bool { return len(all) == 2 }))
	require.Equal(t, loop.Readable|loop.Ended, all[1])
}

func TestADescriptorOfWhichNothingIsWantedIsSilent(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	l := held(t)
	var all []loop.Readiness
	p, err := l.PollFor(uintptr(a), 0, pollable(func(r loop.Readiness) { all = append(all, r) }))
	require.NoError(t, err)
	send(t, b)
	ticks := l.Stats().Polls + 3
	var again func()
	again = func() { l.CallSoon(again) } // a loop that is never idle looks between ticks
	again()
	require.NoError(t, l.Drive(func() bool { return l.Stats().Polls >= ticks }))
	require.Empty(t, all)

	require.NoError(t, p.Want(loop.Readable))
	require.NoError(t, l.Drive(func() bool { return len(all) == 1 }))
	require.Equal(t, loop.Readable, all[0], "what came before is there still")
}

func TestErrorsOfPollForAndWant(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	ready := pollable(func(loop.Readiness) {})
	a, _ := closedPair(t)
	c, d := pair(t)
	p, err := l.PollFor(uintptr(c), loop.Readable, ready)
	require.NoError(t, err)
	_, err = l.PollFor(uintptr(c), loop.Readable, ready)
	require.ErrorIs(t, err, syscall.EEXIST)
	require.ErrorContains(t, err, "adding descriptor")
	require.Equal(t, 1, l.Stats().Polled)

	require.NoError(t, syscall.Close(c))
	require.NoError(t, syscall.Close(d))
	require.ErrorIs(t, p.Want(loop.Writable), syscall.EBADF, "it was closed without leaving the loop")
	_, err = l.PollFor(uintptr(c), loop.Readable, ready)
	require.ErrorIs(t, err, syscall.EBADF)
	p.Remove()
	require.Zero(t, l.Stats().Polled)

	l.Close()
	_, err = l.PollFor(uintptr(a), loop.Readable, ready)
	require.ErrorIs(t, err, loop.ErrClosed)
}

// Want may be called while the loop, another Want or Remove is at work.
func TestWantFromOtherGoroutinesWhileTheLoopRuns(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	const n, wants = 20, 50
	over := 0
	for range n {
		a, b := closedPair(t)
		p, err := l.PollFor(uintptr(a), 0, pollable(func(loop.Readiness) { drain(a) }))
		require.NoError(t, err)
		for range 3 {
			go func() {
				for i := range wants {
					if err := p.Want(loop.Readiness(i % 4)); err != nil && !errors.Is(err, loop.ErrClosed) {
						t.Errorf("Want: %v", err)
					}
					_, _ = syscall.Write(b, []byte{1}) // there may be no room
				}
				p.Remove()
				l.Post(func() { over++ })
			}()
		}
	}
	require.NoError(t, l.Drive(func() bool { return over == 3*n }))
	require.Zero(t, l.Stats().Polled)
}

// BenchmarkPoller measures a turn of a loop that is told of so many descriptors at once, and reads
// from each.
func BenchmarkPoller(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			l := held(b)
			var ends []int
			told := 0
			for range n {
				a, peer := closedPair(b)
				ends = append(ends, peer)
				_, err := l.PollFor(uintptr(a), loop.Readable, pollable(func(loop.Readiness) {
					told++
					drain(a)
				}))
				require.NoError(b, err)
			}
			for rounds := 1; b.Loop(); rounds++ {
				for _, end := range ends {
					send(b, end)
				}
				require.NoError(b, l.Drive(func() bool { return told >= rounds*n }))
			}
		})
	}
}
