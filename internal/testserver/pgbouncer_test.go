//go:build unix

package testserver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPgBouncerServesADatabase(t *testing.T) {
	target := Postgres(t).Database(t)
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			b := PgBouncer(t, target, mode, "default_pool_size=3")
			require.Regexp(t, `^\d+\.\d+`, b.Version)
			require.Equal(t, target.DBName, b.MustQuery(t, "select current_database()"))
			console := b.Target
			console.DBName = "pgbouncer"
			config := console.MustQuery(t, "show config")
			require.Contains(t, config, "pool_mode\t"+mode)
			require.Contains(t, config, "default_pool_size\t3")
		})
	}
}

func TestPgBouncerRestartsAloneAtTheSameAddress(t *testing.T) {
	target := Postgres(t).Database(t)
	b := PgBouncer(t, target, "session")
	for _, end := range []func() error{b.Stop, b.Kill} {
		require.NoError(t, end())
		_, err := b.Query(context.Background(), "select 1")
		require.Error(t, err)
		require.Equal(t, "1", target.MustQuery(t, "select 1"))
		require.NoError(t, b.Start())
		require.Equal(t, "1", b.MustQuery(t, "select 1"))
	}
}
