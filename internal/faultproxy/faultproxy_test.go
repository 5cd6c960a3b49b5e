package faultproxy

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo starts a server that sends everything back, and returns its address.
func echo(t *testing.T, network, address string) string {
	t.Helper()
	return serve(t, network, address, func(c net.Conn) { _, _ = io.Copy(c, c) })
}

func serve(t *testing.T, network, address string, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen(network, address)
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func echoProxy(t *testing.T) *Proxy {
	t.Helper()
	return New(t, echo(t, "tcp", "127.0.0.1:0"))
}

func dial(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(waitTimeout)))
	return c.(*net.TCPConn)
}

func send(t *testing.T, c net.Conn, data string) {
	t.Helper()
	_, err := io.WriteString(c, data)
	require.NoError(t, err)
}

func receive(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	data := make([]byte, n)
	_, err := io.ReadFull(c, data)
	require.NoError(t, err)
	return string(data)
}

func roundTrip(t *testing.T, c net.Conn, data string) {
	t.Helper()
	send(t, c, data)
	require.Equal(t, data, receive(t, c, len(data)))
}

func TestForwardsEverythingAndEndsInOrder(t *testing.T) {
	p := echoProxy(t)
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := dial(t, p)
			var writer sync.WaitGroup
			writer.Go(func() {
				_, _ = c.Write(data)
				_ = c.CloseWrite()
			})
			got, err := io.ReadAll(c)
			writer.Wait()
			if err != nil || !bytes.Equal(data, got) {
				t.Errorf("sent %d bytes, received %d, equal %v, error %v", len(data), len(got), bytes.Equal(data, got), err)
			}
			c.Close()
		})
	}
	wg.Wait()
	p.WaitFor("all to be closed", func(s Stats) bool { return s.Open == 0 })
	n := int64(4 * len(data))
	require.Equal(t, Stats{Accepted: 4, ToServer: n, ToClient: n}, p.Stats())
}

func TestForwardsToAUnixSocket(t *testing.T) {
	p := New(t, echo(t, "unix", filepath.Join(t.TempDir(), "s")))
	roundTrip(t, dial(t, p), "hello")
}

func TestDelayIsALatencyThatPipeliningPaysOnce(t *testing.T) {
	p := echoProxy(t)
	c := dial(t, p)
	roundTrip(t, c, "before")
	const there, back = 20 * time.Millisecond, 30 * time.Millisecond
	p.Delay(there, back)

	start := time.Now()
	roundTrip(t, c, "x")
	require.GreaterOrEqual(t, time.Since(start), there+back)

	// 200 messages that don't wait for each other arrive together, long before the sum of their
	// latencies.
	start = time.Now()
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 200 {
			_, _ = io.WriteString(c, "x")
		}
	})
	receive(t, c, 200)
	writer.Wait()
	require.GreaterOrEqual(t, time.Since(start), there+back)
	require.Less(t, time.Since(start), 200*(there+back)/2)

	p.Delay(0, 0)
	roundTrip(t, c, "after")
}

func TestShortDelaysAreNotRoundedUp(t *testing.T) {
	p := echoProxy(t)
	const there, back = 100 * time.Microsecond, 100 * time.Microsecond
	p.Delay(there, back)
	c := dial(t, p)
	best := time.Hour
	for range 200 {
		start := time.Now()
		roundTrip(t, c, "x")
		best = min(best, time.Since(start))
	}
	require.GreaterOrEqual(t, best, there+back)
	// The best of many, because the machine may be busy; the runtime's timers would not stay below
	// 2 ms even then.
	require.Less(t, best, time.Millisecond)
}

func TestDelayedEndComesAfterDelayedData(t *testing.T) {
	p := New(t, serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { _, _ = io.WriteString(c, "goodbye") }))
	p.Delay(0, 20*time.Millisecond)
	start := time.Now()
	got, err := io.ReadAll(dial(t, p))
	require.NoError(t, err)
	require.Equal(t, "goodbye", string(got))
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
}

func TestCutAfterDeliversExactlySoManyBytesAndHitsOneConnection(t *testing.T) {
	for _, d := range []Direction{ToServer, ToClient} {
		for _, n := range []int64{0, 1, 4, 5, 9} {
			p := echoProxy(t)
			c := dial(t, p)
			roundTrip(t, c, "hello")
			p.CutAfter(d, n)
			send(t, c, "hello, world")
			got, err := io.ReadAll(c)
			requireCut(t, err)
			if d == ToClient {
				require.Equal(t, "hello, world"[:n], string(got))
				require.Equal(t, 5+n, p.Stats().ToClient)
			} else {
				require.Equal(t, 5+n, p.Stats().ToServer)
			}
			again := dial(t, p)
			roundTrip(t, again, "as if nothing had been")
		}
	}
}

// requireCut accepts both errors by which a peer learns that a connection is closed.
func requireCut(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, io.EOF) {
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
}

func TestCutResetsWhatIsOpen(t *testing.T) {
	ended := make(chan error, 1)
	p := New(t, serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		_, err := io.Copy(c, c)
		ended <- err
	}))
	c := dial(t, p)
	roundTrip(t, c, "hello")
	p.Cut()
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.ErrorIs(t, <-ended, syscall.ECONNRESET)
	p.WaitFor("the connection to be forgotten", func(s Stats) bool { return s.Open == 0 })
	roundTrip(t, dial(t, p), "hello")
}

func TestResetOfOneSideReachesTheOther(t *testing.T) {
	ended := make(chan error, 1)
	p := New(t, serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		_, err := io.Copy(c, c)
		ended <- err
	}))
	c := dial(t, p)
	roundTrip(t, c, "hello")
	require.NoError(t, c.SetLinger(0))
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-ended, syscall.ECONNRESET)
}

func TestStallHoldsBytesAndEndsUntilResume(t *testing.T) {
	p := echoProxy(t)
	c := dial(t, p)
	roundTrip(t, c, "hello")

	p.Stall(ToClient)
	send(t, c, "there")
	p.WaitFor("the server to have it", func(s Stats) bool { return s.ToServer == 10 })
	requireSilence(t, c)
	require.EqualValues(t, 5, p.Stats().ToClient)
	p.Resume()
	require.Equal(t, "there", receive(t, c, 5))

	p.Stall()
	send(t, c, "again")
	require.NoError(t, c.CloseWrite())
	other := dial(t, p) // is accepted, and silent
	send(t, other, "me too")
	p.WaitFor("the other connection", func(s Stats) bool { return s.Open == 2 })
	requireSilence(t, c)
	requireSilence(t, other)
	p.Resume(ToServer)
	p.Resume(ToClient)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "again", string(got))
	require.Equal(t, "me too", receive(t, other, 6))
}

// requireSilence can only look for a moment: there is no sign that bytes won't come.
func requireSilence(t *testing.T, c *net.TCPConn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(waitTimeout)))
}

func TestCutAndCloseEndAStall(t *testing.T) {
	p := echoProxy(t)
	p.Stall()
	c := dial(t, p)
	send(t, c, "hello")
	p.WaitFor("the connection", func(s Stats) bool { return s.Open == 1 })
	p.Cut()
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)

	c = dial(t, p)
	send(t, c, "hello")
	p.WaitFor("the connection", func(s Stats) bool { return s.Accepted == 2 })
	p.Close()
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestSwallowedConnectionsStaySilentAndNewOnesDoNot(t *testing.T) {
	p := echoProxy(t)
	both, answers := dial(t, p), dial(t, p)
	roundTrip(t, both, "hello")
	roundTrip(t, answers, "hello")
	p.Swallow(ToClient)
	send(t, answers, "there")
	p.WaitFor("the server to have it", func(s Stats) bool { return s.ToServer == 15 })
	p.Stall()
	p.Swallow()
	p.Resume() // affects only connections that aren't swallowed
	send(t, both, "there")
	require.NoError(t, both.CloseWrite())
	requireSilence(t, both)
	requireSilence(t, answers)
	require.Equal(t, Stats{Accepted: 2, Open: 2, ToServer: 15, ToClient: 10}, p.Stats())
	later := dial(t, p)
	roundTrip(t, later, "still here")
	p.Cut()
	_, err := both.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// packets returns the messages of MySQL's protocol with these contents.
func packets(contents ...string) (data string) {
	for i, c := range contents {
		data += string([]byte{byte(len(c)), 0, 0, byte(i)}) + c
	}
	return data
}

func TestSwallowAfterSoManyMessages(t *testing.T) {
	for n := range int64(7) {
		p := echoProxy(t)
		p.Split(MySQL)
		c := dial(t, p)
		roundTrip(t, c, packets("before"))
		p.SwallowAfter(n)
		for _, half := range []string{packets("one", "two", "three")[:9], packets("one", "two", "three")[9:]} {
			send(t, c, half) // in the middle of a message
		}
		p.WaitFor("the messages", func(s Stats) bool { return s.Messages >= 2+min(n, 6) })
		if n == 6 {
			require.Equal(t, packets("one", "two", "three"), receive(t, c, 23))
			send(t, c, packets("four"))
		}
		requireSilenceAfter(t, c)
		require.Equal(t, 2+n, p.Stats().Messages)
		roundTrip(t, dial(t, p), packets("later", "connections"))
		require.Equal(t, 2+n+4, p.Stats().Messages)
	}
}

// requireSilenceAfter is requireSilence after the bytes that have already come.
func requireSilenceAfter(t *testing.T, c *net.TCPConn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
}

func TestMessagesOfPostgres(t *testing.T) {
	startup := "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	sync := "S\x00\x00\x00\x04"
	query := "Q\x00\x00\x00\x0dselect 1\x00"
	for _, test := range []struct {
		dir  Direction
		data string
		want []string
	}{
		{ToServer, startup + query + sync, []string{startup, query, sync}},
		{ToClient, query + sync + "S\x00", []string{query, sync}},
	} {
		for step := 1; step <= len(test.data); step++ {
			s := &splitter{frames: Postgres, dir: test.dir}
			var got []string
			for rest := []byte(test.data); len(rest) > 0; {
				n := min(step, len(rest))
				for m, ok := s.next(rest[:n]); ok; m, ok = s.next(nil) {
					got = append(got, string(m))
				}
				rest = rest[n:]
			}
			require.Equal(t, test.want, got)
		}
	}
}

func TestSettingsThatPostgresReportsTogetherAreOneMessage(t *testing.T) {
	entered := "R\x00\x00\x00\x08\x00\x00\x00\x00"
	setting := "S\x00\x00\x00\x08a\x00b\x00"
	ready := "Z\x00\x00\x00\x05I"
	for _, test := range []struct {
		name  string
		dir   Direction
		parts []string // as they come
		want  []string
	}{
		{"all at once", ToClient, []string{entered + setting + setting + setting + ready}, []string{entered, setting + setting + setting, ready}},
		{"a part later", ToClient, []string{entered + setting + setting[:6], setting[6:] + ready}, []string{entered, setting, setting, ready}},
		{"of a client", ToServer, []string{"\x00\x00\x00\x04" + setting + setting}, []string{"\x00\x00\x00\x04", setting, setting}},
	} {
		s := &splitter{frames: Postgres, dir: test.dir}
		var got []string
		for _, part := range test.parts {
			for m, ok := s.next([]byte(part)); ok; m, ok = s.next(nil) {
				got = append(got, string(m))
			}
		}
		require.Equal(t, test.want, got, test.name)
	}
}

func TestRefusedConnectionsAreRefusedAndOpenOnesStay(t *testing.T) {
	p := echoProxy(t)
	c := dial(t, p)
	roundTrip(t, c, "hello")
	p.Refuse()
	p.Refuse()
	_, err := net.Dial("tcp", p.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	roundTrip(t, c, "still here")
	p.Admit()
	p.Admit()
	roundTrip(t, dial(t, p), "hello again")
	require.Equal(t, 2, p.Stats().Accepted)
}

func TestTargetThatIsGoneResetsTheClient(t *testing.T) {
	p := echoProxy(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	p.SetTarget(nobody.Addr().String())
	c, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may come as early as that
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	p.SetTarget(echo(t, "tcp", "127.0.0.1:0"))
	roundTrip(t, dial(t, p), "hello")
}

func TestFullQueueSlowsTheSenderDown(t *testing.T) {
	p := echoProxy(t)
	c := dial(t, p)
	p.Stall(ToServer)
	var writer sync.WaitGroup
	const total = queueSize + 32<<20
	writer.Go(func() {
		block := make([]byte, 1<<20)
		for range total / len(block) {
			if _, err := c.Write(block); err != nil {
				t.Errorf("writing: %v", err)
				return
			}
		}
		_ = c.CloseWrite()
	})
	p.Resume()
	n, err := io.Copy(io.Discard, c)
	require.NoError(t, err)
	require.EqualValues(t, total, n)
	writer.Wait()
}

// Everything at once, for the race detector. The only promise is that it ends.
func TestEverythingAtOnce(t *testing.T) {
	p := echoProxy(t)
	stop := make(chan struct{})
	var faults, clients sync.WaitGroup
	for _, fault := range []func(){
		func() { p.Delay(time.Duration(rand.IntN(2))*time.Millisecond, 0) },
		func() { p.Stall(); p.Resume() },
		func() { p.CutAfter(ToClient, int64(rand.IntN(1000))) },
		func() { p.Refuse(); p.Admit() },
		func() { p.Cut() },
		func() { p.Stats() },
	} {
		faults.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					fault()
				}
			}
		})
	}
	for range 4 {
		clients.Go(func() {
			for range 100 {
				c, err := net.Dial("tcp", p.Addr())
				if err != nil {
					continue // refused
				}
				_, _ = io.WriteString(c, "hello")
				_, _ = c.Read(make([]byte, 5))
				c.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	faults.Wait()
	p.WaitFor("all connections to end", func(s Stats) bool { return s.Open == 0 })
}
