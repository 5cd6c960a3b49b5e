package loop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A request is work that a loop asks of something outside it: a server, a goroutine, a device. Its
// answer completes a promise that isn't bound to the loop. Two kinds of loops must know their
// requests:
//
//   - A virtual clock stands still while one is under way: an answer takes none of its time.
//   - A loop with a chooser, or a seed, chooses only when none is under way, and takes the answers
//     in the order of the requests. Chance decides when answers come, and the same choices must
//     give the same order.
//
// For all other loops AskedBy and UnderWay do nothing.

// AskedBy says that l asks for what completes the promise, and gives the request its place in the
// order of l's requests. The promise must not be bound to a loop. AskedBy must be called from l,
// once, before the promise can be completed; l may be nil. The request isn't under way before
// [Promise.UnderWay] says so.
//
// In a loop with a chooser the future is done, as far as can be seen, when the loop takes the
// answer; that is after the callback that runs, or later if another request is under way.
func (p *Promise[T]) AskedBy(l *Loop) {
	if l == nil || !l.heeds() {
		return
	}
	p.future.request = &request{asker: l}
	l.ask(p.future.request)
}

// A request is what only a promise needs that is one. Its fields but the first two are guarded by
// the latch's mu.
type request struct {
	// asker is the loop that has asked for the result. It reports a failure that matters. Set before
	// use.
	asker *Loop
	// number is its place among the asker's requests, 0 if the asker doesn't heed them. Set before
	// use.
	number   uint32
	underWay bool
	certain  bool // see Promise.Certain
	answered bool // the outcome is there, and the asker must publish it
}

func (r *request) isAnswered() bool { return r != nil && r.answered }

// over is called when the promise has been completed.
func (r *request) over() {
	if r.underWay {
		r.underWay = false
		r.asker.countRequest(false, r.certain)
	}
}

// UnderWay says whether something outside works on the answer now: from when a statement was sent,
// or a function was started, until its answer is there. A request that waits for its turn, for a
// place in a pool or for a lock in this process isn't under way, because whatever it waits for may
// need the loop to go on.
//
// A completed request isn't under way any more. If its owner gives it up and nothing will complete
// it, the owner must say so with UnderWay(false). UnderWay reports whether the loop counts its
// requests. Any goroutine may call it.
func (p *Promise[T]) UnderWay(now bool) bool {
	r := p.future.request
	if r == nil || r.number == 0 {
		return false
	}
	p.future.mu.Lock()
	defer p.future.mu.Unlock()
	if r.underWay != now && !r.answered && !p.future.done.Load() {
		r.underWay = now
		r.asker.countRequest(now, r.certain)
	}
	return true
}

// Certain says whether the answer will come whatever the loop does. That is so for the making of a
// connection, for example: no task can hold it up, and a time limit ends it. While such a request
// is under way, a loop with a chooser, or a seed, goes on waiting, however slow the machine is. Any
// goroutine may call it.
func (p *Promise[T]) Certain(now bool) {
	r := p.future.request
	if r == nil || r.number == 0 {
		return
	}
	p.future.mu.Lock()
	defer p.future.mu.Unlock()
	if r.certain == now || r.answered || p.future.done.Load() {
		return
	}
	if r.underWay {
		r.asker.countCertain(now)
	}
	r.certain = now
}

// Busy says that something outside works for the loop, though nothing awaits it: for example, a
// server resets a connection. It counts as a request that is under way until done is called. Any
// goroutine may call done, once. Busy must be called from the loop, which may be nil.
func (b *Bridge) Busy() (done func()) {
	l := b.loop()
	if l == nil || !l.heeds() {
		return nothing
	}
	l.countRequest(true, true)
	return func() { l.countRequest(false, true) }
}

func nothing() {}

// A Prober knows requests that are under way but won't be answered before the loop goes on, such as
// statements that wait in the database for a lock of another task's transaction. See
// [Bridge.Probe].
type Prober interface {
	// StuckRequests returns how many of the loop's requests under way are known to be stuck in this
	// way. The loop calls it. It may block the loop for a moment, for example to ask the database,
	// but must not use the loop.
	StuckRequests() int
}

// Probe makes the loop ask p when no answer has come for some milliseconds of real time. If the
// probers' numbers add up to all requests under way, the loop goes on without the answers: a
// virtual clock jumps, and a chooser chooses. The loop asks again before the next such step. Probe,
// and the function that it returns, must be called from the loop.
func (b *Bridge) Probe(p Prober) (remove func()) {
	l := b.loop()
	at := &probing{p}
	l.probers = append(l.probers, at)
	return func() {
		l.probers = slices.DeleteFunc(l.probers, func(o *probing) bool { return o == at })
	}
}

// probing gives a prober an identity, because it may be added twice.
type probing struct{ Prober }

// requests are guarded by the loop's mu.
type requests struct {
	last     uint32 // the number of the last request
	underWay int
	certain  int      // of those under way, the ones that nothing in the loop can hold up
	answers  []*Latch // that the loop must still take; only with a chooser

	slowest time.Duration // the longest wait of a loop with a chooser for an answer; it belongs to the loop
}

// heeds reports whether the loop must know its requests.
func (l *Loop) heeds() bool { return l.clock.virtual || l.draws }

// ask gives a request its number.
func (l *Loop) ask(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.last++
	if l.requests.last == 0 { // 0 stands for no request
		l.requests.last++
	}
	r.number = l.requests.last
}

// countRequest counts a request that is under way now, or no longer is. Any goroutine may call it.
func (l *Loop) countRequest(begins, certain bool) {
	l.mu.Lock()
	if certain {
		l.requests.count(begins)
	}
	if begins {
		l.requests.underWay++
		l.mu.Unlock()
		return
	}
	l.requests.underWay--
	l.wakeIfQuiet()
}

// countCertain counts a request under way whose answer is certain now, or no longer is.
func (l *Loop) countCertain(now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.count(now)
}

func (r *requests) count(certain bool) {
	if certain {
		r.certain++
	} else {
		r.certain--
	}
}

// answer takes over the answer to a request from the goroutine that has it. It returns false if the
// loop is closed, or doesn't need the order. The caller must hold the latch's mutex.
func (l *Loop) answer(c *Latch) bool {
	if !l.draws {
		return false
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	r := c.request
	r.answered = true
	l.requests.answers = append(l.requests.answers, c)
	if r.underWay {
		r.underWay = false
		l.requests.underWay--
		if r.certain {
			l.requests.certain--
		}
	}
	l.wakeIf(true)
	return true
}

// wakeIfQuiet wakes the loop if it sleeps only because something was under way. The caller must
// hold mu, which wakeIfQuiet releases.
func (l *Loop) wakeIfQuiet() { l.wakeIf(l.requests.underWay == 0 && l.minds) }

// wakeIf wakes the loop if it sleeps and the condition holds. The caller must hold mu, which wakeIf
// releases.
func (l *Loop) wakeIf(condition bool) {
	wake := l.asleep && condition
	if wake {
		l.asleep = false
	}
	l.mu.Unlock()
	if wake {
		l.rouse()
	}
}

// busyOutside reports whether anything is under way outside. The caller must hold mu.
func (l *Loop) busyOutside() bool { return l.requests.underWay > 0 || !l.offload.idle() }

const (
	// firstProbe is how long a silence lasts before the loop first asks the probers. Then it
	// doubles the time between two questions, up to lastProbe.
	firstProbe = 2 * time.Millisecond
	lastProbe  = 128 * time.Millisecond

	// choicePatience is how long a loop with a chooser waits for the next answer if no prober knows
	// more.
	choicePatience = 200 * time.Millisecond

	// mostPatience is the longest such wait where answers have been slow.
	mostPatience = 2 * time.Second
)

// clockPatience is how long, in real time, a virtual clock stands still before it is reported.
var clockPatience = 5 * time.Second // a variable only for tests

// stuck reports whether everything under way outside waits for the loop, as far as the probers
// know.
func (l *Loop) stuck() bool {
	n := 0
	for _, p := range l.probers {
		n += p.StuckRequests()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return n > 0 && n >= l.requests.underWay && l.offload.idle()
}

// hearAnswers waits, before a choice, until nothing is under way outside, and completes the
// answered requests in their order.
func (l *Loop) hearAnswers() {
	var s silence
	heard := -1 // how many answers there were when the silence began
	for {
		l.mu.Lock()
		if l.closed || !l.busyOutside() {
			l.mu.Unlock()
			break
		}
		if p := l.takePolled(); p != nil {
			l.mu.Unlock()
			l.stats.Callbacks++
			p.RunInLoop()
			continue
		}
		if n := len(l.requests.answers); n > heard {
			heard = n
			s.begin()
		}
		patience := untilWoken
		if l.requests.certain > 0 {
			s.begin() // the silence is over
		}
		if l.nudged || l.requests.certain == 0 && len(l.probers) == 0 {
			patience = l.requests.patience() // nothing better is known, or a task must learn that its context has ended
		}
		l.asleep, l.minds = true, true
		l.mu.Unlock()
		l.layDown()
		if l.wokenWithin(s.untilProbe(l, patience)) {
			if patience != untilWoken {
				l.requests.slowest = max(l.requests.slowest, s.lasts())
			}
			continue
		}
		if l.stuck() || s.lasts() >= patience {
			break
		}
	}
	l.takeAnswers()
}

// patience returns how long a loop with a chooser waits. Where answers have been slow, because the
// machine is busy, the next one may be slower.
func (r *requests) patience() time.Duration {
	return max(choicePatience, min(10*r.slowest, mostPatience))
}

// standStill waits, in a sleeping loop with a virtual clock, while something is under way outside.
// It reports whether the clock may jump nevertheless.
func (l *Loop) standStill() (jumps bool) {
	var s silence
	s.begin()
	for {
		patience := untilWoken
		if !l.stopReported {
			patience = clockPatience
		}
		if l.wokenWithin(s.untilProbe(l, patience)) {
			return false
		}
		if l.stuck() {
			return true
		}
		if !l.stopReported && s.lasts() >= clockPatience {
			l.reportStop(s.lasts())
		}
		l.mu.Lock()
		if l.anyNews() || !l.busyOutside() {
			l.mu.Unlock()
			return false
		}
		l.asleep = true
		l.mu.Unlock()
		l.layDown()
	}
}

// A silence is a time in which no request is answered.
type silence struct {
	since time.Time
	probe time.Duration // the time until the next question to the probers
}

func (s *silence) begin() { s.since, s.probe = time.Now(), firstProbe }

func (s *silence) lasts() time.Duration { return time.Since(s.since) }

// untilProbe returns how long to wait until the loop must ask the probers, or until the silence has
// lasted for most.
func (s *silence) untilProbe(l *Loop, most time.Duration) time.Duration {
	if most != untilWoken {
		most = max(most-s.lasts(), time.Millisecond)
	}
	if len(l.probers) == 0 {
		return most
	}
	wait := s.probe
	s.probe = min(2*s.probe, lastProbe)
	return min(wait, most)
}

// takeAnswers completes the answered requests.
func (l *Loop) takeAnswers() {
	l.mu.Lock()
	l.minds = false
	answers := l.requests.answers
	l.requests.answers = nil
	l.mu.Unlock()
	// The difference is right even when the numbers have wrapped around.
	slices.SortFunc(answers, func(a, b *Latch) int { return cmp.Compare(int32(a.request.number-b.request.number), 0) })
	for _, c := range answers {
		c.publish()
	}
}

// takePolled returns a descriptor that has become ready, or nil. While a request is under way, its
// answer may depend on such a descriptor, so those come out of turn. The caller must hold mu.
func (l *Loop) takePolled() *Polled {
	if l.poller.len() == 0 {
		return nil
	}
	for i, r := range l.ready {
		if p, ok := r.(*Polled); ok {
			l.ready = slices.Delete(l.ready, i, i+1)
			return p
		}
	}
	return nil
}

// A StoppedClockError is reported, not returned: a virtual clock has stood still for 5 seconds of
// real time, because a request to something outside hasn't been answered. It may be slow. But if it
// waits for something that one of the loop's tasks will do later on this clock, such as the end of
// a transaction that sleeps, neither will go on. See [ReportTo].
type StoppedClockError struct {
	For  time.Duration // how long it has stood still so far, in real time
	At   time.Time     // the virtual clock's time
	Next time.Time     // when the next timer is due, on that clock
	// Waiting says what each task waits for, if the loop has an [Expecter] that knows.
	Waiting []string
}

// Error says for how long the clock has stood still, and what each task waits for.
func (e *StoppedClockError) Error() string {
	text := fmt.Sprintf("loop: the virtual clock has stood still for %v, %v before its next timer, because a request outside the loop isn't answered: if that waits for something that a task will do later on this clock, neither can go on",
		e.For.Round(time.Millisecond), e.Next.Sub(e.At))
	if len(e.Waiting) > 0 {
		text += "\n\t" + strings.Join(e.Waiting, "\n\t")
	}
	return text
}

// reportStop reports, once, that the clock stands still.
func (l *Loop) reportStop(lasts time.Duration) {
	l.stopReported = true
	e := &StoppedClockError{For: lasts, At: l.Now(), Next: l.timers.first().When()}
	if w, ok := l.expects.(interface{ LoopWaits() []string }); ok {
		e.Waiting = w.LoopWaits()
	}
	l.Report(e)
}
