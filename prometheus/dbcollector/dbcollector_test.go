package dbcollector_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/prometheus/dbcollector"
)

func ExampleNew() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	registry := prometheus.NewRegistry()
	registry.MustRegister(dbcollector.New(engine, "main"))
	n, err := testutil.GatherAndCount(registry, "db_client_connection_max")
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func TestFiguresOfAnEngine(t *testing.T) {
	check := func(t *testing.T, ctx context.Context) error {
		engine, err := db.Open(ctx, "sqlite://")
		require.NoError(t, err)
		defer func() { require.NoError(t, engine.Close(ctx)) }()
		registry := prometheus.NewPedanticRegistry()
		require.NoError(t, registry.Register(dbcollector.New(engine, "main")))
		conn, err := engine.Connect(ctx)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "create table t (id integer)")
		require.NoError(t, err)
		values := gathered(t, registry)
		require.EqualValues(t, engine.Stats().InUse, values["db_client_connection_countused"])
		require.EqualValues(t, engine.Stats().MaxOpen, values["db_client_connection_max"])
		require.EqualValues(t, engine.Stats().Acquired, values["repaint_db_connection_acquired_total"])
		require.Contains(t, values, "repaint_db_connection_wait_time_seconds_total")
		require.NoError(t, conn.Close())
		return nil
	}
	t.Run("goroutine", func(t *testing.T) { require.NoError(t, check(t, t.Context())) })
	t.Run("loop", func(t *testing.T) {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error { return check(t, ctx) }))
	})
}

// gathered returns the values by name and label.
func gathered(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "pool" {
					require.Equal(t, "main", l.GetValue())
				} else {
					name += l.GetValue()
				}
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values
}
