// Package dbfigures has the figures of db.Stats.
package dbfigures

import (
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/figures"
)

type figure = figures.Figure[db.Stats]

// All are the figures.
var All = []figure{
	{Name: "repaint.db.connection.open", Unit: "{connection}", Text: "Open connections, with those that are being made for a caller", Measure: func(s db.Stats) float64 { return float64(s.Open) }},
	{Name: "db.client.connection.count", Unit: "{connection}", Text: "Open connections", Label: "state", Value: "idle", Measure: func(s db.Stats) float64 { return float64(s.Idle) }},
	{Name: "db.client.connection.count", Unit: "{connection}", Text: "Open connections", Label: "state", Value: "used", Measure: func(s db.Stats) float64 { return float64(s.InUse) }},
	{Name: "db.client.connection.max", Unit: "{connection}", Text: "Connections that there may be", Measure: func(s db.Stats) float64 { return float64(s.MaxOpen) }},
	{Name: "db.client.connection.pending_requests", Unit: "{request}", Text: "Callers that wait for a connection", Measure: func(s db.Stats) float64 { return float64(s.Waiting) }},
	{Name: "db.client.connection.timeouts", Unit: "{timeout}", Text: "Callers that gave up waiting", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Timeouts) }},
	{Name: "repaint.db.connection.waits", Unit: "{request}", Text: "Callers that had to wait", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Waits) }},
	{Name: "repaint.db.connection.wait_time", Unit: "s", Text: "For which callers waited, all together", Counts: true, Measure: func(s db.Stats) float64 { return s.WaitTime.Seconds() }},
	{Name: "repaint.db.connection.opened", Unit: "{connection}", Text: "Connections made", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Connects) }},
	{Name: "repaint.db.connection.errors", Unit: "{error}", Text: "Connections that couldn't be made", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.ConnectErrors) }},
	{Name: "repaint.db.connection.closed", Unit: "{connection}", Text: "Connections closed", Counts: true, Label: "reason", Value: "broken", Measure: func(s db.Stats) float64 { return float64(s.Discarded) }},
	{Name: "repaint.db.connection.closed", Unit: "{connection}", Text: "Connections closed", Counts: true, Label: "reason", Value: "lifetime", Measure: func(s db.Stats) float64 { return float64(s.LifetimeClosed) }},
	{Name: "repaint.db.connection.closed", Unit: "{connection}", Text: "Connections closed", Counts: true, Label: "reason", Value: "idle", Measure: func(s db.Stats) float64 { return float64(s.IdleClosed) }},
	{Name: "repaint.db.lane.count", Unit: "{connection}", Text: "Connections that carry single statements", Measure: func(s db.Stats) float64 { return float64(s.Lanes.Open) }},
	{Name: "repaint.db.lane.pending_requests", Unit: "{request}", Text: "Statements that wait for a lane", Measure: func(s db.Stats) float64 { return float64(s.Lanes.Waiting) }},
	{Name: "repaint.db.connection.acquired", Unit: "{connection}", Text: "Connections given out", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Acquired) }},
	{Name: "repaint.db.connection.leaked", Unit: "{connection}", Text: "Connections of a Conn or Tx that was forgotten", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Leaked) }},
	{Name: "repaint.db.lane.max", Unit: "{connection}", Text: "Lanes that there may be", Measure: func(s db.Stats) float64 { return float64(s.Lanes.Max) }},
	{Name: "repaint.db.lane.running", Unit: "{statement}", Text: "Statements on lanes", Measure: func(s db.Stats) float64 { return float64(s.Lanes.Running) }},
	{Name: "repaint.db.statement.cached", Unit: "{statement}", Text: "Parsed texts that are kept", Measure: func(s db.Stats) float64 { return float64(s.CachedStatements) }},
	{Name: "repaint.db.call.inline", Unit: "{call}", Text: "Calls made in a loop on the spot", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Calls.Inline) }},
	{Name: "repaint.db.call.overlong", Unit: "{call}", Text: "Of these, those that were longer than InlineLimit", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Calls.Overlong) }},
	{Name: "repaint.db.call.refused", Unit: "{call}", Text: "Of these, those that met another process's lock", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Calls.Refused) }},
	{Name: "repaint.db.call.offloaded", Unit: "{call}", Text: "Calls of loops made by another goroutine", Counts: true, Measure: func(s db.Stats) float64 { return float64(s.Calls.Offloaded) }},
	{Name: "repaint.db.call.inline_time", Unit: "s", Text: "For which calls on the spot held the loop", Counts: true, Measure: func(s db.Stats) float64 { return s.Calls.InlineTime.Seconds() }},
}
