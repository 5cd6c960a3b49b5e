package loop

import (
	"context"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
)

// Offload runs fn, which may block, in another goroutine, and returns a future for its result. The
// number of functions that run at once is limited, see [OffloadLimit]; further functions wait
// their turn. So an offloaded function must never wait for another one. It is asyncio's
// run_in_executor.
//
// Cancelling the future drops fn if it hasn't begun. If fn has begun, it is abandoned: the future
// is done at once, while fn goes on and its result is lost. A panic in fn fails the future with a
// [*PanicError], and a runtime.Goexit with [ErrGoexit]. A failure that no code looks at is
// reported, see [ReportTo].
//
// While fn is under way the loop expects to be called from outside, even if no code waits for the
// future: fn may call [Loop.Post]. Any goroutine may call Offload.
func Offload[T any](l *Loop, fn func() (T, error)) *Future[T] {
	o := new(offloaded[T])
	return o.start(l, fn, func() bool { return !o.promise.future.Done() })
}

// OffloadJoined is [Offload], but it doesn't abandon a function that has begun: the future is done
// when fn has returned, cancelled or not. So the caller can use fn's data again after that.
func OffloadJoined[T any](l *Loop, fn func() (T, error)) *Future[T] {
	o := new(offloaded[T])
	var claimed atomic.Bool // by the goroutine that begins fn, or by the one that cancels it before
	o.named.owner = cancelFunc(func(cause error) {
		if claimed.CompareAndSwap(false, true) {
			o.promise.Reject(cause)
		}
	})
	return o.start(l, fn, func() bool { return claimed.CompareAndSwap(false, true) })
}

// An offloaded is the promise of an offloaded function, with the records that it needs.
type offloaded[T any] struct {
	promise Promise[T]
	request request
	named   named
}

// start makes the loop's offloader call fn. begin is called before, and reports false if fn was
// cancelled while it waited.
func (o *offloaded[T]) start(l *Loop, fn func() (T, error), begin func() bool) *Future[T] {
	o.named.name, o.request.asker = "offloaded work", l
	f := &o.promise.future
	f.canceler, f.request, f.matters = &o.named, &o.request, true
	if l.heeds() {
		l.ask(&o.request)
	}
	l.offload.add(func() {
		if begin() {
			o.promise.Complete(fn)
		}
	})
	return f
}

// An offloader runs functions in a bounded number of goroutines, which end when there is nothing to
// do.
type offloader struct {
	loop  *Loop // told when nothing runs any more
	limit int   // set before use

	mu      sync.Mutex // held for moments; no other is taken inside
	queue   []func()
	running int
	count   uint64
}

func (o *offloader) add(job func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count++
	if o.running == o.limit {
		o.queue = append(o.queue, func() {
			// The goroutine serves another job now, which mustn't count for this one.
			pprof.SetGoroutineLabels(context.Background())
			debug.SetPanicOnFault(false)
			job()
		})
		return
	}
	o.running++
	go o.work(job)
}

func (o *offloader) work(job func()) {
	returned := false
	defer func() {
		// A job may end its goroutine by Goexit. The jobs after it mustn't notice.
		if !returned {
			if job := o.next(); job != nil {
				go o.work(job)
			}
		}
	}()
	for ; job != nil; job = o.next() {
		job()
	}
	returned = true
}

// next returns the next job, or nil after taking the caller off the count.
func (o *offloader) next() func() {
	o.mu.Lock()
	if len(o.queue) > 0 {
		job := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		o.mu.Unlock()
		return job
	}
	o.running--
	last := o.running == 0
	o.mu.Unlock()
	if last {
		o.loop.offloadIdle()
	}
	return nil
}

func (o *offloader) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running == 0
}

func (o *offloader) stats() (total uint64, running, queued int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count, o.running, len(o.queue)
}
