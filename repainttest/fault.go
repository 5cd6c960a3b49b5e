package repainttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// A Fault is a failure that a schedule can give a statement, see [Faults].
type Fault string

const (
	// LostBefore: the connection is lost before the server has got the statement.
	LostBefore Fault = "before"
	// LostAfter: the connection is lost after the server has executed the statement, and before the
	// answer. After a COMMIT the program can't know whether it was applied.
	LostAfter Fault = "after"
	// SerializationFailure: the database ends the transaction with a serialization failure.
	SerializationFailure Fault = "serialization"
	// Deadlock: the database ends the transaction as the victim of a deadlock.
	Deadlock Fault = "deadlock"
	// Slow: the answer takes an hour of the loop's time.
	Slow Fault = "slow"
	// Cancelled: the task's context ends before the statement is sent, so the database never gets it.
	// (If it ended later, chance would decide whether the statement is executed.)
	Cancelled Fault = "cancelled"
)

// slowTime is how long a slow answer takes.
const slowTime = time.Hour

// Faults makes the schedules also decide which statement meets with one of the faults. Each
// schedule has at most one, or as many as [FaultLimit] says. Without kinds, all faults are
// possible.
//
// In the text of a schedule "1!after" is a step of task 1 whose statement meets with LostAfter.
// SQLite has no network and detects no deadlocks, so only Slow and Cancelled are possible there.
// Cancelled doesn't happen in the main function.
func Faults(kinds ...Fault) Option {
	all := []Fault{LostBefore, LostAfter, SerializationFailure, Deadlock, Slow, Cancelled}
	if len(kinds) == 0 {
		kinds = all
	}
	for _, k := range kinds {
		if !slices.Contains(all, k) {
			return wrongOption("the option Faults has %q, which is not a kind of fault: want one of %q", k, all)
		}
	}
	return setting(func(s *settings) { s.faults = append(s.faults, kinds...) })
}

// FaultLimit sets how many faults a schedule may have. The default is 1.
func FaultLimit(n int) Option {
	if n < 0 {
		return wrongOption("the option FaultLimit allows %d faults in a schedule: give it a number from 0 on", n)
	}
	return setting(func(s *settings) { s.faultLimit = n })
}

// faultMark stands between a task and the fault that its statement meets with.
const faultMark = "!"

// withFaults returns the alternatives and, for each fault, once more the tasks that are about to
// send a statement.
func (r *recorder) withFaults(all []string) []string {
	if len(r.faults) == 0 || r.faulty >= r.faultLimit {
		return all
	}
	more := all
	for _, task := range all {
		if !r.asking[task] || task == mainTask {
			continue // what the main function does is set-up and checks
		}
		for _, f := range r.faults {
			more = append(more, task+faultMark+string(f))
		}
	}
	return more
}

// takeFault splits a choice into the task and its fault, which it records.
func (r *recorder) takeFault(choice string) (task string) {
	task, fault, faulty := strings.Cut(choice, faultMark)
	if faulty {
		r.faulty++
		r.fault[task] = Fault(fault)
	}
	return task
}

// errCut is the reason why a connection is lost.
var errCut = fmt.Errorf("the connection was lost: %w", io.ErrUnexpectedEOF)

// errFault is the cause of a context that ends as a fault.
var errFault = errors.New("cancelled by a fault of the schedule")

// meets returns a function that executes a statement with a fault, or nil if the fault isn't
// possible there.
func (r *recorder) meets(task string, f Fault, s explore.Statement, do func(ctx context.Context) (string, error)) func(ctx context.Context) (string, error) {
	switch {
	case f == LostBefore && s.Break != nil:
		return func(ctx context.Context) (string, error) {
			r.sever(s)
			return do(ctx)
		}
	case f == LostAfter && s.Break != nil:
		return func(ctx context.Context) (string, error) {
			if _, err := do(ctx); err != nil {
				return "", err
			}
			r.sever(s)
			if s.Lost != nil {
				return "", s.Lost
			}
			return "", errCut
		}
	case f == SerializationFailure && s.Raise != nil:
		return func(ctx context.Context) (string, error) { return "", s.Raise(ctx, explore.SerializationFailure) }
	case f == Deadlock && s.Raise != nil:
		return func(ctx context.Context) (string, error) { return "", s.Raise(ctx, explore.DeadlockDetected) }
	case f == Cancelled && r.cancels[task] != nil:
		r.cancels[task](errFault)
		return func(ctx context.Context) (string, error) {
			if s.Ends.Err() == nil {
				return do(ctx) // its context isn't the task's
			}
			return "", loop.ContextError(s.Ends)
		}
	case f == Slow:
		return do
	}
	return nil
}

// delay makes an answer slow. If the context ends before the answer comes, the answer is lost with
// the connection.
func (c *call) delay(ctx context.Context) {
	err := repaint.Sleep(ctx, slowTime)
	if err == nil {
		return
	}
	if c.Break != nil {
		c.r.sever(c.Statement)
	}
	c.result, c.err = "", err
}

// goneTime is how long a server may take to notice that a connection is lost.
const goneTime = 10 * time.Second

// sever loses the connection of a statement, and waits until the server has noticed, because until
// then it has the locks.
func (r *recorder) sever(s explore.Statement) {
	s.Break()
	if s.Server == nil {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), goneTime)
	defer done()
	for {
		switch gone, err := s.Server.Gone(ctx, s.Session); {
		case err != nil:
			r.doubt(fmt.Sprintf("couldn't find out when the server noticed that a connection was lost: %v", err))
			return
		case gone:
			return
		}
		time.Sleep(time.Millisecond)
	}
}
