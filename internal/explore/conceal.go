package explore

import "context"

// concealKey is the key of a context value that says that values must not be shown.
type concealKey struct{}

// Conceal returns a context whose statements are shown without their arguments and results.
func Conceal(ctx context.Context) context.Context {
	return context.WithValue(ctx, concealKey{}, true)
}

// Conceals reports whether the context is one that Conceal has returned, or derives from one.
func Conceals(ctx context.Context) bool { return ctx.Value(concealKey{}) != nil }
