package dbtest

import (
	"testing"

	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// Network puts a network that can be broken before a database, and returns the database as it is
// reached over it.
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
