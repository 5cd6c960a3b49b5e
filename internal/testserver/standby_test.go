//go:build unix

package testserver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStandbyFollowsAndCanBePromoted(t *testing.T) {
	primary := Postgres(t, Private())
	standby := Standby(t, primary, "second")
	require.Equal(t, "t", standby.MustQuery(t, "select pg_is_in_recovery()"))
	_, err := standby.Query(context.Background(), "create table t (id int)")
	require.ErrorContains(t, err, "read-only")
	primary.MustQuery(t, "alter system set synchronous_standby_names = 'second'")
	primary.MustQuery(t, "alter system set synchronous_commit = 'remote_apply'")
	require.NoError(t, primary.Restart())
	primary.MustQuery(t, "create table t as select 1 as id")
	require.Equal(t, "1", standby.MustQuery(t, "select id from t"), "the primary has waited for it")
	require.NoError(t, primary.Kill())
	require.Equal(t, "t", standby.MustQuery(t, "select pg_promote()"))
	standby.MustQuery(t, "insert into t values (2)")
}
