package turns

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests hand something to a waiter before the waiter notices that its context has ended.
// Elsewhere that is a matter of luck.

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func waitIn(q *queue, o owner, shared bool) *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{shared: shared}
	q.join(o, w)
	return w
}

func TestAConnectionGrantedTooLateGoesToTheNextOrBackToThePool(t *testing.T) {
	for _, c := range []*Conn{{}, nil} { // a connection, or the place for one
		p := &Pool{PoolConfig: PoolConfig{Size: 1, Max: 1}, places: 1}
		late, next := waitIn(&p.queue, p, false), waitIn(&p.queue, p, false)
		p.mu.Lock()
		p.handOn(c)
		require.Equal(t, granted, late.state)
		require.ErrorIs(t, p.wait(ended(), p, late), context.Canceled)
		require.NoError(t, p.wait(context.Background(), p, next))
		require.Same(t, c, next.conn)
		require.Equal(t, 1, p.places)

		late = waitIn(&p.queue, p, false)
		p.mu.Lock()
		p.handOn(c)
		require.ErrorIs(t, p.wait(ended(), p, late), context.Canceled)
		if c != nil {
			require.Equal(t, []*Conn{c}, p.idle)
		} else {
			require.Zero(t, p.places)
		}
	}
}

func TestAWaiterThatLeftIsPassedOver(t *testing.T) {
	p := &Pool{PoolConfig: PoolConfig{Size: 1, Max: 1}, places: 1}
	gone, next := waitIn(&p.queue, p, false), waitIn(&p.queue, p, false)
	gone.promise.Reject(context.Canceled) // its Await is cancelled, but it hasn't run since
	c := &Conn{}
	p.mu.Lock()
	p.handOn(c)
	require.Equal(t, left, gone.state)
	require.Same(t, c, next.conn)
	require.ErrorIs(t, p.wait(context.Background(), p, gone), context.Canceled)
	require.Empty(t, p.idle, "nobody gave it back twice")
}

func TestATurnGrantedTooLateGoesToTheNext(t *testing.T) {
	g := NewGate(true, 0, nil)
	held, err := g.Enter(context.Background(), true, false, "first")
	require.NoError(t, err)
	writer, reader := waitIn(&g.queue, g, false), waitIn(&g.queue, g, true)
	last := waitIn(&g.queue, g, false)
	g.Leave(held)
	require.Equal(t, granted, writer.state)
	require.Equal(t, waiting, reader.state)
	require.ErrorIs(t, g.wait(ended(), g, writer), context.Canceled)
	require.Equal(t, granted, reader.state)
	require.Equal(t, waiting, last.state, "a writer waits for the reader")
	require.ErrorIs(t, g.wait(ended(), g, reader), context.Canceled)
	require.NoError(t, g.wait(context.Background(), g, last))
	g.Leave(WritePass)
	require.Zero(t, g.readers)
	require.False(t, g.writing)
}

func TestAJobThatWasDoneTooEarlyIsDone(t *testing.T) {
	// The job ended before its caller waited for it, and before the caller's context ended.
	c := &Conn{}
	j := &Job{ctx: ended(), got: c}
	j.promise.Bind(nil, j)
	j.promise.Resolve(struct{}{})
	require.NoError(t, j.wait())
	require.Same(t, c, j.got, "what it has is its caller's")
}

func TestReadersPassTogetherAndAWriterAlone(t *testing.T) {
	g := NewGate(true, 0, nil)
	ctx := context.Background()
	one, err := g.Enter(ctx, false, false, "")
	require.NoError(t, err)
	two, err := g.Enter(ctx, false, false, "")
	require.NoError(t, err)
	writer := waitIn(&g.queue, g, false)
	behind := waitIn(&g.queue, g, true)
	_, ok := g.TryEnter(false, "")
	require.False(t, ok, "a reader that comes later doesn't overtake the writer")
	g.Leave(one)
	require.Equal(t, waiting, writer.state)
	g.Leave(two)
	require.Equal(t, granted, writer.state)
	require.Equal(t, waiting, behind.state)
	g.Leave(WritePass)
	require.Equal(t, granted, behind.state)
	g.Leave(ReadPass)
	held, ok := g.TryEnter(true, "w")
	require.True(t, ok)
	g.Leave(held)
}
