package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/testserver/freeport"
	"github.com/seed1239206e/repaint/pg"
)

func serveUntilTerm(ctx context.Context, addr string, handler http.Handler, conn *pg.DB) error {
	work, cancelWork := context.WithCancel(context.Background())
	defer cancelWork()
	server := &http.Server{Addr: addr, Handler: handler, BaseContext: func(net.Listener) context.Context { return work }}
	term, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	select {
	case err := <-served:
		return err
	case <-term.Done():
	}

	draining, done := context.WithTimeout(ctx, 12*time.Second)
	defer done()
	ended := server.Shutdown(draining) // waits for the requests that are under way
	cancelWork()                       // cancels what is left, with its statements; InTx and BeginFunc roll back

	closing, closed := context.WithTimeout(ctx, 3*time.Second)
	defer closed()
	return errors.Join(ended, conn.Close(closing))
}

// The request itself asks for the end, and is answered.
func TestShutDown(t *testing.T) {
	conn, err := pg.Open(database(t))
	require.NoError(t, err)
	l, err := freeport.Listen()
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := self.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		var n int
		err := conn.QueryRow(r.Context(), "select count(*) from users").Scan(&n)
		fmt.Fprint(w, n, err)
	})
	ended := make(chan error, 1)
	go func() { ended <- serveUntilTerm(t.Context(), addr, handler, conn) }()
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + addr)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var n int
		_, err = fmt.Fscan(answer.Body, &n)
		return err == nil && n == 2
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, <-ended)
	require.ErrorIs(t, conn.Ping(t.Context()), pg.ErrClosed)
}

type job = func(ctx context.Context) error

func workUntilTerm(ctx, term context.Context, jobs *coop.Queue[job]) error {
	err := repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for {
			job, err := jobs.Get(term) // fails once term has ended
			if err != nil {
				return g.Wait()
			}
			g.Go(job)
		}
	})
	return err
}

func TestJobsThatHaveBegunEnd(t *testing.T) {
	term, stop := context.WithCancel(t.Context())
	jobs := coop.NewQueue[job](0)
	ended := false
	require.NoError(t, jobs.Put(t.Context(), func(ctx context.Context) error {
		stop()
		err := repaint.Sleep(ctx, time.Millisecond)
		ended = err == nil
		return err
	}))
	require.NoError(t, workUntilTerm(t.Context(), term, jobs))
	require.True(t, ended)
}
