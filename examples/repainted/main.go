// Repainted shows the idea on one page: red code calls a blue function, which is written as if its
// driver blocked, on top of a red driver.
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

// createConnection is blue: plain sequential code in which Await looks like any slow call.
func createConnection(ctx context.Context, w io.Writer, d *driver) (*connection, error) {
	fmt.Fprintln(w, "sync starting")
	c, err := repaint.Await(ctx, d.connect())
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(w, "sync done")
	return c, nil
}

// createPatiently is blue too: the driver's error is an ordinary error, so the function handles it
// and repeats the call.
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

// A driver is red: its function returns a future at once.
type driver struct {
	out      io.Writer
	failures int // how many attempts fail before one succeeds
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
