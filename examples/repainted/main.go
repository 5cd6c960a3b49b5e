// Repainted is the idea in one page: a blue function, written as if its driver blocked,
// runs on top of a red driver, called from the red side.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

func main() {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		return red(ctx, os.Stdout, &driver{out: os.Stdout})
	})
	if err != nil {
		log.Fatal(err)
	}
}

// red is asynchronous code: it gets a future for the blue function's result.
func red(ctx context.Context, w io.Writer, d *driver) error {
	task := repaint.Spawn(ctx, func(ctx context.Context) (*connection, error) {
		return createConnection(ctx, w, d)
	})
	_, err := repaint.Await(ctx, task)
	return err
}

// createConnection is blue: plain sequential code, in which Await looks like any call that takes a while.
func createConnection(ctx context.Context, w io.Writer, d *driver) (*connection, error) {
	fmt.Fprintln(w, "sync starting")
	c, err := repaint.Await(ctx, d.connect())
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(w, "sync done")
	return c, nil
}

// createPatiently is blue, too: the driver's error is an ordinary one, so it can be handled and the call repeated.
func createPatiently(ctx context.Context, w io.Writer, d *driver) (*connection, error) {
	for {
		c, err := createConnection(ctx, w, d)
		if !errors.Is(err, errRefused) {
			return c, err
		}
		fmt.Fprintln(w, "sync handling:", err)
	}
}

type connection struct{}

var errRefused = errors.New("connection refused")

// A driver is red: its function returns at once, with a future.
type driver struct {
	out      io.Writer
	failures int // how many attempts are to fail before one succeeds
}

func (d *driver) connect() *loop.Future[*connection] {
	fmt.Fprintln(d.out, "async executing")
	l := repaint.CurrentLoop()
	p := loop.NewPromise[*connection](l)
	l.CallLater(time.Second, func() {
		if d.failures > 0 {
			d.failures--
			p.Reject(errRefused)
			return
		}
		fmt.Fprintln(d.out, "async done")
		p.Resolve(new(connection))
	})
	return p.Future()
}
