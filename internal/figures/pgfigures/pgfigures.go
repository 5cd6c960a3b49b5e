// Package pgfigures has the figures of pg.Stats.
package pgfigures

import (
	"time"

	"github.com/seed1239206e/repaint/internal/figures"
	"github.com/seed1239206e/repaint/pg"
)

func now(name, unit, text string, of func(pg.Stats) int) figures.Figure[pg.Stats] {
	return figures.Figure[pg.Stats]{Name: name, Unit: unit, Text: text, Measure: func(s pg.Stats) float64 { return float64(of(s)) }}
}

func counter(name, unit, text string, of func(pg.Stats) uint64) figures.Figure[pg.Stats] {
	return figures.Figure[pg.Stats]{Name: name, Unit: unit, Text: text, Counts: true, Measure: func(s pg.Stats) float64 { return float64(of(s)) }}
}

func span(name, text string, of func(pg.Stats) time.Duration) figures.Figure[pg.Stats] {
	return figures.Figure[pg.Stats]{Name: name, Unit: "s", Text: text, Counts: true, Measure: func(s pg.Stats) float64 { return of(s).Seconds() }}
}

func labelled(f figures.Figure[pg.Stats], label, value string) figures.Figure[pg.Stats] {
	f.Label, f.Value = label, value
	return f
}

// All are the figures. Those of the pool of connections, in the conventions' names, are of
// sessions.
var All = []figures.Figure[pg.Stats]{
	labelled(now("db.client.connection.count", "{connection}", "Open sessions", func(s pg.Stats) int { return s.IdleSessions }), "state", "idle"),
	labelled(now("db.client.connection.count", "{connection}", "Open sessions", func(s pg.Stats) int { return s.Sessions - s.IdleSessions }), "state", "used"),
	now("db.client.connection.max", "{connection}", "Sessions that there may be", func(s pg.Stats) int { return s.MaxSessions }),
	now("db.client.connection.pending_requests", "{request}", "Callers that wait for a session", func(s pg.Stats) int { return s.Waiting }),
	counter("db.client.connection.timeouts", "{timeout}", "Callers that waited for a session in vain", func(s pg.Stats) uint64 { return s.SessionGiveUps }),
	now("repaint.pg.session.connecting", "{connection}", "Sessions that are being opened", func(s pg.Stats) int { return s.SessionsConnecting }),
	counter("repaint.pg.session.acquires", "{request}", "Callers that asked for a session", func(s pg.Stats) uint64 { return s.SessionAcquires }),
	counter("repaint.pg.session.waits", "{request}", "Callers that had to wait for a session", func(s pg.Stats) uint64 { return s.SessionWaits }),
	span("repaint.pg.session.wait_time", "The sum of their waits", func(s pg.Stats) time.Duration { return s.SessionWaitTime }),
	counter("repaint.pg.session.opened", "{connection}", "Sessions opened", func(s pg.Stats) uint64 { return s.SessionOpens }),
	counter("repaint.pg.session.errors", "{error}", "Sessions that couldn't be opened", func(s pg.Stats) uint64 { return s.SessionConnectErrors }),

	now("repaint.pg.connection.max", "{connection}", "Lanes and sessions that there may be in all", func(s pg.Stats) int { return s.MaxConns }),
	now("repaint.pg.connection.departing", "{connection}", "Connections that were closed, and that the server hasn't ended yet", func(s pg.Stats) int { return s.Departing }),
	now("repaint.pg.lane.count", "{connection}", "Open lanes", func(s pg.Stats) int { return s.Lanes }),
	now("repaint.pg.lane.max", "{connection}", "Lanes that there may be", func(s pg.Stats) int { return s.MaxLanes }),
	now("repaint.pg.lane.retiring", "{connection}", "Lanes that were replaced, and aren't closed yet", func(s pg.Stats) int { return s.RetiringLanes }),
	now("repaint.pg.lane.connecting", "{connection}", "Lanes that are being opened", func(s pg.Stats) int { return s.Connecting }),
	now("repaint.pg.lane.depth", "{statement}", "Statements that a lane may carry at once", func(s pg.Stats) int { return s.Depth }),
	counter("repaint.pg.lane.opened", "{connection}", "Lanes opened", func(s pg.Stats) uint64 { return s.Connects }),
	counter("repaint.pg.lane.errors", "{error}", "Lanes that couldn't be opened", func(s pg.Stats) uint64 { return s.ConnectErrors }),
	counter("repaint.pg.lane.lost", "{connection}", "Lanes that broke or were given up", func(s pg.Stats) uint64 { return s.Lost }),
	counter("repaint.pg.lane.silent", "{connection}", "Of these, those that were silent", func(s pg.Stats) uint64 { return s.Silent }),
	counter("repaint.pg.lane.poisoned", "{connection}", "Lanes closed because a statement left state behind", func(s pg.Stats) uint64 { return s.Poisoned }),

	now("repaint.pg.statement.in_flight", "{statement}", "Statements on lanes", func(s pg.Stats) int { return s.InFlight }),
	now("repaint.pg.statement.queued", "{statement}", "Statements that wait for a lane", func(s pg.Stats) int { return s.Queued }),
	counter("repaint.pg.statement.submitted", "{statement}", "Statements for lanes", func(s pg.Stats) uint64 { return s.Statements }),
	counter("repaint.pg.statement.waits", "{statement}", "Statements that had to wait for a lane", func(s pg.Stats) uint64 { return s.Waits }),
	span("repaint.pg.statement.wait_time", "The sum of their waits", func(s pg.Stats) time.Duration { return s.WaitTime }),
	counter("repaint.pg.statement.writes", "{call}", "System calls that wrote to lanes", func(s pg.Stats) uint64 { return s.Writes }),
	counter("repaint.pg.statement.syncs", "{sync}", "Syncs that were answered", func(s pg.Stats) uint64 { return s.Syncs }),
	counter("repaint.pg.statement.skipped", "{statement}", "Statements of a Reader that were sent again after another one's failure", func(s pg.Stats) uint64 { return s.Skipped }),
	counter("repaint.pg.statement.dropped", "{statement}", "Statements given up before they were sent", func(s pg.Stats) uint64 { return s.Dropped }),
	counter("repaint.pg.statement.abandoned", "{statement}", "Statements given up after they were sent", func(s pg.Stats) uint64 { return s.Abandoned }),
	counter("repaint.pg.statement.cancels", "{request}", "Requests to cancel a statement", func(s pg.Stats) uint64 { return s.Cancels }),
	counter("repaint.pg.statement.stray_cancels", "{statement}", "Statements that another one's cancel hit, and that were sent again", func(s pg.Stats) uint64 { return s.StrayCancels }),
	counter("repaint.pg.statement.retries", "{statement}", "Statements that were sent again", func(s pg.Stats) uint64 { return s.Retries }),
	counter("repaint.pg.statement.reprepared", "{statement}", "Statements that were prepared anew", func(s pg.Stats) uint64 { return s.Reprepared }),

	counter("repaint.pg.read.conflicts", "{statement}", "Reads that a standby cancelled for its replay", func(s pg.Stats) uint64 { return s.Conflicts }),
	counter("repaint.pg.read.repeats", "{statement}", "Reads that were sent to another server", func(s pg.Stats) uint64 { return s.Repeats }),
	counter("repaint.pg.read.to_primary", "{statement}", "Reads that went to the primary because no standby was fit", func(s pg.Stats) uint64 { return s.ToPrimary }),
	counter("repaint.pg.read.token_waits", "{statement}", "Reads that waited for a standby to come as far as their token", func(s pg.Stats) uint64 { return s.TokenWaits }),
	span("repaint.pg.read.token_wait_time", "The sum of their waits", func(s pg.Stats) time.Duration { return s.TokenWaitTime }),

	labelled(counter("repaint.pg.connection.closed", "{connection}", "Lanes and sessions closed", func(s pg.Stats) uint64 { return s.LifetimeClosed }), "reason", "lifetime"),
	labelled(counter("repaint.pg.connection.closed", "{connection}", "Lanes and sessions closed", func(s pg.Stats) uint64 { return s.IdleClosed }), "reason", "idle"),
	labelled(counter("repaint.pg.connection.closed", "{connection}", "Lanes and sessions closed", func(s pg.Stats) uint64 { return s.Yielded }), "reason", "yielded"),
}
