package loop

import "slices"

// A Chooser decides what a loop runs next, instead of the order of requests. It is for tests: see
// repainttest.Explore.
type Chooser interface {
	// Choose returns the index of the callback that the loop runs next. The loop calls it before
	// each callback.
	//
	// ready holds what has been requested and hasn't run, timers that are due included, in the
	// order of requests. It is never empty, and it belongs to the loop: Choose must not keep it.
	// Callbacks that are [Owned] say whose they are.
	Choose(ready []Runnable) int
}

// An Owned [Runnable] continues something that exists for longer than one callback, such as a task.
type Owned interface {
	// LoopOwner names the object that it continues. All callbacks that continue the same object
	// return the same name, in each run of the same program. It returns "" if the object has no
	// name.
	LoopOwner() string
}

// ChooseBy makes the loop run one callback in each tick, which c chooses.
//
// Before each choice the loop waits until none of its requests is under way ([Promise.UnderWay],
// [Offload]), and it takes the answers in the order of the requests. So the choices don't depend on
// how long something takes. If there is no answer for 200 ms of real time, or for ten times as long
// as the slowest answer took, up to 2 s, the loop assumes that the requests are stuck, such as a
// statement that waits for a lock of another task, and lets c choose. With a [Prober] or
// [Promise.Certain] it knows instead. A guest doesn't wait.
func ChooseBy(c Chooser) Option {
	return func(l *Loop) { l.lottery, l.draws = &lottery{chooser: c}, true }
}

// Chooser returns the loop's chooser, or nil if the loop follows the order of requests.
func (l *Loop) Chooser() Chooser {
	if l.lottery == nil {
		return nil
	}
	return l.lottery.chooser
}

// A lottery is the pool of a loop that has a chooser. It belongs to the loop.
type lottery struct {
	chooser Chooser
	pool    []Runnable // the callbacks that haven't been chosen yet, in the order of requests
}

// left returns the callbacks that haven't been chosen. The lottery may be nil.
func (p *lottery) left() []Runnable {
	if p == nil {
		return nil
	}
	return p.pool
}

// pick leaves one callback in the batch. It draws it from those in the batch and those that earlier
// picks have left.
func (l *Loop) pick() {
	p := l.lottery
	p.pool = append(p.pool, l.batch...)
	clear(l.batch)
	l.batch = l.batch[:0]
	p.pool = slices.DeleteFunc(p.pool, stopped)
	if len(p.pool) == 0 {
		return
	}
	i := p.chooser.Choose(p.pool)
	l.batch = append(l.batch, p.pool[i])
	p.pool = slices.Delete(p.pool, i, i+1)
}

// stopped reports whether r is a timer that was stopped after it was due, so that r has nothing to
// run.
func stopped(r Runnable) bool {
	t, ok := r.(*dueTimer)
	return ok && t.state != isDue
}

// LoopOwner implements [Owned] for what the timer runs.
func (t *dueTimer) LoopOwner() string {
	if o, ok := t.run.(Owned); ok {
		return o.LoopOwner()
	}
	return ""
}
