//go:build !linux

package loop

func newPoller(*Loop) (*poller, error) { return nil, ErrNoPoller }

// An eventSet is never used here.
type eventSet struct{}

func (*eventSet) add(int, uint64, Readiness) error            { return ErrNoPoller }
func (*eventSet) change(int, uint64, Readiness) error         { return ErrNoPoller }
func (*eventSet) remove(int)                                  {}
func (*eventSet) ready(_ int, to []event) (_ []event, _ bool) { return to, false }
