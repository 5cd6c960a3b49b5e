package pg

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/nonblock"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// The end of a connection that comes together with data wakes its loop only once. So the loop must
// read on after the data, though it has read all of them.
func TestALoopSeesAnEndThatCameWithData(t *testing.T) {
	if runtime.GOOS != "linux" || !nonblock.Supported {
		t.Skip("a loop can't wait for descriptors here")
	}
	testserver.Postgres(t) // whose goroutine isn't a leak
	leakcheck.Test(t)
	db, proxy, target := proxied(t, "&pool_sessions=1")
	direct := openAt(t, target.URL())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // without the end there is nothing to wait for
	defer cancel()
	holder, err := direct.Acquire(ctx)
	require.NoError(t, err)
	defer holder.Release()
	_, err = holder.Exec(ctx, "select pg_advisory_lock(1)")
	require.NoError(t, err)
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		share := func(ctx context.Context, key int) (int, error) {
			_, err := s.Exec(ctx, "select pg_advisory_lock_shared($1)", key)
			return 0, err
		}
		_, err = share(ctx, 2) // which prepares it, so that the next one has one answer
		require.NoError(t, err)
		var waiters []*repaint.Task[int]
		for range 2 { // for one alone the loop would read before it polls
			waiters = append(waiters, repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return share(ctx, 1) }))
		}
		until(t, ctx, "both statements have been sent", func() bool { return underWay(s) == 2 })
		require.Equal(t, looped, roleOf(s))

		// The loop doesn't look before both are there.
		proxy.CutAfter(faultproxy.ToClient, 1)
		unlocked := make(chan error, 1)
		go func() {
			_, err := holder.Exec(context.Background(), "select pg_advisory_unlock(1)")
			unlocked <- err
		}()
		require.NoError(t, s.s.conns[0].w.glance.raw.Control(func(fd uintptr) { awaitEnd(t, int(fd)) }))
		require.NoError(t, <-unlocked)

		for _, waiter := range waiters {
			_, err = repaint.Await(ctx, waiter)
			require.ErrorIs(t, err, ErrConnLost)
		}
		return nil
	}))
}

// awaitEnd blocks until the other side of a socket has ended, whatever can still be read.
func awaitEnd(t *testing.T, fd int) {
	set, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer syscall.Close(set)
	require.NoError(t, syscall.EpollCtl(set, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLRDHUP}))
	for {
		n, err := syscall.EpollWait(set, make([]syscall.EpollEvent, 1), int(time.Minute/time.Millisecond))
		if err == syscall.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n, "the connection was cut")
		return
	}
}
