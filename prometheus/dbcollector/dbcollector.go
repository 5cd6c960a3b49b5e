// Package dbcollector gives the figures of an Engine of package db to Prometheus.
//
//	prometheus.MustRegister(dbcollector.New(engine, "main"))
//
// The metrics are listed, each with its unit and a value to alert on, in docs/guide-deploy.md.
package dbcollector

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/figures/dbfigures"
	"github.com/seed1239206e/repaint/prometheus/internal/collect"
)

// New returns a collector of an Engine's figures, which have the label pool. It reads them when
// Prometheus asks. Any goroutine may use it.
func New(of *db.Engine, pool string) prometheus.Collector {
	return collect.New(of.Stats, pool, dbfigures.All)
}
