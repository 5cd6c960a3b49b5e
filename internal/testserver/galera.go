package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

// GaleraEnv is the environment variable that makes tests start clusters, when it is 1. Otherwise
// these tests skip, because starting a cluster takes too long for every run. make test-galera sets
// it.
const GaleraEnv = "REPAINT_GALERA"

// Galera starts n MariaDB nodes that replicate to each other, for this test alone. It returns when
// all of them accept writes. Each has the database "galera".
func Galera(t testing.TB, n int) []*Server {
	t.Helper()
	if os.Getenv(GaleraEnv) != "1" {
		t.Skipf("testserver: a Galera cluster takes seconds to start: make test-galera runs this test (%s=1)", GaleraEnv)
	}
	provider := galeraProvider()
	if provider == "" {
		t.Fatalf("%v", &MissingError{"Galera", fmt.Sprintf("its library isn't in any of %s; to install: make install-servers, or apt-get install galera-4", strings.Join(galeraPlaces, ", "))})
	}
	// All nodes begin with the same data, so none has to be sent to another.
	template := MariaDB(t, Private()) // with the user
	template.MustQuery(t, "create database galera")
	if err := template.Stop(); err != nil {
		t.Fatalf("%v", err)
	}
	ports := make([]int, 2*n)
	for i := range ports {
		var err error
		if ports[i], err = freeport.Pick(); err != nil {
			t.Fatalf("%v", err)
		}
	}
	var nodes []*Server
	for i := range n {
		node := get(t, nil, galera{provider: provider, template: template, group: ports[2*i], transfer: ports[2*i+1], first: ports[0], before: i}, []Option{Private()})
		node.DBName = "galera"
		nodes = append(nodes, node)
		await(t, "a node of a Galera cluster", func() bool {
			state, err := node.Query(t.Context(), "select group_concat(variable_value order by variable_name) from information_schema.global_status where variable_name in ('wsrep_cluster_size', 'wsrep_ready')")
			return err == nil && state == fmt.Sprintf("%d,ON", i+1)
		})
	}
	return nodes
}

var galeraPlaces = []string{"/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so", "/usr/lib64/galera/libgalera_smm.so"}

func galeraProvider() string {
	for _, path := range galeraPlaces {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// galera is a MariaDB that is a node of a cluster.
type galera struct {
	mariadb
	provider        string
	template        *Server // has the data to begin with
	group, transfer int     // ports: of the group's communication, and of what a node that joins has missed
	first           int     // the group's port of the node that makes the cluster
	before          int     // nodes that have joined before this one
}

func (galera) label() string { return "MariaDB Galera node" }

func (g galera) locate() (flavor, string, error) {
	f, version, err := g.mariadb.locate()
	if err != nil {
		return nil, "", err
	}
	g.mariadb = f.(mariadb)
	return g, version, nil
}

func (g galera) create(s *Server) error {
	if err := s.run(exec.Command("cp", "-a", g.template.path("data"), s.path("data"))); err != nil {
		return err
	}
	// Each node that joins is an event in the history of the cluster, and nothing else has happened
	// when this one joins. So the node has the whole history, and nothing is transferred.
	state := fmt.Sprintf("# GALERA saved state\nversion: 2.1\nuuid: %s\nseqno: %d\nsafe_to_bootstrap: 1\n", galeraHistory, g.before)
	if err := s.account.writeFile(s.path("data", "grastate.dat"), []byte(state)); err != nil {
		return fmt.Errorf("testserver: preparing a Galera node: %w", err)
	}
	return nil
}

const galeraHistory = "5f0a2a10-0000-11f1-8000-000000000001"

func (galera) created(*Server) error { return nil } // the template has the user

func (g galera) command(s *Server) *exec.Cmd {
	cmd := g.mariadb.command(s)
	cmd.Args = append(cmd.Args,
		"--wsrep-on=ON", "--wsrep-provider="+g.provider, "--wsrep-cluster-name=repaint",
		fmt.Sprintf("--wsrep-cluster-address=gcomm://127.0.0.1:%d", g.first),
		"--wsrep-node-address=127.0.0.1", "--wsrep-sst-method=skip",
		fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:%d;ist.recv_addr=127.0.0.1:%d;gcache.size=16M;pc.recovery=false", g.group, g.transfer),
		"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--default-storage-engine=InnoDB")
	if g.group == g.first {
		cmd.Args = append(cmd.Args, "--wsrep-new-cluster")
	}
	return cmd
}
