package repaint_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// serve accepts one connection, on which a goroutine talks. It waits in real time.
func serve(t *testing.T, talk func(c net.Conn)) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer listener.Close()
		if c, err := listener.Accept(); err == nil {
			talk(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return listener.Addr().String()
}

// pause is longer than a virtual clock waits for an answer that no peer owes it.
const pause = 50 * time.Millisecond

func TestAVirtualClockStandsStillForAPeerThatOwesAnAnswer(t *testing.T) {
	for name, talk := range map[string]func(c net.Conn){
		"an answer": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			time.Sleep(pause)
			_, _ = c.Write([]byte("ab"))
		},
		"in two parts": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Write([]byte("a"))
			time.Sleep(pause)
			_, _ = c.Write([]byte("b"))
		},
		"a server that speaks first": func(c net.Conn) {
			time.Sleep(pause)
			_, _ = c.Write([]byte("ab"))
			_, _ = c.Read(make([]byte, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, talk)
			virtually(t, func(ctx context.Context) {
				c, err := new(repaint.Dialer).DialContext(ctx, "tcp", address)
				require.NoError(t, err)
				defer c.Close()
				late := false
				repaint.CurrentLoop().CallLater(time.Hour, func() { late = true })
				if name != "a server that speaks first" {
					_, err = c.Write([]byte("?"))
					require.NoError(t, err)
				}
				_, err = io.ReadFull(c, make([]byte, 2))
				require.NoError(t, err)
				require.False(t, late)
			})
		})
	}
}

func TestAVirtualClockGoesOnWhileAServerWaitsForRequests(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted, err := listener.Accept()
	require.NoError(t, err)
	_, err = client.Write([]byte("?"))
	require.NoError(t, err)
	virtually(t, func(ctx context.Context) {
		c := repaint.AdoptConn(accepted)
		repaint.CurrentLoop().CallLater(time.Hour, func() { _ = c.Close() })
		_, err := c.Read(make([]byte, 1))
		require.NoError(t, err)
		_, err = c.Write([]byte("!"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestAVirtualClockGoesOnWhileThePeerIsATaskThatSleeps(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	begin := time.Now()
	virtually(t, func(ctx context.Context) {
		c, err := new(repaint.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		accepted, err := listener.Accept()
		require.NoError(t, err)
		server := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			s := repaint.AdoptConn(accepted)
			defer s.Close()
			if _, err := s.Read(make([]byte, 1)); err != nil {
				return 0, err
			}
			if err := repaint.Sleep(ctx, time.Hour); err != nil {
				return 0, err
			}
			return s.Write([]byte("!"))
		})
		_, err = c.Write([]byte("?"))
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, err)
		_, err = repaint.Await(ctx, server)
		require.NoError(t, err)
		require.Equal(t, time.Unix(0, 0).Add(time.Hour), repaint.CurrentLoop().Now())
	})
	require.Less(t, time.Since(begin), time.Hour)
}

func TestReportsOfAStoppedClockSayWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report error
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			repaint.CurrentLoop().CallLater(time.Hour, func() {})
			_, err := repaint.Block(ctx, func(context.Context) (int, error) {
				time.Sleep(time.Minute) // in the bubble's time, like the report's time
				return 0, nil
			})
			return err
		}, loop.VirtualClock(time.Unix(0, 0)), loop.ReportTo(func(err error) { report = err })))
		require.ErrorContains(t, report, "the main function waits for offloaded work")
	})
}
