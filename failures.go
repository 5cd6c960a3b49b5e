package repaint

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// failures are the errors of functions that ran side by side.
type failures struct {
	errs []error
	// late says which of them only report that the context has ended.
	late []bool
}

// add notes an error, and reports whether it is the first. end is the end of the functions'
// context, or nil if it hasn't ended.
func (f *failures) add(err error, end *scopeEnd) (first bool) {
	if len(f.errs) > 0 {
		// After the first error the other functions are cancelled. A report of that is no news, and
		// neither is the same error again.
		if errors.Is(err, context.Canceled) || same(err, f.errs[0]) {
			return false
		}
	}
	f.errs = append(f.errs, err)
	f.late = append(f.late, end != nil && (errors.Is(err, end.err) || errors.Is(err, end.cause)))
	return len(f.errs) == 1
}

func same(one, two error) bool {
	return reflect.ValueOf(one).Comparable() && one == two
}

// join returns a single error as it is.
func (f *failures) join() error {
	switch len(f.errs) {
	case 0:
		return nil
	case 1:
		return f.errs[0]
	}
	return &joinedError{*f}
}

// A joinedError is like the result of errors.Join, but its text says everything only once.
type joinedError struct{ failures }

func (e *joinedError) Error() string {
	var lines []string
	told := make(map[string]bool)
	ended, more := false, 0
	for i, err := range e.errs {
		text := err.Error()
		switch {
		case told[text]:
		case e.late[i] && ended:
			more++
		default:
			lines = append(lines, text)
			told[text] = true
		}
		ended = ended || e.late[i]
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more, for the same end of the context", more))
	}
	return strings.Join(lines, "\n")
}

func (e *joinedError) Unwrap() []error { return e.errs }
