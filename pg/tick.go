package pg

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A collector holds the segments that tasks submitted in one tick of a loop. It exists while any
// task in the loop waits for a segment.
//
// If one task alone waits, and the loop has nothing else to do, the loop reads the connection
// itself instead of sleeping until the resident reader wakes it: the collector is its loop.Sleeper.
type collector struct {
	db   *DB
	loop *loop.Loop

	// These belong to the loop.
	list    []*segment
	owned   int // how many in list are for sessions
	waiting int
	flushes bool // the loop will call RunInLoop at the end of the tick

	// What the loop reads. It changes only while the loop is awake and nothing interrupts it.
	conn  *conn
	until *segment
	woken atomic.Bool // by Interrupt
}

// collect adds a segment to those that are submitted at the end of the loop's tick. Only the loop
// calls it. The caller must call the collector's leave when no task waits for the segment any more.
func (db *DB) collect(l *loop.Loop, g *segment) *collector {
	g.state = stateCollected
	db.mu.Lock()
	k := db.collectors[l]
	if k == nil {
		if k = db.spareCollector; k == nil {
			k = &collector{db: db}
		}
		db.spareCollector = nil
		db.collectors[l] = k
		k.loop = l
	}
	db.mu.Unlock()
	k.waiting++
	k.list = append(k.list, g)
	if o := g.lease.session(); o != nil {
		o.collected.Add(1)
		if k.owned++; k.owned == ownedAtOnce {
			k.sendOwned()
		}
	}
	if !k.flushes {
		k.flushes = true
		l.CallAtTickEnd(k)
	}
	return k
}

// leave says that a task no longer waits. The last one removes the collector. Only the loop calls
// it.
func (k *collector) leave() {
	if k.waiting--; k.waiting > 0 {
		return
	}
	k.conn, k.until = nil, nil
	k.db.mu.Lock()
	delete(k.db.collectors, k.loop)
	if !k.flushes { // otherwise all were given up in this tick, and the loop will still call it
		k.db.spareCollector = k
	}
	k.db.mu.Unlock()
}

// flush submits what was collected for a session in this tick of a loop, without waiting for the
// tick's end. Only the loop calls it.
func (db *DB) flush(l *loop.Loop, s *owned) {
	db.mu.Lock()
	k := db.collectors[l]
	db.mu.Unlock()
	if k == nil {
		return
	}
	var now []*segment
	k.list = slices.DeleteFunc(k.list, func(g *segment) bool {
		if g.lease.line != &s.line {
			return false
		}
		now = append(now, g)
		return true
	})
	s.collected.Add(-int32(len(now)))
	k.owned -= len(now)
	s.submitAll(l, now)
}

// ownedAtOnce is how many segments for sessions wait for the tick's end. Each has a connection for
// itself, as a rule, so there is no write to be saved. If all of many waited, the servers would
// have nothing to do while the loop is at the tick, and the loop nothing while they are at work.
const ownedAtOnce = 4

// sendOwned submits the collected segments for sessions.
func (k *collector) sendOwned() {
	var owned []*segment
	k.list = slices.DeleteFunc(k.list, func(g *segment) bool {
		o := g.lease.session()
		if o == nil {
			return false
		}
		o.collected.Add(-1)
		owned = append(owned, g)
		return true
	})
	k.owned = 0
	k.send(owned)
}

// send submits segments. It submits neighbours of the same line in one step.
func (k *collector) send(list []*segment) {
	for len(list) > 0 {
		s := list[0].lease.line
		n := 1
		for n < len(list) && list[n].lease.line == s {
			n++
		}
		s.submitAll(k.loop, list[:n])
		list = list[n:]
	}
}

// RunInLoop submits the collected segments, with one write for each connection. The loop calls it
// at the tick's end.
func (k *collector) RunInLoop() {
	k.flushes, k.owned = false, 0
	k.list = slices.DeleteFunc(k.list, func(g *segment) bool {
		if o := g.lease.session(); o != nil {
			o.collected.Add(-1)
		}
		return g.state != stateCollected // given up
	})
	if len(k.list) == 1 && k.waiting == 1 && !k.loop.Polling() {
		k.submitOne(k.list[0])
	} else {
		k.send(k.list)
	}
	clear(k.list)
	k.list = k.list[:0]
}

// submitOne submits the segment of the only task that waits. The loop becomes the reader of its
// answer, unless the connection has another reader.
func (k *collector) submitOne(g *segment) {
	read, to, buf, err := g.lease.submit(g)
	if err != nil {
		g.err, g.state = err, stateFinished
		g.tell()
		return
	}
	if buf != nil {
		to.write(buf)
	}
	if read == nil {
		return // another reader reads the answer, or will
	}
	k.conn, k.until = read, g
	k.woken.Store(false)
	if !k.loop.Bridge().SleepIn(k) {
		k.Rise()
	}
}

// Sleep implements loop.Sleeper.
func (k *collector) Sleep(d time.Duration) {
	c := k.conn
	if d < untilInterrupted {
		_ = c.w.net.SetReadDeadline(time.Now().Add(d)) // a broken socket shows at the read
		if k.woken.Load() {
			_ = c.w.net.SetReadDeadline(longAgo) // this has overwritten Interrupt's
		}
		defer func() { _ = c.w.net.SetReadDeadline(time.Time{}) }()
	}
	c.read(awake{k.loop}, k.until)
}

// untilInterrupted is a time so long that setting a deadline isn't worthwhile.
const untilInterrupted = time.Hour

// awake makes the loop stop reading when anything interrupts it: its own timer, a goroutine that
// wakes it, or the reader whose turn comes before.
type awake struct{ loop *loop.Loop }

func (awake) Err() error { return errAwake }

// inSleep reports whether the reader is a loop that sleeps in its read.
func inSleep(ctx ending) bool {
	_, ok := ctx.(awake)
	return ok
}

var errAwake = errors.New("pg: the loop has something to do")

// Interrupt implements loop.Sleeper.
func (k *collector) Interrupt() {
	c := k.conn
	c.mu.Lock()
	done := k.until.state == stateFinished
	c.mu.Unlock()
	if done {
		return // the reader stops by itself
	}
	k.woken.Store(true)
	_ = c.w.net.SetReadDeadline(longAgo)
}

// Rise implements loop.Sleeper. The loop stays awake, and reads once something has come.
func (k *collector) Rise() {
	k.conn.enterOrPass(k.loop)
}
