package turns

import "context"

// Turns holds the connections of an engine, and the turn to write.
type Turns struct {
	Pool    *Pool
	Writers *Pool // one connection, for the holder of the pass to write; without a Gate, the Pool
	Gate    *Gate // nil if the database arbitrates between writers
}

// PoolFor returns the pool for work that writes, or for work that only reads.
func (t *Turns) PoolFor(writes bool) *Pool {
	if writes {
		return t.Writers
	}
	return t.Pool
}

// Reserved reports whether only the holder of the pass to write may take the connection of p.
func (t *Turns) Reserved(p *Pool) bool { return t.Gate != nil && p == t.Writers }

// CheckOut gets a connection of p and the pass that goes with it, in the order that Gate
// prescribes. what names the caller in messages.
func (t *Turns) CheckOut(ctx context.Context, p *Pool, write bool, what string) (c *Conn, held Pass, err error) {
	if t.Reserved(p) {
		held, err = t.Gate.Enter(ctx, true, false, what)
		if err != nil {
			return nil, NoPass, err
		}
		defer func() {
			if c == nil { // also when the caller is killed while it waits
				t.Gate.Leave(held)
				held = NoPass
			}
		}()
		c, err = p.Acquire(ctx)
		return c, held, err
	}
	got, err := p.Acquire(ctx)
	if err != nil {
		return nil, NoPass, err
	}
	defer func() {
		if c == nil {
			p.Release(ctx, got)
		}
	}()
	if held, err = t.Gate.Enter(ctx, write, true, what); err == nil {
		c = got
	}
	return c, held, err
}

// Idle returns an idle connection, its pool and its pass, for work that can begin at once. c is nil
// if there is none.
func (t *Turns) Idle(write bool, what string) (p *Pool, held Pass, c *Conn) {
	held, ok := t.Gate.TryEnter(write, what)
	if !ok {
		return nil, NoPass, nil
	}
	p = t.PoolFor(write)
	if c = p.TakeIdle(); c == nil {
		t.Gate.Leave(held)
	}
	return p, held, c
}

// GiveBack gives a connection of p and the pass back. killed says that the user was killed during a
// call: GiveBack then returns at once, and both come back when the database has finished the call.
func (t *Turns) GiveBack(ctx context.Context, p *Pool, held Pass, c *Conn, killed bool) {
	if killed {
		t.Abandon(p, c, held)
		return
	}
	defer t.Gate.Leave(held)
	p.Release(ctx, c)
}

// Abandon takes back a connection of p on which a call may still run. The pass comes back after it.
func (t *Turns) Abandon(p *Pool, c *Conn, held Pass) {
	p.Abandon(c, func() { t.Gate.Leave(held) })
}

// Close refuses waiting and new callers with why, and waits until ctx ends for the connections in
// use. It returns how many are still out. ending is the context for closing the idle connections.
func (t *Turns) Close(ctx, ending context.Context, why error) (out int) {
	out = t.Pool.Close(ctx, ending, why)
	if t.Writers != t.Pool {
		out += t.Writers.Close(ctx, ending, why)
	}
	return out
}

// StartUpkeep starts the upkeep of the pools.
func (t *Turns) StartUpkeep() {
	t.Pool.StartUpkeep()
	if t.Writers != t.Pool {
		t.Writers.StartUpkeep()
	}
}

// Reset replaces every connection: those in use when they come back, the others now.
func (t *Turns) Reset() {
	t.Pool.Reset()
	if t.Writers != t.Pool {
		t.Writers.Reset()
	}
}

// Invalidate marks all open connections stale; see Pool.Invalidate.
func (t *Turns) Invalidate() {
	t.Pool.Invalidate()
	if t.Writers != t.Pool {
		t.Writers.Invalidate()
	}
}
