package dbtest

import (
	"testing"

	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// Network puts a network that a test can break in front of a database. It returns the database's
// address in that network.
func Network(t testing.TB, at testserver.Target) (testserver.Target, dbconform.Network) {
	proxy := faultproxy.New(t, at.Addr())
	at.Host, at.Port = proxy.Host(), proxy.Port()
	return at, network{proxy}
}

type network struct{ proxy *faultproxy.Proxy }

func (n network) Deafen()  { n.proxy.Stall(faultproxy.ToClient) }
func (n network) Swallow() { n.proxy.Swallow() }

func (n network) Cut() {
	n.proxy.Cut()
	n.proxy.Resume()
}
