package coop

import (
	"context"
	"slices"

	"github.com/seed1239206e/repaint/loop"
)

// A room holds a [Loader]'s work for one loop, or for all plain goroutines. It exists as long as a
// key is asked for and not answered. The loader's mutex guards all of it.
type room[K comparable, V any] struct {
	loader *Loader[K, V]
	home   *loop.Loop // nil for the plain goroutines
	// calls has the keys that callers have asked for, in the collecting batch and in those under
	// way, except cleared keys.
	calls      map[K]*call[K, V]
	collecting *batch[K, V] // nil if no key has been asked for since the last batch began
	running    int          // batches under way
	idleAsked  bool         // the loop will call idle
	// closing is a promise that the loop completes when it closes. It exists if there are askers,
	// which wouldn't notice otherwise.
	closing *loop.Promise[struct{}]
}

// A batch is a number of keys that are asked for together. The loader's mutex guards all of it.
//
//	collecting → begun → over
//
// It can be given up while it collects and after it has begun.
type batch[K comparable, V any] struct {
	room   *room[K, V]
	ctx    context.Context // the first caller's
	calls  []*call[K, V]
	wanted int // calls that are waited for
	begun  bool
	over   bool
	// givenUp: it began and then all callers gave up. The room doesn't count it any more.
	givenUp bool
	cancel  func(cause error) // nil until it has started
}

// An aftermath is the work that follows the end of a batch or a call, once the loader's mutex is
// released.
type aftermath[K comparable, V any] struct {
	cancel func(cause error)       // of a batch that was given up; may be nil
	next   *batch[K, V]            // may begin now; may be nil
	left   *loop.Promise[struct{}] // of a room that was left; may be nil
}

func (a aftermath[K, V]) do() {
	if a.cancel != nil {
		a.cancel(errGivenUp)
	}
	if a.next != nil {
		a.next.start()
	}
	if a.left != nil {
		a.left.Resolve(struct{}{})
	}
}

// A call is a key that one or more callers ask for. The loader's mutex guards all of it except the
// promise.
type call[K comparable, V any] struct {
	promise loop.Promise[V] // for all callers of Load
	key     K
	batch   *batch[K, V]
	waiting int            // in Load and by askers
	askers  []*asker[K, V] // of LoadFuture
	stale   bool           // the key was cleared or primed meanwhile, so the loaded value isn't kept
}

// CancelFuture implements [loop.Canceler]: if one caller gives up, the others go on waiting.
func (c *call[K, V]) CancelFuture(error) {}

// String names what is waited for.
func (c *call[K, V]) String() string { return c.batch.room.loader.describe("a key of a coop.Loader") }

// An asker is a future that LoadFuture returned for a call.
type asker[K comparable, V any] struct {
	promise loop.Promise[V]
	call    *call[K, V]
}

// CancelFuture implements [loop.Canceler]: the asker gives up.
func (a *asker[K, V]) CancelFuture(cause error) {
	l := a.call.batch.room.loader
	l.mu.Lock()
	i := slices.Index(a.call.askers, a)
	if i < 0 { // the result is on its way
		l.mu.Unlock()
		return
	}
	a.call.askers = slices.Delete(a.call.askers, i, i+1)
	after := a.call.leave()
	l.mu.Unlock()
	a.promise.Reject(cause)
	after.do()
}

// String names what is waited for.
func (a *asker[K, V]) String() string { return a.call.String() }

// An order collects the work that asking for keys causes, to be done once the loader's mutex is
// released.
type order[K comparable, V any] struct {
	loader *Loader[K, V]
	ctx    context.Context
	home   *loop.Loop

	room    *room[K, V] // nil until a key has to be asked for
	askIdle bool
	watch   *loop.Promise[struct{}]
	ready   []*batch[K, V] // to be started
}

// join asks for a key. It must be called with the loader's mutex held.
func (o *order[K, V]) join(key K) *call[K, V] {
	if o.room == nil {
		o.room = o.loader.room(o.home)
	}
	r := o.room
	if c := r.calls[key]; c != nil {
		if c.waiting++; c.waiting == 1 {
			c.batch.wanted++
		}
		return c
	}
	b := r.collecting
	if b == nil {
		b = &batch[K, V]{room: r, ctx: o.ctx}
		r.collecting = b
	}
	c := &call[K, V]{key: key, batch: b, waiting: 1}
	c.promise.Bind(o.home, c)
	r.calls[key] = c
	b.calls = append(b.calls, c)
	if b.wanted++; b.wanted == o.loader.maxBatch {
		b.begin()
		o.ready = append(o.ready, b)
	}
	return c
}

// close decides when the collected batch starts. It must be called with the loader's mutex held.
func (o *order[K, V]) close() {
	switch r := o.room; {
	case r == nil || r.collecting == nil:
	case o.home != nil:
		o.askIdle = !r.idleAsked
		r.idleAsked = true
	case r.running == 0 || o.ctx.Value(inBatch{}) != nil:
		b := r.collecting
		b.begin()
		o.ready = append(o.ready, b)
	}
}

// run does the collected work. It must be called without the loader's mutex.
func (o *order[K, V]) run() {
	if o.watch != nil {
		closing := new(loop.Waiter)
		closing.Notify(nil, (*closedLoop[K, V])(o.room))
		o.watch.Future().Subscribe(closing)
	}
	if o.askIdle {
		o.home.CallWhenIdleSoon(o.room.idle)
	}
	for _, b := range o.ready {
		b.start()
	}
}

// inBatch is the key of a context value that says that a batch function runs outside any loop. Its
// own loads mustn't wait for other batches to end, because those may be waiting for this one.
type inBatch struct{}

func (l *Loader[K, V]) room(home *loop.Loop) *room[K, V] {
	r := l.rooms[home]
	if r == nil {
		r = &room[K, V]{loader: l, home: home, calls: make(map[K]*call[K, V])}
		l.rooms[home] = r
	}
	return r
}

// watch returns a new promise that the loop will fail when it closes, or nil if the room has one
// already.
func (r *room[K, V]) watch() *loop.Promise[struct{}] {
	if r.home == nil || r.closing != nil {
		return nil
	}
	r.closing = loop.NewPromise[struct{}](r.home)
	return r.closing
}

// A closedLoop is a room whose RunInLoop runs when its loop has closed.
type closedLoop[K comparable, V any] room[K, V]

// RunInLoop lets go of the room. It also runs when the room itself has resolved the promise.
func (c *closedLoop[K, V]) RunInLoop() {
	r := (*room[K, V])(c)
	r.loader.mu.Lock()
	defer r.loader.mu.Unlock()
	if r.loader.rooms[r.home] == r {
		delete(r.loader.rooms, r.home)
	}
}

// ended returns the work that follows the end of a batch or a call. It must be called with the
// loader's mutex held.
func (r *room[K, V]) ended() (after aftermath[K, V]) {
	switch {
	case r.collecting != nil:
		if r.home == nil && r.running == 0 {
			after.next = r.collecting
			after.next.begin()
		}
	case r.running == 0 && len(r.calls) == 0 && r.loader.rooms[r.home] == r:
		delete(r.loader.rooms, r.home)
		after.left = r.closing
	}
	return after
}

// idle begins the collecting batch. The loop calls it when all its tasks wait, or when it has had
// no such moment for too long.
func (r *room[K, V]) idle() {
	r.loader.mu.Lock()
	r.idleAsked = false
	b := r.collecting
	if b != nil {
		b.begin()
	}
	r.loader.mu.Unlock()
	if b != nil {
		b.start()
	}
}

// clear makes later callers load the key anew. The call may be nil.
func (r *room[K, V]) clear(c *call[K, V]) {
	if c != nil && c.batch.begun {
		c.stale = true
		delete(r.calls, c.key)
	}
}

// begin ends the collecting. It must be called with the loader's mutex held. start must follow,
// without the mutex.
func (b *batch[K, V]) begin() {
	b.begun = true
	b.room.collecting = nil
	b.room.running++
}

// start runs the batch.
func (b *batch[K, V]) start() {
	l := b.room.loader
	keys := b.keys()
	if len(keys) == 0 {
		b.land(nil, nil)
		return
	}
	ctx := b.ctx
	if b.room.home == nil {
		ctx = context.WithValue(ctx, inBatch{}, true)
	}
	cancel := detach(ctx, l.describe("a batch of a coop.Loader"), func(ctx context.Context) {
		complete(func() (map[K]V, error) { return l.batch(ctx, keys) }, b.land)
	})
	l.mu.Lock()
	b.cancel = cancel
	givenUp := b.givenUp && !b.over
	l.mu.Unlock()
	if givenUp {
		cancel(errGivenUp)
	}
}

// keys returns the keys that callers still want. No caller can join the others any more.
func (b *batch[K, V]) keys() []K {
	l := b.room.loader
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := make([]K, 0, b.wanted)
	for _, c := range b.calls {
		if c.waiting > 0 {
			keys = append(keys, c.key)
		} else {
			b.room.forget(c)
		}
	}
	return keys
}

// leave notes that a caller has given up the call. It must be called with the loader's mutex held.
func (c *call[K, V]) leave() (after aftermath[K, V]) {
	b, r := c.batch, c.batch.room
	if c.waiting--; c.waiting > 0 || b.over {
		return after
	}
	b.wanted--
	switch {
	case !b.begun:
		r.forget(c)
		if b.wanted > 0 {
			return after
		}
		r.collecting = nil
		return r.ended()
	case b.wanted > 0:
		return after // the key is being loaded, and a caller may still ask for it
	}
	// No caller can join a batch that was given up, and none waits for it to end.
	b.givenUp = true
	r.running--
	for _, c := range b.calls {
		r.forget(c)
	}
	after = r.ended()
	after.cancel = b.cancel // if it hasn't started yet, start will see givenUp
	return after
}

// forget removes a call from those that callers join.
func (r *room[K, V]) forget(c *call[K, V]) {
	if r.calls[c.key] == c {
		delete(r.calls, c.key)
	}
}

// land ends the batch and tells all waiting callers. It reports whether there are any.
func (b *batch[K, V]) land(values map[K]V, err error) bool {
	each := eachOf[K](err)
	r := b.room
	l := r.loader
	l.mu.Lock()
	b.over = true
	if b.givenUp {
		l.mu.Unlock()
		return false
	}
	r.running--
	var askers []*asker[K, V]
	for _, c := range b.calls {
		r.forget(c)
		askers = append(askers, c.askers...)
		c.askers = nil
		if l.caching && !c.stale {
			if v, err := find(c.key, values, err, each); err == nil {
				l.keep(c.key, v)
			}
		}
	}
	wanted := b.wanted > 0
	after := r.ended()
	l.mu.Unlock()
	for _, c := range b.calls {
		c.promise.Settle(find(c.key, values, err, each))
		_ = c.promise.Future().Err() // the callers see it, so the loop needn't report it
	}
	for _, a := range askers {
		a.promise.Settle(a.call.promise.Future().Result())
	}
	after.do()
	return wanted
}
