// Package pgcollector gives the figures of a DB of package pg to Prometheus.
//
//	prometheus.MustRegister(pgcollector.New(conn, "main"))
//
// The metrics are listed, each with its unit and a value to alert on, in docs/guide-deploy.md.
// Those whose names begin with db_client_connection are of sessions.
package pgcollector

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed1239206e/repaint/internal/figures/pgfigures"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/prometheus/internal/collect"
)

// A Source has statistics: a *pg.DB, or a *pg.Reader.
type Source interface{ Stats() pg.Stats }

// New returns a collector of the figures of a DB or a Reader, which have the label pool. It reads
// them when Prometheus asks. Any goroutine may use it.
func New(of Source, pool string) prometheus.Collector {
	return collect.New(of.Stats, pool, pgfigures.All)
}
