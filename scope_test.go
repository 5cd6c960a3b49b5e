package repaint

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever sees that a scope has ended also sees why, in whatever moment it looks.
func TestTheCauseIsThereAsSoonAsTheEndIs(t *testing.T) {
	cause := errors.New("cause")
	for name, end := range map[string]func(parent context.CancelCauseFunc, s *scope){
		"by itself":     func(_ context.CancelCauseFunc, s *scope) { s.cancel(context.Canceled, cause) },
		"by its parent": func(parent context.CancelCauseFunc, _ *scope) { parent(cause) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 2000 {
				parent, cancel := context.WithCancelCause(t.Context())
				upper, lower := new(scope), new(scope)
				upper.init(parent, nil, nil)
				lower.init(upper, nil, nil)
				lower.Done() // from now on there are ordinary contexts behind both
				var wg sync.WaitGroup
				for _, s := range []*scope{upper, lower} {
					wg.Go(func() {
						for s.Err() == nil { // spin, to look at the first moment
						}
						if got := context.Cause(s); got != cause {
							t.Errorf("the cause is %v", got)
						}
						<-s.Done()
					})
				}
				end(cancel, upper)
				wg.Wait()
				lower.release()
				upper.release()
				cancel(nil)
			}
		})
	}
}

func TestReleasedScopesAreOffTheirParentsList(t *testing.T) {
	upper := new(scope)
	upper.init(context.Background(), nil, nil)
	scopes := make([]*scope, 5)
	for i := range scopes {
		scopes[i] = new(scope)
		scopes[i].init(upper, nil, nil)
	}
	for _, i := range []int{2, 0, 4, 1, 3} {
		require.NotNil(t, upper.children)
		scopes[i].release()
		require.ErrorIs(t, scopes[i].Err(), context.Canceled)
		require.NoError(t, upper.Err())
	}
	require.Nil(t, upper.children)
}

func TestAScopeBelowAnEndedOneHasEnded(t *testing.T) {
	cause := errors.New("cause")
	upper, lower := new(scope), new(scope)
	upper.init(context.Background(), nil, nil)
	upper.cancel(context.DeadlineExceeded, cause)
	lower.init(upper, nil, nil)
	require.Equal(t, context.DeadlineExceeded, lower.Err())
	require.Equal(t, cause, context.Cause(lower))
}
