package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// On a Galera cluster, a transaction has no locks on other nodes. It is certified when it commits,
// and if another node's transaction was first, COMMIT fails with 1213. db.Retry repeats it, so
// money that moves on all nodes at once neither gets lost nor appears.
func TestGaleraRetriesWhatIsNotCertified(t *testing.T) {
	nodes := testserver.Galera(t, 3)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		const accounts, movers, moves, initial = 4, 4, 25, 1000
		table := strings.ToLower("accounts_" + t.Name()[strings.LastIndexByte(t.Name(), '/')+1:])
		nodes[0].MustQuery(t, fmt.Sprintf("create table %s (id int primary key, amount int not null)", table))
		for i := range accounts {
			nodes[0].MustQuery(t, fmt.Sprintf("insert into %s values (%d, %d)", table, i, initial))
		}
		var engines []*db.Engine
		for _, node := range nodes {
			engines = append(engines, dbtest.Open(t, ctx, node.URL()))
		}
		var retries, atCommit, done atomic.Int64
		move := func(ctx context.Context, i int) error {
			e := engines[i%len(engines)]
			policy := db.RetryPolicy{Attempts: 100, Retrying: func(_ int, err error) {
				retries.Add(1)
				var known *db.Error
				if errors.As(err, &known) && known.Op == "commit" {
					atCommit.Add(1)
				}
			}}
			for range moves {
				from := rand.N(accounts)
				to := (from + 1 + rand.N(accounts-1)) % accounts
				err := policy.InTx(ctx, e, func(ctx context.Context, tx *db.Tx) error {
					if _, err := tx.Exec(ctx, "update "+table+" set amount = amount - 1 where id = :id", db.Named("id", from)); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "update "+table+" set amount = amount + 1 where id = :id", db.Named("id", to))
					return err
				})
				if err != nil {
					return fmt.Errorf("node %d: %w", i%len(engines), err)
				}
				done.Add(1)
			}
			return nil
		}
		// The loop runs until certification has failed: that needs nodes that commit at the same
		// moment.
		deadline := time.Now().Add(time.Minute)
		for atCommit.Load() == 0 && time.Now().Before(deadline) {
			require.NoError(t, c.Together(ctx, movers*len(nodes), move))
		}
		require.Positive(t, atCommit.Load(), "no certification failed among %d transactions", done.Load())
		t.Logf("%d transactions, %d repeated, %d of these refused at COMMIT", done.Load(), retries.Load(), atCommit.Load())
		for i, e := range engines {
			// The answer comes from a node that has everything that was committed elsewhere.
			sum, err := db.Scalar[int](ctx, e, "set statement wsrep_sync_wait = 1 for select sum(amount) from "+table)
			require.NoError(t, err)
			require.Equal(t, accounts*initial, sum, "node %d", i)
		}
	})
}
