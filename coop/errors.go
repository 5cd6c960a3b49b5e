package coop

import "errors"

var (
	// ErrTooLarge reports that a caller asked a [Semaphore] for more permits than it has at all, so
	// that the wait would never end.
	ErrTooLarge = errors.New("coop: the weight is larger than the semaphore")

	// ErrBarrierBroken reports that a [Barrier] was aborted, or reset while the caller waited.
	ErrBarrierBroken = errors.New("coop: the barrier is broken")

	// ErrQueueClosed reports that a [Queue] is closed: it takes no more items, and once it is empty
	// it gives none.
	ErrQueueClosed = errors.New("coop: the queue is closed")

	// ErrStopped reports that a [Ticker] was stopped.
	ErrStopped = errors.New("coop: the ticker is stopped")

	// ErrNotFound reports that a [Loader]'s batch function had no value for a key. The error that
	// wraps it names the key.
	ErrNotFound = errors.New("coop: not found")
)

var (
	// errFull and errEmpty: a TryPut or TryGet would have had to wait.
	errFull  = errors.New("coop: the queue is full")
	errEmpty = errors.New("coop: the queue is empty")

	// errGivenUp is the cause with which a run's context ends when all its callers have given up.
	errGivenUp = errors.New("coop: no caller waits for the result any more")

	// errLost: the end of the loop ended a run for which a caller elsewhere still waits.
	errLost = errors.New("coop: the loop in which the function ran has ended")
)
