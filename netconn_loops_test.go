package repaint_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestAConnectionInAGuestLoop(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	calls := make(chan func(), 100)
	guest, err := repaint.Attach(t.Context(), posts(calls))
	require.NoError(t, err)
	got := 0
	repaint.Spawn(guest.Context(), func(context.Context) (any, error) {
		var err error
		got, err = ours.Read(make([]byte, 10))
		return nil, err
	})
	time.AfterFunc(time.Millisecond, func() { _, _ = theirs.Write([]byte("abc")) })
	for got == 0 {
		(<-calls)()
	}
	require.Equal(t, 3, got)
	ended := false
	guest.Detach(func(error) { ended = true })
	for !ended {
		(<-calls)()
	}
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

type posts chan func()

func (p posts) Post(fn func()) { p <- fn }

func TestWhereALoopWaitsForAConnectionItself(t *testing.T) {
	leakcheck.Test(t)
	require.False(t, repaint.PollsHere())
	in := func(opts ...loop.Option) (main, task, callback bool) {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			main = repaint.PollsHere()
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(context.Context) (any, error) {
				task = repaint.PollsHere()
				return nil, nil
			}))
			done := loop.NewPromise[any](nil)
			repaint.CurrentLoop().CallSoon(func() {
				callback = repaint.PollsHere()
				done.Resolve(nil)
			})
			if err == nil {
				_, err = repaint.Await(ctx, done.Future())
			}
			return err
		}, opts...))
		return main, task, callback
	}
	main, task, callback := in()
	polls := runtime.GOOS == "linux" // no other system has a poller yet
	require.Equal(t, polls, main)
	require.Equal(t, polls, task)
	require.False(t, callback)
	for _, opt := range []loop.Option{loop.VirtualClock(time.Unix(0, 0)), loop.Seed(1)} {
		main, task, callback = in(opt)
		require.False(t, main || task || callback)
	}
}

// Otherwise each answer would wake all loops that have ever used the connection.
func TestOnlyTheLastLoopIsToldOfAConnection(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(theirs, theirs)
	}()
	exchange := func() {
		_, err := ours.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(ours, make([]byte, 1))
		require.NoError(t, err)
	}
	waited := func() { // the first answers may be there before a task waits for them
		for repaint.CurrentStats().Polled == 0 {
			exchange()
		}
	}
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		waited()
		require.NoError(t, repaint.Run(context.Background(), func(context.Context) error { // meanwhile the outer one stands still
			waited()
			return nil
		}))
		require.Zero(t, repaint.CurrentStats().Polled)
		waited()
		_, err := repaint.Block(ctx, func(context.Context) (any, error) { // a plain goroutine
			exchange()
			return nil, nil
		})
		require.Zero(t, repaint.CurrentStats().Polled)
		return err
	}))
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
	<-copied
}

func TestATaskWithMuchToReadLetsOthersGoOn(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	const size = 4 << 20
	sent := make(chan error, 1)
	go func() {
		_, err := theirs.Write(make([]byte, size))
		sent <- err
	}()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		turns, most := 0, 0
		other, stop := context.WithCancel(ctx)
		defer stop()
		repaint.Spawn(other, func(ctx context.Context) (any, error) {
			for repaint.Sleep(ctx, 0) == nil {
				turns++
			}
			return nil, nil
		})
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(context.Context) (any, error) {
			buf, alone, before := make([]byte, 16<<10), 0, turns
			for read := 0; read < size; {
				n, err := ours.Read(buf)
				if err != nil {
					return nil, err
				}
				if turns != before {
					alone, before = 0, turns
				}
				read, alone = read+n, alone+n
				most = max(most, alone)
			}
			return nil, nil
		}))
		require.LessOrEqual(t, most, 80<<10)
		return err
	}))
	require.NoError(t, <-sent)
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

// A pool keeps connections for longer than the loops that use them live.
func TestAConnectionOutlivesItsLoops(t *testing.T) {
	ours, theirs := connected(t, "tcp")
	go func() { _, _ = io.Copy(theirs, theirs) }()
	leakcheck.Repeat(t, func() {
		require.NoError(t, repaint.Run(t.Context(), func(context.Context) error {
			if _, err := ours.Write([]byte("x")); err != nil {
				return err
			}
			_, err := ours.Read(make([]byte, 1))
			return err
		}))
	})
}

func TestManyConnectionsInOneLoop(t *testing.T) {
	leakcheck.Test(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	const conns, exchanges = 200, 10
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		group := repaint.NewGroup(ctx)
		for i := range conns {
			group.Go(func(ctx context.Context) error {
				c, err := new(repaint.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
				if err != nil {
					return err
				}
				defer c.Close()
				for j := range exchanges {
					text := fmt.Sprintf("%d of %d", j, i)
					if _, err := c.Write([]byte(text)); err != nil {
						return err
					}
					buf := make([]byte, len(text))
					if _, err := io.ReadFull(c, buf); err != nil {
						return err
					}
					if string(buf) != text {
						return fmt.Errorf("%q came back as %q", text, buf)
					}
				}
				return nil
			})
		}
		err := group.Wait()
		require.Zero(t, repaint.CurrentStats().Polled)
		return err
	}))
	require.NoError(t, listener.Close())
}
