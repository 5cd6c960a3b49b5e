package repainttest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// A call is a statement that has been sent. Between two steps each call is either answered or waits
// for a lock. It belongs to the loop, except for the fields below done.
type call struct {
	explore.Statement
	r       *recorder
	task    string
	ctx     context.Context
	do      func(ctx context.Context) (string, error)
	promise *loop.Promise[struct{}] // for its task, if it waits for a lock
	parked  bool                    // it was busy, and is to be sent again
	over    bool                    // the answer has been seen
	fault   Fault                   // that it meets with; or ""
	hidden  bool                    // its values aren't to be shown

	waits atomic.Bool   // for a lock: the loop may be asleep
	seen  time.Time     // when it was first seen to wait, on the real clock
	hasty atomic.Bool   // its session looks for a deadlock as soon as it waits
	done  chan struct{} // closed when there is an answer
	// The fields below are set before done is closed.
	result string
	err    error
}

// Execute implements [explore.Explorer].
func (r *recorder) Execute(ctx context.Context, s explore.Statement, do func(ctx context.Context) (string, error)) error {
	task, plain := r.control(), do
	if !r.turned[task] {
		if err := r.Turn(ctx, s.Text); err != nil {
			return err
		}
	}
	delete(r.turned, task)
	if r.loop == nil {
		r.loop, r.news = repaint.CurrentLoop(), make(chan struct{}, 1)
	}
	if s.Ends == nil {
		s.Ends = ctx
	}
	fault := r.fault[task]
	delete(r.fault, task)
	if fault != "" {
		if do = r.meets(task, fault, s, do); do == nil {
			do, fault = plain, ""
		}
	}
	c := &call{Statement: s, r: r, task: task, ctx: ctx, do: do, fault: fault, hidden: explore.Conceals(ctx)}
	if s.Hasten != nil && r.waitedFor(user{s.Server, s.Session}) {
		c.do = c.hastened(do)
	}
	r.touches(s)
	r.calls = append(r.calls, c)
	r.statements++
	r.users[user{s.Server, s.Session}] = task
	c.send()
	r.settle(c)
	if c.over {
		r.note(c.event(explore.Place()))
	} else {
		e := c.event(explore.Place())
		e.holders = r.holders(c)
		e.result = waitsForLock
		if e.holders != nil {
			e.result += " of " + list(e.holders)
		}
		r.note(e)
		r.touchesAll()
		c.await()
	}
	if c.err != nil {
		r.touch.failed(user{s.Server, s.Session})
	}
	if fault == Slow {
		c.delay(ctx)
	}
	return c.err
}

// Turn implements [explore.Explorer].
func (r *recorder) Turn(ctx context.Context, text string) error {
	task := r.control()
	r.turnFor = text
	if err := repaint.Sleep(ctx, 0); err != nil {
		r.turnFor = "" // it may not have come to waiting
		return err
	}
	r.turned[task] = true
	return nil
}

// await suspends the task until the statement is answered.
func (c *call) await() {
	ctx := context.WithoutCancel(c.ctx) // the driver has the context, and answers when it ends
	if c.parked {
		var done context.CancelFunc
		ctx, done = repaint.WithTimeout(ctx, c.Patience)
		defer done()
	}
	if _, err := repaint.Await(ctx, c.promise.Future()); err != nil && !c.over {
		// The patience is over, and the database's last reply is the answer; or the loop has ended.
		c.over = true
		c.r.calls = slices.DeleteFunc(c.r.calls, func(o *call) bool { return o == c })
		if !c.parked {
			c.err = err
		}
		c.r.note(c.event(""))
	}
}

// send executes the statement: in a goroutine of its own, unless it's known not to wait for long.
func (c *call) send() {
	c.done, c.parked, c.seen = make(chan struct{}), false, time.Time{}
	if _, local := c.Server.(explore.Local); local {
		c.execute(c.done)
		return
	}
	go func(done chan struct{}) {
		c.execute(done)
		select {
		case c.r.news <- struct{}{}:
		default:
		}
		if c.waits.Load() {
			c.r.loop.Schedule((*answers)(c.r))
		}
	}(c.done)
}

func (c *call) execute(done chan struct{}) {
	defer close(done)
	defer func() {
		if p := recover(); p != nil {
			c.err = fmt.Errorf("the driver panicked: %v", p)
		}
	}()
	c.result, c.err = c.do(c.ctx)
}

func (c *call) answered() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// busy reports whether the answer is that another connection has a lock, so that the statement must
// be sent again.
func (c *call) busy() bool {
	return c.err != nil && c.Busy != nil && c.Patience > 0 && c.Ends.Err() == nil && c.Busy(c.err)
}

// An answers is scheduled when a statement that waited for a lock is answered although no step has
// released the lock: the server ends deadlocks, and contexts end.
type answers recorder

func (a *answers) RunInLoop() { (*recorder)(a).settle(nil) }

// LoopOwner implements [loop.Owned].
func (a *answers) LoopOwner() string { return answersOwner }

const answersOwner = "answers"

const (
	firstProbe = 500 * time.Microsecond // after the statement was sent
	lastProbe  = 50 * time.Millisecond
	// guessTime is how long a server that can't be asked must be silent before the statement is
	// assumed to wait for a lock.
	guessTime = 200 * time.Millisecond
	// foreignTime is how long to wait for a lock that no session known to the schedule has.
	foreignTime = 2 * time.Second
	// hasteTime is how long a session that waits may take to look for a deadlock, after 1 ms.
	hasteTime = 50 * time.Millisecond
	// probeTime is how long a server may take to answer a question of the exploration's own.
	probeTime = 10 * time.Second
)

// settle blocks the loop until each statement is answered or known to wait for a lock. Statements
// that waited and are answered now go on before the next choice, in the order in which they were
// sent.
func (r *recorder) settle(own *call) {
	r.untilStable()
	if own == nil || own.answered() && !own.busy() {
		for _, c := range slices.Clone(r.calls) { // what this has set free, others may lock again: one after the other
			if c.parked && c != own {
				c.send()
				r.untilStable()
			}
		}
	}
	for _, c := range slices.Clone(r.calls) {
		switch {
		case !c.answered() || c.busy():
			c.parked = c.answered()
			if c.promise == nil {
				var from *loop.Loop // nil: the answer comes from outside of the loop, which waits for it in real time
				if c.parked {
					from = r.loop // only a step, or the end of its patience, can help it
				}
				c.promise = loop.NewPromise[struct{}](from)
				c.promise.Future().SetName("a lock of the database")
			}
			continue
		case c.promise != nil:
			r.note(c.event(""))
			r.urgent = append(r.urgent, c.task)
			c.promise.Resolve(struct{}{})
		}
		c.over = true
		r.calls = slices.DeleteFunc(r.calls, func(o *call) bool { return o == c })
	}
}

// untilStable waits until each statement is answered or known to wait for a lock.
func (r *recorder) untilStable() {
	began, wait := time.Now(), time.Duration(0)
	for {
		var open []*call
		for _, c := range r.calls {
			if !c.answered() {
				open = append(open, c)
				if c.waits.Load() {
					continue
				}
				wait = max(wait, firstProbe)
			}
		}
		if len(open) == 0 {
			return
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-r.news:
				timer.Stop()
				continue
			case <-timer.C:
			}
		}
		if r.stuck(open, time.Since(began)) {
			for _, c := range open {
				c.waits.Store(true)
				if c.answered() {
					c.waits.Store(false) // between the question and now
				}
			}
			if !slices.ContainsFunc(open, (*call).answered) {
				return
			}
		}
		wait = min(max(2*wait, firstProbe), lastProbe)
	}
}

// guessed says what follows if the database can't say which sessions wait.
const guessed = "So 200 ms without an answer are taken for a wait for a lock, and schedules may not repeat"

// stuck reports whether all of the calls wait for locks that only further steps can set free.
func (r *recorder) stuck(open []*call, lasted time.Duration) bool {
	byServer := map[explore.Server][]int64{}
	for _, c := range open {
		switch {
		case c.Ends.Err() != nil:
			return false // the driver is about to answer
		case c.Server != nil:
			byServer[c.Server] = append(byServer[c.Server], c.Session)
		case lasted < guessTime:
			return false
		default:
			r.doubt("the database can't be asked which statements wait for locks. " + guessed)
		}
	}
	r.blockers = map[user][]int64{}
	for server, sessions := range byServer {
		ctx, done := context.WithTimeout(context.Background(), probeTime)
		waiting, err := server.Waiting(ctx, sessions)
		done()
		if err != nil {
			r.doubt(err.Error() + ". " + guessed)
			if lasted < guessTime {
				return false
			}
			continue
		}
		for _, s := range sessions {
			blockers, waits := waiting[s]
			if !waits || r.deadlocked(s, waiting) {
				return false
			}
			if r.foreign(server, blockers) && lasted < foreignTime {
				return false
			}
			r.blockers[user{server, s}] = blockers
			r.askHolders(server, s)
		}
	}
	return !slices.ContainsFunc(open, (*call).looksYet)
}

// looksYet reports whether the session may not have looked for a deadlock yet, though it waits. It
// would see the circle that the next step closes.
func (c *call) looksYet() bool {
	if c.seen.IsZero() {
		c.seen = time.Now()
	}
	return c.hasty.Load() && time.Since(c.seen) < hasteTime
}

// askHolders asks a slow server which sessions a session waits for, if that will be shown.
func (r *recorder) askHolders(server explore.Server, session int64) {
	teller, slow := server.(explore.Teller)
	if !slow || !r.detailed {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), probeTime)
	defer done()
	holders, err := teller.Holders(ctx, []int64{session})
	if err != nil {
		r.doubt(err.Error())
		return
	}
	r.blockers[user{server, session}] = holders[session]
}

// deadlocked reports whether a session waits for itself. The server is then about to end the
// deadlock.
func (r *recorder) deadlocked(session int64, waiting map[int64][]int64) bool {
	seen := map[int64]bool{}
	next := slices.Clone(waiting[session])
	for len(next) > 0 {
		s := next[0]
		next = next[1:]
		if s == session {
			return true
		}
		if !seen[s] {
			seen[s] = true
			next = append(next, waiting[s]...)
		}
	}
	return false
}

// foreign reports whether all sessions that have a lock are unknown.
func (r *recorder) foreign(server explore.Server, blockers []int64) bool {
	return len(blockers) > 0 && !slices.ContainsFunc(blockers, func(s int64) bool {
		_, known := r.users[user{server, s}]
		return known
	})
}

// waitedFor reports whether a statement waits for a lock of the session. Only then can a deadlock
// come from what the session does next.
func (r *recorder) waitedFor(u user) bool {
	return slices.ContainsFunc(r.calls, func(c *call) bool {
		return c.waits.Load() && c.Server == u.server && slices.Contains(r.blockers[user{c.Server, c.Session}], u.session)
	})
}

// hastened returns do for a session that looks for a deadlock as soon as it waits.
func (c *call) hastened(do func(ctx context.Context) (string, error)) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if undo := c.Hasten(ctx); undo != nil {
			c.hasty.Store(true)
			defer func() {
				ctx, done := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
				defer done()
				undo(ctx)
			}()
		}
		return do(ctx)
	}
}

// Follow implements [explore.Explorer].
func (r *recorder) Follow(f explore.Followed) { r.followed = append(r.followed, f) }

// follow waits for what goroutines of libraries are about to end, and for what that sets free.
func (r *recorder) follow() {
	waited := false
	r.followed = slices.DeleteFunc(r.followed, func(f explore.Followed) bool {
		over, due := f.Over()
		if due {
			waited = true
			select {
			case <-over:
			case <-time.After(probeTime):
				r.doubt(fmt.Sprintf("a transaction whose context had ended wasn't rolled back within %v, so schedules may not repeat", probeTime))
				return true
			}
		}
		select {
		case <-over:
			return true
		default:
			return false
		}
	})
	if waited && len(r.calls) > 0 {
		r.settle(nil)
	}
}

// A user identifies a session of a server. A recorder may know the task that uses it.
type user struct {
	server  explore.Server
	session int64
}

// holders returns the tasks for whose locks a call waits, or nil if they aren't known.
func (r *recorder) holders(c *call) []string {
	tasks := map[string]bool{}
	for _, s := range r.blockers[user{c.Server, c.Session}] {
		if task, ok := r.users[user{c.Server, s}]; ok {
			tasks[task] = true
		}
	}
	return slices.Sorted(maps.Keys(tasks))
}

// doubt notes, once, why the exploration may not be what it says.
func (r *recorder) doubt(why string) {
	r.doubting.Lock()
	defer r.doubting.Unlock()
	if !slices.Contains(r.doubts, why) {
		r.doubts = append(r.doubts, why)
	}
}

// waitsForLock is the result of a statement that waits for a lock, up to whose lock it is.
const waitsForLock = "waits for a lock"

// hidden stands for values that aren't to be shown.
const hidden = "hidden"

// addresses are those of connections, which are others in each run.
var addresses = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):\d+`)

// event returns what the schedule shows of the statement.
func (c *call) event(place string) event {
	e := event{task: c.task, kind: sends, what: strings.Join(strings.Fields(c.Text), " "), args: c.Args, place: place, session: user{c.Server, c.Session}}
	if c.fault != "" {
		e.fault = "(fault: " + string(c.fault) + ") "
	}
	if c.hidden && e.args != "" {
		e.args = hidden
	}
	switch {
	case !c.over && !c.answered():
	case c.err != nil && c.fault == LostBefore:
		e.result = "error: the connection was lost" // in the driver's words, which depend on what it noticed first
	case c.err != nil && c.hidden:
		e.failed = true
		e.result = "error: " + hidden
	case c.hidden:
		e.result = hidden
	case c.err != nil:
		e.failed = true
		e.result = "error: " + addresses.ReplaceAllString(c.err.Error(), "…")
	default:
		e.result = c.result
	}
	return e
}
