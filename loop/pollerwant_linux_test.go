package loop_test

import (
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
