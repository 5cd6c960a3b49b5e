package testserver

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A Cluster is a PostgreSQL primary with streaming standbys, for one test.
type Cluster struct {
	Primary  *Server
	Standbys []*Server
}

// NewCluster starts a primary and n standbys, which are named s1, s2 and so on in
// synchronous_standby_names. The options are those of the primary, whose settings the standbys
// have, too.
func NewCluster(t testing.TB, n int, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{Primary: Postgres(t, append([]Option{Config("wal_keep_size = 64MB", "wal_receiver_status_interval = 1s", "wal_retrieve_retry_interval = 100ms")}, opts...)...)}
	for i := range n {
		c.Standbys = append(c.Standbys, Standby(t, c.Primary, fmt.Sprint("s", i+1)))
	}
	return c
}

// All returns the servers, the primary first.
func (c *Cluster) All() []*Server { return append([]*Server{c.Primary}, c.Standbys...) }

// URL returns a connection URL that names all servers in their order, for a database that the
// primary has.
func (c *Cluster) URL(dbname, options string) string {
	var addrs []string
	for _, s := range c.All() {
		addrs = append(addrs, s.Addr())
	}
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable%s", c.Primary.User, c.Primary.Password, strings.Join(addrs, ","), dbname, options)
}

// Synchronous makes commits wait until one of the standbys has them on disk. It returns when one
// does so.
func (c *Cluster) Synchronous(t testing.TB) {
	t.Helper()
	c.Primary.MustQuery(t, "alter system set synchronous_standby_names = 'ANY 1 (*)'")
	c.Primary.MustQuery(t, "select pg_reload_conf()")
	await(t, "a synchronous standby", func() bool {
		return c.Primary.MustQuery(t, "select count(*) > 0 from pg_stat_replication where sync_state = 'quorum' and state = 'streaming'") == "t"
	})
}

// Promote makes a standby a primary, and returns when it is one.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if s.MustQuery(t, "select pg_promote(true, 60)") != "t" {
		t.Fatalf("testserver: the standby wasn't promoted; its log ends with:\n%s", tail(s.log()))
	}
}

// PauseReplay makes a standby stop applying what it receives, until ResumeReplay.
func (s *Server) PauseReplay(t testing.TB) {
	t.Helper()
	s.MustQuery(t, "select pg_wal_replay_pause()")
	const paused = "select pg_is_wal_replay_paused()"
	state := paused
	if s.MustQuery(t, "select current_setting('server_version_num')::int >= 140000") == "t" {
		state = "select pg_get_wal_replay_pause_state() = 'paused'" // otherwise the pause may only have been requested
	}
	await(t, "the pause of the replay", func() bool { return s.MustQuery(t, state) == "t" })
}

// ResumeReplay undoes PauseReplay.
func (s *Server) ResumeReplay(t testing.TB) {
	t.Helper()
	s.MustQuery(t, "select pg_wal_replay_resume()")
}

// Follow makes a running standby follow another primary.
func (s *Server) Follow(t testing.TB, primary *Server) {
	t.Helper()
	b, ok := s.flavor.(standby)
	if !ok {
		t.Fatal("testserver: Follow of a server that isn't a standby")
	}
	b.primary = primary
	s.MustQuery(t, "alter system set primary_conninfo = '"+strings.ReplaceAll(b.conninfo(), "'", "''")+"'")
	s.MustQuery(t, "select pg_reload_conf()")
}

// Rejoin starts a stopped server as a standby of a primary, at its old address, with a fresh copy
// of the data.
func (s *Server) Rejoin(t testing.TB, primary *Server, name string) {
	t.Helper()
	if s.running() {
		t.Fatal("testserver: Rejoin of a server that runs")
	}
	f, _, err := standby{primary: primary, name: name}.locate()
	if err == nil {
		s.flavor = f
		err = os.RemoveAll(s.path("data"))
	}
	if err == nil {
		err = f.create(s)
	}
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// await asks again and again, for a limited time.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(queryTimeout)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("testserver: waited for %s for %v", what, queryTimeout)
		}
		time.Sleep(5 * time.Millisecond) // the server doesn't report this
	}
}
