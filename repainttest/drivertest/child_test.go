package drivertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

// children are explorations whose output is looked at, so each runs in a process of its own. source
// is the database.
var children = map[string]func(t *testing.T, source string){
	"without rights": func(t *testing.T, source string) {
		config, err := mysql.ParseDSN(source)
		require.NoError(t, err)
		c, err := mysql.NewConnector(config)
		require.NoError(t, err)
		explorePair(t, c, " for update", repainttest.Driver)
	},
	"unknown": func(t *testing.T, source string) {
		explorePair(t, unknown{lite{source}}, "", repainttest.Driver)
	},
	"not wrapped": func(t *testing.T, source string) {
		explorePair(t, lite{source}, "", func(c driver.Connector) driver.Connector { return c })
	},
}

// explorePair explores two transactions of which one waits for the other.
func explorePair(t *testing.T, c driver.Connector, lock string, wrap func(driver.Connector) driver.Connector) {
	t.Helper()
	b := &bank{sql.OpenDB(wrap(c))}
	b.pool.SetMaxIdleConns(10)
	defer func() { require.NoError(t, b.pool.Close()) }()
	repainttest.Explore(t, 3, func(t *testing.T, ctx context.Context) {
		require.NoError(t, tasks(ctx, b.withdraw(lock), b.withdraw(lock)))
	}, repainttest.RoundRobin())
}

// TestChild is run by child.
func TestChild(t *testing.T) {
	name := os.Getenv("DRIVERTEST_CHILD")
	if name == "" {
		t.Skip("is run by other tests")
	}
	children[name](t, os.Getenv("DRIVERTEST_SOURCE"))
}

// child returns what one of the children prints.
func child(t *testing.T, name, source string) string {
	t.Helper()
	require.Contains(t, children, name)
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), "DRIVERTEST_CHILD="+name, "DRIVERTEST_SOURCE="+source)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// An unknown database doesn't understand by what databases are recognised.
type unknown struct{ lite }

func (u unknown) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := u.lite.Connect(ctx)
	return &unknownConn{c}, err
}

type unknownConn struct{ driver.Conn }

func (c *unknownConn) Prepare(query string) (driver.Stmt, error) {
	if strings.Contains(query, "version()") || strings.Contains(query, "connection_id()") {
		return nil, errors.New("there is no such function")
	}
	return c.Conn.Prepare(query)
}

func TestProbeWithoutRightsIsSaid(t *testing.T) {
	target := testserver.MariaDB(t).Database(t)
	admin, err := sql.Open("mysql", target.DSN())
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	config, err := mysql.ParseDSN(target.DSN())
	require.NoError(t, err)
	for _, text := range []string{
		"create table account (name varchar(10) primary key, balance int not null)",
		"insert into account values ('ada', 100)",
		"create or replace user poor@'%' identified by 'poor'",
		"grant all on `" + config.DBName + "`.* to poor@'%'",
	} {
		_, err := admin.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	config.User, config.Passwd = "poor", "poor"
	out := child(t, "without rights", config.FormatDSN())
	require.Contains(t, out, "asking MariaDB which sessions wait for a lock (the user needs the PROCESS privilege)")
	require.Contains(t, out, "So 200 ms without an answer are taken for a wait for a lock, and schedules may not repeat")
	require.Equal(t, 1, strings.Count(out, "the user needs the PROCESS privilege"), "once, however often it is asked:\n%s", out)
}

func TestDatabaseThatCannotTellWhoWaitsIsSaid(t *testing.T) {
	b := openBank(t, databases["SQLite"](t))
	var file string
	require.NoError(t, b.pool.QueryRowContext(t.Context(), "select file from pragma_database_list").Scan(&file))
	out := child(t, "unknown", "file:"+file+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	require.Contains(t, out, "the database can't be asked which statements wait for locks. So 200 ms")
}

func TestExplorationWithoutAnyStatementIsSaid(t *testing.T) {
	b := openBank(t, databases["SQLite"](t))
	var file string
	require.NoError(t, b.pool.QueryRowContext(t.Context(), "select file from pragma_database_list").Scan(&file))
	out := child(t, "not wrapped", "file:"+file)
	require.Contains(t, out, "there was no choice")
	require.Contains(t, out, "No statement was seen. A pool of database/sql has to be opened on repainttest.Driver")
}
