package repainttest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/repainttest"
)

// BenchmarkSchedule measures a schedule of two transactions of four statements, without the fresh
// database.
func BenchmarkSchedule(b *testing.B) {
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		b.Run(name, func(b *testing.B) {
			d, _ := openTables(b, name)
			texts := strings.Split("begin;select v from a;update a set v = v + 1;commit", ";")
			schedules := 0
			for b.Loop() {
				_, tried, err := repainttest.Search(b.Context(), 1000, 1, func(ctx context.Context) error {
					two := func(ctx context.Context) error {
						runTexts(ctx, d, texts)
						return nil
					}
					return tasks(ctx, two, two)
				})
				require.NoError(b, err)
				schedules += tried
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(schedules), "µs/schedule")
		})
	}
}
