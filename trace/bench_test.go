package trace_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/trace"
)

// BenchmarkTurn is a task's turn: it waits for the next one, among ten. Its peer is the same
// without a trace.
func BenchmarkTurn(b *testing.B) {
	for name, start := range map[string]func() (stop func()){
		"untraced": func() func() { return func() {} },
		"traced":   func() func() { return trace.Start().Stop },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			defer start()()
			require.NoError(b, repaint.Run(b.Context(), func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for range 10 {
					g.Go(func(ctx context.Context) error {
						for range b.N / 10 {
							if err := repaint.Sleep(ctx, 0); err != nil {
								return err
							}
						}
						return nil
					})
				}
				return g.Wait()
			}))
		})
	}
}

// BenchmarkTask is a task's life: it begins, waits once and ends. Its peer is the same without a
// trace.
func BenchmarkTask(b *testing.B) {
	for name, start := range map[string]func() (stop func()){
		"untraced": func() func() { return func() {} },
		"traced":   func() func() { return trace.Start().Stop },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			defer start()()
			require.NoError(b, repaint.Run(b.Context(), func(ctx context.Context) error {
				for range b.N {
					task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, 0) })
					if _, err := repaint.Await(ctx, task); err != nil {
						return err
					}
				}
				return nil
			}))
		})
	}
}
