package coop

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A gate lets any number of callers wait together: it opens once, for all of them. It hands nothing
// over, so nothing can be lost, and one promise serves all.
type gate struct {
	promise loop.Promise[struct{}]
	id      *identity
	what    string
}

func newGate(id *identity, what string) *gate {
	g := &gate{id: id, what: what}
	g.promise.Bind(id.home, g)
	return g
}

// CancelFuture implements [loop.Canceler]: if one caller gives up, the others go on waiting.
func (g *gate) CancelFuture(error) {}

// String says what the callers wait for.
func (g *gate) String() string { return g.id.describe(g.what) }

// open lets all callers pass. The gate may be nil.
func (g *gate) open() {
	if g != nil {
		g.promise.Resolve(struct{}{})
	}
}

func (g *gate) wait(ctx context.Context) error {
	_, err := repaint.Await(ctx, g.promise.Future())
	if err != nil && ctx.Err() != nil && g.promise.Future().Done() {
		return g.promise.Future().Err() // it opened at the same moment
	}
	return err
}
