package repaint_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/cputime"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver/freeport"
	"github.com/seed1239206e/repaint/loop"
)

// connected returns the two ends of a connection. Ours is cooperative.
func connected(t testing.TB, network string) (ours, theirs net.Conn) {
	t.Helper()
	if network == "pipe" {
		a, b := net.Pipe()
		ours, theirs = repaint.AdoptConn(a), b
	} else {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = t.TempDir() + "/socket"
		}
		listener, err := net.Listen(network, address)
		require.NoError(t, err)
		defer listener.Close()
		accepted := make(chan net.Conn, 1)
		go func() {
			c, _ := listener.Accept()
			accepted <- c
		}()
		ours, err = new(repaint.Dialer).Dial(network, listener.Addr().String())
		require.NoError(t, err)
		theirs = <-accepted
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// onEachNetwork runs a test in both colours for each kind of connection: those that wait in the
// loop's poller, and one that can't.
func onEachNetwork(t *testing.T, test func(t *testing.T, ctx context.Context, ours, theirs net.Conn)) {
	for _, network := range []string{"tcp", "unix", "pipe"} {
		t.Run(network, func(t *testing.T) {
			inBothColours(t, func(t *testing.T, ctx context.Context) {
				ours, theirs := connected(t, network)
				defer func() { _, _ = ours.Close(), theirs.Close() }() // before the leak check
				test(t, ctx, ours, theirs)
			})
		})
	}
}

func TestAConnectionReadsAndWrites(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, ctx context.Context, ours, theirs net.Conn) {
		go func() { _, _ = io.Copy(theirs, theirs); _ = theirs.Close() }()
		for _, text := range []string{"hello", "world", "x"} {
			n, err := ours.Write([]byte(text))
			require.NoError(t, err)
			require.Equal(t, len(text), n)
			buf := make([]byte, len(text))
			_, err = io.ReadFull(ours, buf)
			require.NoError(t, err)
			require.Equal(t, text, string(buf))
		}
		require.NoError(t, theirs.Close())
		_, err := ours.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestAReadSuspendsOnlyItsTask(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		offloaded := repaint.CurrentStats().Offloaded
		reader := repaint.Spawn(ctx, func(context.Context) (string, error) {
			buf := make([]byte, 10)
			n, err := ours.Read(buf)
			return string(buf[:n]), err
		})
		for range 100 {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		require.False(t, reader.Done())
		n, err := ours.Write(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, 1, repaint.CurrentStats().Polled)
		_, err = theirs.Write([]byte("data"))
		require.NoError(t, err)
		got, err := repaint.Await(ctx, reader)
		require.Equal(t, "data", got)
		require.Equal(t, offloaded, repaint.CurrentStats().Offloaded, "it needed no other goroutine")
		return err
	}))
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

func TestDeadlinesOfAConnection(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(5 * time.Millisecond) }
	onEachNetwork(t, func(t *testing.T, ctx context.Context, ours, theirs net.Conn) {
		timesOut := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout())
		}
		buf := make([]byte, 1)
		for _, set := range []func(time.Time) error{ours.SetReadDeadline, ours.SetDeadline} {
			require.NoError(t, set(soon()))
			_, err := ours.Read(buf)
			timesOut(err)
			_, err = ours.Read(buf)
			timesOut(err) // it stays over
			require.NoError(t, set(time.Now().Add(-time.Second)))
			_, err = ours.Read(buf)
			timesOut(err)
			require.NoError(t, set(time.Time{}))

			// Set while the read is under way.
			timer := time.AfterFunc(5*time.Millisecond, func() { _ = set(time.Now()) })
			_, err = ours.Read(buf)
			timer.Stop()
			timesOut(err)

			// A deadline that is put off doesn't end the read that has begun.
			require.NoError(t, set(time.Now().Add(20*time.Millisecond)))
			timer = time.AfterFunc(time.Millisecond, func() {
				_ = set(time.Now().Add(time.Hour))
				time.AfterFunc(30*time.Millisecond, func() { _, _ = theirs.Write([]byte("x")) })
			})
			_, err = ours.Read(buf)
			never := timer.Stop()
			if !errors.Is(err, os.ErrDeadlineExceeded) { // a slow machine may have been too late to put it off
				require.NoError(t, err)
			} else {
				if never {
					go func() { _, _ = theirs.Write([]byte("x")) }()
				}
				require.NoError(t, set(time.Time{}))
				_, err = ours.Read(buf)
				require.NoError(t, err)
			}
			require.NoError(t, set(time.Time{}))
		}
		require.NoError(t, ours.SetWriteDeadline(soon()))
		var err error
		for big := make([]byte, 1<<20); err == nil; {
			_, err = ours.Write(big) // the other end doesn't read
		}
		timesOut(err)
	})
}

func TestCloseEndsAllThatWaitForAConnection(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, ctx context.Context, ours, theirs net.Conn) {
		time.AfterFunc(5*time.Millisecond, func() { _ = ours.Close() })
		group := repaint.NewGroup(ctx)
		for range 3 { // one of them has the reading side, the others wait for it
			group.Go(func(context.Context) error {
				_, err := ours.Read(make([]byte, 1))
				if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
					return fmt.Errorf("a read ended with %w", err)
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		_, err := ours.Write([]byte("x"))
		require.Error(t, err)
		require.Error(t, ours.SetDeadline(time.Now()))
	})
}

// A read that has taken all that there was isn't tried again before more has come. The end may have
// come together with the last data.
func TestReadsAfterAllThatThereWas(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, ctx context.Context, ours, theirs net.Conn) {
		if theirs.LocalAddr().Network() == "pipe" {
			t.Skip("a pipe holds nothing: what is written waits for a read")
		}
		say := func(text string) {
			if _, err := theirs.Write([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		later := func(fn func()) {
			if l := repaint.CurrentLoop(); l != nil {
				l.CallSoon(fn) // once the read waits
			} else {
				go fn()
			}
		}
		hear := func(room int, want string) {
			t.Helper()
			buf := make([]byte, room)
			n, err := ours.Read(buf)
			require.NoError(t, err)
			require.Equal(t, want, string(buf[:n]))
		}
		for range 3 {
			later(func() { say("later") })
			hear(100, "later")
		}
		say("at once")
		hear(3, "at ")
		hear(4, "once")
		say("more")
		hear(100, "more")
		read := make(chan error, 1)
		go func() {
			buf := make([]byte, 100)
			n, err := ours.Read(buf) // outside of the loop
			if err == nil && string(buf[:n]) != "elsewhere" {
				err = fmt.Errorf("read %q", buf[:n])
			}
			read <- err
		}()
		say("elsewhere")
		_, err := repaint.Block(ctx, func(context.Context) (any, error) { return nil, <-read })
		require.NoError(t, err)
		later(func() { say("here again") })
		hear(100, "here again")

		later(func() {
			say("the last words")
			_ = theirs.Close() // nothing was left unwritten
		})
		hear(100, "the last words")
		for range 2 {
			n, err := ours.Read(make([]byte, 100))
			require.Zero(t, n)
			require.ErrorIs(t, err, io.EOF)
		}
	})
}

// A write that has waited for room doesn't leave the loop to be woken for room from then on.
func TestALoopIsToldOfRoomOnlyWhileAWriteWaitsForIt(t *testing.T) {
	ours, theirs := connected(t, "unix")
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		exchange := func() {
			_, err := ours.Write([]byte("a question"))
			require.NoError(t, err)
			go func() {
				buf := make([]byte, 100)
				_, _ = theirs.Read(buf)
				_, _ = theirs.Write([]byte("an answer"))
			}()
			_, err = ours.Read(make([]byte, 100))
			require.NoError(t, err)
		}
		exchange()
		large := make([]byte, 4<<20)
		done := repaint.Spawn(ctx, func(ctx context.Context) (any, error) {
			_, err := ours.Write(large)
			return nil, err
		})
		require.False(t, done.Done())
		go func() { _, _ = io.CopyN(io.Discard, theirs, int64(len(large))) }()
		if _, err := repaint.Await(ctx, done); err != nil {
			return err
		}
		before := repaint.CurrentStats().Callbacks
		for range 100 {
			exchange()
		}
		// Each exchange is a call of Ready, and the end of the read's wait.
		require.LessOrEqual(t, repaint.CurrentStats().Callbacks-before, uint64(2*100+10))
		return nil
	}))
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

func TestLargeDataBothWaysAtOnce(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, ctx context.Context, ours, theirs net.Conn) {
		data := make([]byte, 8<<20) // more than any buffer in between has room for
		_, err := rand.Read(data)
		require.NoError(t, err)
		go func() { _, _ = io.Copy(theirs, theirs) }()
		group := repaint.NewGroup(ctx)
		group.Go(func(context.Context) error {
			_, err := ours.Write(data)
			return err
		})
		got := make([]byte, len(data))
		group.Go(func(context.Context) error {
			_, err := io.ReadFull(ours, got)
			return err
		})
		require.NoError(t, group.Wait())
		require.True(t, bytes.Equal(data, got))
	})
}

// Each Write is written as a whole, whatever other writers do.
func TestGoroutinesAndTasksOfSeveralLoopsShareAConnection(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	const writers, each, size = 6, 20, 100_000
	var wg sync.WaitGroup
	write := func(i int) error {
		for range each {
			if _, err := ours.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range writers {
		wg.Go(func() {
			if i%3 == 0 {
				if err := write(i); err != nil {
					t.Error(err)
				}
				return
			}
			err := repaint.Run(t.Context(), func(ctx context.Context) error {
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(context.Context) (any, error) { return nil, write(i) }))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	counts := make([]int, writers)
	buf := make([]byte, size)
	for range writers * each {
		_, err := io.ReadFull(theirs, buf)
		require.NoError(t, err)
		require.Equal(t, size, bytes.Count(buf, buf[:1]), "writes are mixed")
		counts[buf[0]]++
	}
	wg.Wait()
	for _, n := range counts {
		require.Equal(t, each, n)
	}
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

func TestAKilledReaderLeavesTheConnectionToOthers(t *testing.T) {
	leakcheck.Test(t)
	ours, theirs := connected(t, "tcp")
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		var victims []*greenlet.Greenlet
		for range 2 { // one has the reading side, the other waits for it
			repaint.Spawn(ctx, func(context.Context) (any, error) {
				victims = append(victims, greenlet.Current())
				_, err := ours.Read(make([]byte, 1))
				return nil, err
			})
		}
		reader := repaint.Spawn(ctx, func(context.Context) (int, error) { return ours.Read(make([]byte, 10)) })
		for _, v := range victims {
			if err := v.Kill(); err != nil {
				return err
			}
		}
		require.NoError(t, repaint.Sleep(ctx, 0))
		if _, err := theirs.Write([]byte("abc")); err != nil {
			return err
		}
		n, err := repaint.Await(ctx, reader)
		require.Equal(t, 3, n)
		return err
	}))
	require.NoError(t, ours.Close())
	require.NoError(t, theirs.Close())
}

func TestACallbackCantWaitForAConnection(t *testing.T) {
	leakcheck.Test(t)
	for _, network := range []string{"tcp", "pipe"} {
		ours, theirs := connected(t, network)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			var err error
			repaint.CurrentLoop().CallSoon(func() { _, err = ours.Read(make([]byte, 1)) })
			require.NoError(t, repaint.Sleep(ctx, 0))
			require.ErrorIs(t, err, repaint.ErrInCallback)
			return nil
		}))
		require.NoError(t, ours.Close())
		require.NoError(t, theirs.Close())
	}
}

func TestADialThatFailsOrIsCancelled(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		address, release, err := freeport.Refusing()
		require.NoError(t, err)
		defer release()
		_, err = new(repaint.Dialer).DialContext(ctx, "tcp", address)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = new(repaint.Dialer).DialContext(ended, "tcp", address)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestAConnectionIsAdoptedOnce(t *testing.T) {
	ours, theirs := connected(t, "tcp")
	require.Same(t, ours, repaint.AdoptConn(ours))
	inner := ours.(interface{ NetConn() net.Conn }).NetConn()
	require.IsType(t, new(net.TCPConn), inner)
	go func() { _, _ = io.Copy(theirs, theirs); _ = theirs.Close() }()
	require.NoError(t, ours.(interface{ CloseWrite() error }).CloseWrite())
	_, err := ours.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func BenchmarkExchange(b *testing.B) {
	for _, conns := range []int{1, 8, 40} {
		for _, colour := range []string{"goroutines", "tasks"} {
			b.Run(fmt.Sprintf("%d/%s", conns, colour), func(b *testing.B) {
				exchange := make([]func() error, conns)
				for i := range exchange {
					ours, theirs := connected(b, "tcp")
					go func() { _, _ = io.Copy(theirs, theirs) }()
					buf := make([]byte, 64)
					exchange[i] = func() error {
						if _, err := ours.Write(buf); err != nil {
							return err
						}
						_, err := io.ReadFull(ours, buf)
						return err
					}
				}
				many := func(ctx context.Context) error {
					group := repaint.NewGroup(ctx)
					for i := range conns {
						group.Go(func(context.Context) error {
							for range b.N/conns + 1 {
								if err := exchange[i](); err != nil {
									return err
								}
							}
							return nil
						})
					}
					return group.Wait()
				}
				b.ReportAllocs()
				before := cputime.Process()
				b.ResetTimer()
				var err error
				if colour == "tasks" {
					err = repaint.Run(b.Context(), many, loop.OffloadLimit(1))
				} else {
					err = many(b.Context())
				}
				require.NoError(b, err)
				b.ReportMetric(float64(cputime.Process()-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}
