package testserver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGaleraNodesReplicate(t *testing.T) {
	nodes := Galera(t, 3)
	nodes[0].MustQuery(t, "create table t (id int primary key)")
	nodes[2].MustQuery(t, "insert into t values (1)")
	for _, node := range nodes {
		require.Equal(t, "1", node.MustQuery(t, "set session wsrep_sync_wait = 1; select count(*) from t"))
	}
}
