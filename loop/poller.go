package loop

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Readiness says what a descriptor may be ready for.
type Readiness uint8

const (
	// Readable: a read has something to return: data, the end, or an error.
	Readable Readiness = 1 << iota
	// Writable: a write has room, or an error to return.
	Writable
	// Ended comes with Readable, for the last time: the other side sends no more, or there is an
	// error. Reads then never block, so they go on until they return the end.
	Ended
)

// A Pollable owns a descriptor that a loop polls. See [Loop.Poll].
//
// Only the loop calls it, one call at a time, and never within another callback. It can't return an
// error: what is wrong with the descriptor, the next read or write says.
type Pollable interface {
	// Ready says what the descriptor is ready for. The loop calls it, so it must not block. It may
	// call anything of the loop and of [Polled], also Remove. After a Remove that was called in the
	// loop it isn't called any more, nor after the end of the loop.
	//
	// The loop reports changes: it calls Ready once when data come, and not again while they stay
	// unread. So use the descriptor until it would block. A read of a stream that returns fewer
	// bytes than it has room for says the same, unless Ready was called with Ended before. Ready
	// may be called without cause, so the descriptor must be non-blocking.
	Ready(Readiness)
}

// ErrNoPoller reports that the system has no poller that a loop could wait in: wait for each
// descriptor in a goroutine of its own instead. It is also errors.ErrUnsupported.
var ErrNoPoller = fmt.Errorf("loop: no poller on this system: %w", errors.ErrUnsupported)

// Poll adds a descriptor to those that the loop waits for while it has nothing to do. The loop
// waits for all of them in one place: however many become ready at once, they wake the loop once. A
// loop that is never idle checks between ticks. The loop calls p with what the descriptor is ready
// for now, and at each change.
//
// The descriptor must be in non-blocking mode. It must leave the loop, by [Polled.Remove], before
// it is closed; otherwise the kernel forgets it by itself when nothing refers to what it stood for
// any more. A descriptor can be in several loops. The loop doesn't use it, nor close it, and
// forgets it when the loop is closed.
//
// A descriptor in the loop doesn't keep the loop from reporting a deadlock: code that waits for it
// awaits a promise that isn't bound to the loop, or calls [Bridge.Hold]. With a virtual clock, or a
// seed, descriptors that are ready at the same time come in the order in which they were added.
//
// Poll returns [ErrNoPoller], [ErrClosed], or the kernel's error. It must be called from the loop.
func (l *Loop) Poll(fd uintptr, p Pollable) (*Polled, error) {
	return l.PollFor(fd, Readable|Writable, p)
}

// PollFor is [Loop.Poll] for a part of what a descriptor can become ready for: Readable, Writable,
// both, or neither. What is left out can't wake the loop: a Unix socket becomes writable anew each
// time the other side has read something. The kernel reports an error, and the end of both
// directions, in any case. [Polled.Want] changes what is reported.
//
// PollFor returns the errors of Poll: [ErrNoPoller] where the system has no poller, [ErrClosed] in a
// closed loop, or the kernel's, for example EPERM for a file of a disk, EEXIST for a descriptor that
// is in the loop, EBADF for a closed one. After an error nothing was added. It must be called from the
// loop.
func (l *Loop) PollFor(fd uintptr, what Readiness, p Pollable) (*Polled, error) {
	if err := l.makePoller(); err != nil {
		return nil, err
	}
	return l.poller.add(int(fd), what, p)
}

// CanPoll reports whether [Loop.Poll] can work: the system has a poller, and has given it a
// descriptor. It must be called from the loop.
func (l *Loop) CanPoll() bool { return l.poller != nil || l.makePoller() == nil }

func (l *Loop) makePoller() error {
	if l.poller != nil {
		return nil
	}
	poller, err := newPoller(l)
	if err != nil {
		return err
	}
	l.poller = poller
	if l.post != nil {
		go poller.serve()
	}
	return nil
}

// Polling reports whether the loop waits for descriptors. It must be called from the loop.
func (l *Loop) Polling() bool { return l.poller.len() > 0 }

// A Polled is a descriptor's place in a loop.
type Polled struct {
	poller *poller
	id     uint64 // unique in the poller, so that a late report on a removed descriptor isn't taken for another's
	fd     int
	owner  Pollable

	// These belong to the loop.
	ready  Readiness
	queued bool // in the loop's queue
	gone   atomic.Bool
}

// Remove removes the descriptor from the loop. Any goroutine may call it; outside the loop, Ready
// may be running or about to run. Further calls, and calls after the end of the loop, do nothing.
func (p *Polled) Remove() {
	if !p.gone.Swap(true) {
		p.poller.remove(p)
	}
}

// Want changes what the loop reports: Readable, Writable, both or neither, as in [Loop.PollFor]. If
// the descriptor is ready for any of it now, the loop calls Ready again. A report on what was wanted
// before may still be on its way.
//
// Any goroutine may call Want, several at a time: the last call counts. It returns [ErrClosed] if the
// descriptor has left the loop, or the loop is closed; or the kernel's error, if the descriptor was
// closed without leaving the loop before. After an error nothing has changed.
func (p *Polled) Want(what Readiness) error {
	p.poller.mu.Lock()
	defer p.poller.mu.Unlock()
	if p.poller.closed || p.gone.Load() {
		return ErrClosed
	}
	return p.poller.set.change(p.fd, p.id, what)
}

// Gone reports whether the descriptor has left the loop, by Remove or with the end of the loop. Any
// goroutine may call it.
func (p *Polled) Gone() bool { return p.gone.Load() || p.poller.ended() }

// RunInLoop implements [Runnable]: it calls the Pollable.
func (p *Polled) RunInLoop() {
	r := p.ready
	p.ready, p.queued = 0, false
	if !p.gone.Load() {
		p.owner.Ready(r)
	}
}

// A poller is where a loop with descriptors sleeps. The kernel's set of descriptors is itself a
// file, which is readable when one of the descriptors is ready. So the runtime's own poller can
// wait for it, and the sleeping goroutine holds no thread.
//
// It is the loop's [Sleeper].
type poller struct {
	loop *Loop
	file *os.File
	raw  syscall.RawConn
	ask  func(fd uintptr) bool // asks the kernel, and reports whether any descriptor is ready
	once func(fd uintptr)      // likewise, for Control
	set  eventSet

	// These belong to the goroutine that asks: the loop's, or that of serve.
	found []event
	again bool // more may be ready than found has room for
	dated bool // the file has a read deadline

	woken atomic.Bool // by Interrupt; cleared when no Interrupt can be under way

	mu     sync.Mutex // held for moments, also during system calls that don't block
	closed bool
	byID   map[uint64]*Polled
	lastID uint64
	count  atomic.Int64 // the size of byID, for code that only needs to know whether there are any
}

// An event is the kernel's report on a descriptor.
type event struct {
	id    uint64
	ready Readiness
}

func (p *poller) init(l *Loop, file *os.File) error {
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if the runtime can't wait for the file
	}
	if err != nil {
		_ = file.Close()
		return fmt.Errorf("%w (%w)", ErrNoPoller, err)
	}
	p.loop, p.file, p.raw, p.byID = l, file, raw, make(map[uint64]*Polled)
	p.ask = func(fd uintptr) bool {
		p.found, p.again = p.set.ready(int(fd), p.found[:0])
		return len(p.found) > 0
	}
	p.once = func(fd uintptr) { p.ask(fd) }
	return nil
}

func (p *poller) add(fd int, what Readiness, owner Pollable) (*Polled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	p.lastID++
	d := &Polled{poller: p, id: p.lastID, fd: fd, owner: owner}
	if err := p.set.add(fd, d.id, what); err != nil {
		return nil, fmt.Errorf("loop: adding descriptor %d to those that the loop waits for: %w", fd, err)
	}
	p.byID[d.id] = d
	p.count.Add(1)
	return d, nil
}

func (p *poller) remove(d *Polled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	delete(p.byID, d.id)
	p.count.Add(-1)
	p.set.remove(d.fd) // if the descriptor was closed before, the kernel has removed it already
}

// len returns how many descriptors there are. A loop that never had one has no poller.
func (p *poller) len() int {
	if p == nil {
		return 0
	}
	return int(p.count.Load())
}

// look asks the kernel which descriptors are ready, without waiting, and schedules them. The loop
// calls it.
func (p *poller) look() {
	for more := true; more; more = p.again {
		p.again = false
		p.loop.stats.Polls++
		_ = p.raw.Control(p.once) // fails only once the loop is closed
		p.schedule(p.found)
	}
}

// schedule puts the ready descriptors into the loop's queue.
func (p *poller) schedule(found []event) {
	if len(found) == 0 {
		return
	}
	if p.loop.lottery != nil || p.loop.clock.virtual {
		slices.SortFunc(found, func(a, b event) int { return cmp.Compare(a.id, b.id) })
	}
	for _, e := range found {
		p.mu.Lock()
		d := p.byID[e.id]
		p.mu.Unlock()
		if d == nil {
			continue
		}
		d.ready |= e.ready
		if !d.queued {
			d.queued = true
			p.loop.Schedule(d)
		}
	}
	p.found = found[:0]
}

// Sleep implements [Sleeper].
func (p *poller) Sleep(d time.Duration) {
	switch {
	case d < untilWoken:
		_ = p.file.SetReadDeadline(time.Now().Add(d))
		p.dated = true
	case p.dated:
		_ = p.file.SetReadDeadline(time.Time{})
		p.dated = false
	}
	if p.woken.Load() {
		return // the deadline that Interrupt set may have been overwritten
	}
	p.loop.stats.Polls++
	_ = p.raw.Read(p.ask) // an error is a deadline that passed, or Interrupt's
}

// Interrupt implements [Sleeper].
func (p *poller) Interrupt() {
	p.woken.Store(true)
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}

// Rise implements [Sleeper].
func (p *poller) Rise() {}

// awake is called after a sleep, when no Interrupt is under way any more. It schedules the
// descriptors that were ready, and reports whether there were any.
func (p *poller) awake() bool {
	if p.woken.Swap(false) {
		p.dated = true
	}
	any := len(p.found) > 0
	p.schedule(p.found)
	if p.again {
		p.look()
	}
	return any
}

// serve waits on behalf of a guest, which never sleeps, until the loop is closed.
func (p *poller) serve() {
	taken := make(chan struct{}, 1)
	for p.raw.Read(p.ask) == nil {
		found := slices.Clone(p.found)
		p.found = p.found[:0]
		if !p.loop.Schedule(callback(func() {
			p.schedule(found)
			taken <- struct{}{}
		})) {
			return
		}
		<-taken
	}
}

func (p *poller) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.byID = nil
		p.count.Store(0)
		_ = p.file.Close() // nothing was written
	}
}
