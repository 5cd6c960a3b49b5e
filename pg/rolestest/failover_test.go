package rolestest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

// Everything fails under load, and nothing that was acknowledged is lost, nothing is there twice,
// and no read is older than its token.
func TestFailoverUnderLoad(t *testing.T) {
	cluster := testserver.NewCluster(t, 2)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cluster.Synchronous(t)
	cluster.Primary.MustQuery(t, "create table written (id int)")
	db := open(t, cluster.URL("postgres", "&reader_target=prefer-standby&cancel_timeout=1s&connect_timeout=20&pool_lanes=4&pool_reader_lanes=4"))
	load := startLoad(t, ctx, db)
	load.goesOn(t, ctx, "the start")
	rounds := 1
	if full() {
		rounds = 3
	}
	primary, one, two := cluster.Primary, cluster.Standbys[0], cluster.Standbys[1]
	for round := range rounds {
		if full() {
			one.PauseReplay(t)
			load.goesOn(t, ctx, "a standby whose replay pauses")
			one.ResumeReplay(t)

			require.NoError(t, one.Suspend())
			load.goesOn(t, ctx, "a standby that hangs")
			require.NoError(t, one.Resume())
			load.goesOn(t, ctx, "one that goes on")

			require.NoError(t, two.Crash())
			load.goesOn(t, ctx, "a standby that has crashed")
			require.NoError(t, two.Start())
			waitUntil(t, ctx, "the one that has crashed", func() bool { return host(db, two).Fit })
			load.goesOn(t, ctx, "one that has come back")
		}
		pause := promoteInPlaceOf(t, ctx, load, primary, &one, &two)
		t.Logf("round %d: %v without an acknowledged write, from the crash of the primary; %v", round+1, pause.Round(time.Millisecond), load)
		if round+1 < rounds {
			primary.Rejoin(t, one, "again")
		}
		primary, one = one, primary // the new primary, and a standby
		if round+1 < rounds {
			waitUntil(t, ctx, "two standbys", func() bool { return host(db, one).Fit && host(db, two).Fit })
			primary.MustQuery(t, "alter system set synchronous_standby_names = 'ANY 1 (*)'")
			primary.MustQuery(t, "select pg_reload_conf()")
			load.goesOn(t, ctx, "two standbys")
		}
	}
	load.audit(t, primary)
	require.Equal(t, pg.RolePrimary, host(db, primary).Role)
	t.Logf("%+v", db.Reader().Stats())
}

// promoteInPlaceOf kills the primary and promotes the standby that has more of its log, which is
// one afterwards, as a program for failovers does. It returns for how long no write was
// acknowledged.
func promoteInPlaceOf(t *testing.T, ctx context.Context, load *load, primary *testserver.Server, one, two **testserver.Server) time.Duration {
	t.Helper()
	load.gap.Store(0)
	require.NoError(t, primary.Crash())
	const received = "select pg_last_wal_receive_lsn() - '0/0'"
	waitUntil(t, ctx, "the end of the replication", func() bool {
		return (*one).MustQuery(t, "select count(*) from pg_stat_wal_receiver") == "0" && (*two).MustQuery(t, "select count(*) from pg_stat_wal_receiver") == "0"
	})
	a, b := (*one).MustQuery(t, received), (*two).MustQuery(t, received)
	if len(b) > len(a) || len(b) == len(a) && b > a {
		*one, *two = *two, *one
	}
	began := time.Now()
	(*one).Promote(t)
	promoted := time.Since(began)
	(*two).Follow(t, *one)
	load.goesOn(t, ctx, "the new primary")
	t.Logf("the promotion itself took %v", promoted.Round(time.Millisecond))
	return time.Duration(load.gap.Load())
}
