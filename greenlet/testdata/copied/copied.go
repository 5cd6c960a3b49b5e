// Package copied copies what must not be copied: TestVetRefusesCopies runs vet on it.
package copied

import "github.com/seed1239206e/repaint/greenlet"

func greenlets(g *greenlet.Greenlet) greenlet.Greenlet { return *g }

func generators(n *greenlet.Generator[int]) {
	c := *n
	c.Stop()
}

var _, _ = greenlets, generators
