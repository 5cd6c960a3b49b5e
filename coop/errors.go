package coop

import "errors"

var (
	// ErrTooLarge says that more was asked of a [Semaphore] than it has, so that no wait would ever
	// end.
	ErrTooLarge = errors.New("coop: the weight is larger than the semaphore")

	// ErrBarrierBroken says that a [Barrier] was aborted, or reset while a caller waited.
	ErrBarrierBroken = errors.New("coop: the barrier is broken")

	// ErrQueueClosed says that a [Queue] takes nothing any more, or gives nothing because it's
	// empty and stays so.
	ErrQueueClosed = errors.New("coop: the queue is closed")

	// ErrStopped says that a [Ticker] was stopped.
	ErrStopped = errors.New("coop: the ticker is stopped")

	// ErrNotFound says that a [Loader]'s batch function had no value for a key. The error that
	// wraps it names the key.
	ErrNotFound = errors.New("coop: not found")
)

var (
	// errFull and errEmpty say that a TryPut or TryGet would have had to wait.
	errFull  = errors.New("coop: the queue is full")
	errEmpty = errors.New("coop: the queue is empty")

	// errGivenUp is the cause with which a run's context ends when all its callers have given up.
	errGivenUp = errors.New("coop: nobody waits for the result any more")

	// errLost says that the end of its loop ended a run for which a caller elsewhere still waits.
	errLost = errors.New("coop: the loop in which the function ran has ended")
)
