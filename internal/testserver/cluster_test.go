//go:build unix

package testserver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAClusterFailsInEveryWay(t *testing.T) {
	c := NewCluster(t, 2)
	c.Synchronous(t)
	one, two := c.Standbys[0], c.Standbys[1]
	c.Primary.MustQuery(t, "create table t (id int)")
	await(t, "the table", func() bool { return one.MustQuery(t, "select to_regclass('t') is not null") == "t" })

	one.PauseReplay(t)
	c.Primary.MustQuery(t, "insert into t values (1)")
	require.Equal(t, "0", one.MustQuery(t, "select count(*) from t"))
	one.ResumeReplay(t)
	await(t, "the replay", func() bool { return one.MustQuery(t, "select count(*) from t") == "1" })

	require.NoError(t, two.Suspend())
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	_, err := two.Query(ctx, "select 1")
	cancel()
	require.Error(t, err)
	require.NoError(t, two.Resume())
	require.Equal(t, "1", two.MustQuery(t, "select 1"))

	old := c.Primary
	require.NoError(t, old.Crash())
	one.Promote(t)
	two.Follow(t, one)
	one.MustQuery(t, "insert into t values (2)")
	await(t, "the new primary's data", func() bool { return two.MustQuery(t, "select count(*) from t") == "2" })

	old.Rejoin(t, one, "old")
	await(t, "the new primary's data", func() bool { return old.MustQuery(t, "select count(*) from t") == "2" })
	require.Equal(t, "t", old.MustQuery(t, "select pg_is_in_recovery()"))

	require.NoError(t, two.Crash())
	require.NoError(t, two.Start())
	require.Equal(t, "2", two.MustQuery(t, "select count(*) from t"))
	require.NoError(t, two.Suspend(), "a suspended server is removed, too")
}
