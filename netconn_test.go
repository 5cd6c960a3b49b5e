package repaint_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/cputime"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// connected returns the two ends of a connection, of which ours is cooperative.
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
			timer.Stop()
			if !errors.Is(err, os.ErrDeadlineExceeded) { // a slow machine may have been too late to put it off
				require.NoError(t, err)
			} else {
				require.NoError(t, set(time.Time{}))
				_, err = ours.Read(buf)
				require.NoError(t, err)
			}
			require.NoError(t, set(time.Time{}))
		}
		require.NoError(t, ours.SetWriteDeadline(soon()))
		var err error
		for big := make([]byte, 1<<20); err == nil; {
			_, err = ours.Write(big) // nobody reads
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

// Each Write is written as a whole, whoever else writes.
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

// A pool keeps connections for longer than the loops live that use them.
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
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
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

// A record that comes in pieces must be put together, wherever it is cut and whatever runs in
// between.
func TestTLSOverAConnectionWhoseRecordsAreCutAtEveryByte(t *testing.T) {
	config, roots := certificate(t)
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ours, theirs := connected(t, "tcp")
		defer func() { _, _ = ours.Close(), theirs.Close() }()
		server := tls.Server(&drops{Conn: theirs}, config)
		served := make(chan error, 1)
		go func() {
			_, err := io.Copy(server, server)
			served <- err
		}()
		client := tls.Client(ours, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		for i := range 20 {
			text := bytes.Repeat([]byte{byte(i)}, 1+i*17)
			_, err := client.Write(text)
			require.NoError(t, err)
			got := make([]byte, len(text))
			_, err = io.ReadFull(client, got)
			require.NoError(t, err)
			require.Equal(t, text, got)
		}
		require.NoError(t, client.Close())
		<-served // what it says of an end without a proper close doesn't matter
	})
}

// drops is a connection that sends each byte by itself.
type drops struct{ net.Conn }

func (d *drops) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// certificate makes a server's configuration, and what a client needs to trust it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, roots
}

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

// Each answer would otherwise wake all loops that have ever used the connection.
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
	waited := func() { // the first answers may be there before they are waited for
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
