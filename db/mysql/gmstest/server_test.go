package gmstest

import (
	"context"
	"io"
	"testing"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
)

// serve starts a server and returns the URL of its one database.
func serve(t testing.TB) string { return serveAs(t, server.Config{}, func(*sqle.Engine) {}) }

func serveAs(t testing.TB, config server.Config, setUp func(*sqle.Engine)) string {
	logrus.SetOutput(io.Discard) // it logs each connection that ends
	data := memory.NewDatabase("d")
	data.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(data)
	engine := sqle.NewDefault(provider)
	setUp(engine)
	config.Protocol, config.Address = "tcp", "127.0.0.1:0"
	s, err := server.NewServer(config, engine, sql.NewContext, memory.NewSessionBuilder(provider), nil)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Start() }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-ended)
	})
	return "mysql://root@" + s.Listener.Addr().String() + "/d"
}

func TestAServerThatIsNoInnoDBCanBeOpened(t *testing.T) {
	ctx := context.Background()
	e, err := db.Open(ctx, serve(t))
	require.NoError(t, err)
	n, err := db.Scalar[int](ctx, e, "select :a + 1", db.Named("a", 2))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, e.Close(ctx))
}
