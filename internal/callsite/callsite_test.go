package callsite

import (
	"testing"

	"github.com/stretchr/testify/require"
)

//go:noinline
func site() Site { return Caller() }

//go:noinline
func generic[T any](T) Site { return Caller() }

type method struct{ _ [200]byte }

//go:noinline
func (method) site() Site { return Caller() }

func TestCallerIsWhereTheFunctionWasCalled(t *testing.T) {
	for _, get := range []func() Site{
		func() Site { return site() },
		func() Site { return generic(7) },
		func() Site { return generic("text") },
		func() Site { return method{}.site() },
	} {
		s := get()
		require.Contains(t, s.String(), "callsite.TestCallerIsWhereTheFunctionWasCalled.func")
		require.Contains(t, s.String(), "callsite/callsite_test.go:")
	}
}

func TestCallerWorksHere(t *testing.T) {
	require.True(t, works)
}

func TestUnknownPlace(t *testing.T) {
	require.Equal(t, "an unknown place", Site(0).String())
}

func BenchmarkCaller(b *testing.B) {
	for b.Loop() {
		_ = site()
	}
}
