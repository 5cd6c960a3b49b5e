package pg

import (
	"context"
	"log/slog"
	"time"
)

// Hosts returns what the DB knows of the servers that its configuration names, in the order of the
// configuration. It is nil for a DB that doesn't look at the roles of its servers: one with a
// single host, or with a target_session_attrs that asks for no primary, whose Readers read from the
// same servers as everything else. Hosts asks no server, and is cheap enough for a call every
// second. Any goroutine may call it.
func (db *DB) Hosts() []HostState {
	ro := db.roles
	if ro == nil {
		return nil
	}
	var all []HostState
	ro.mu.Lock()
	for _, n := range ro.nodes {
		s := n.state
		h := HostState{
			Host: n.addr, Role: s.role, Since: n.since, Checked: s.at, Err: s.err, Timeline: s.timeline, LSN: s.lsn,
			Lag: s.lag, LagBytes: s.lagBytes, Fit: n.fit, Reads: n.reads.Load(), Conflicts: n.conflicts.Load(),
		}
		all = append(all, h)
	}
	ro.mu.Unlock()
	count := func(s *line, into func(*HostState)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			for i, n := range ro.nodes {
				if c.w.node == n {
					into(&all[i])
				}
			}
		}
	}
	for _, s := range db.allLanes() {
		count(&s.line, func(h *HostState) { h.Lanes++ })
	}
	for _, s := range db.pool.list() {
		count(s, func(h *HostState) { h.Sessions++ })
	}
	return all
}

// readerStats adds the figures of Readers' reads on standbys.
func (ro *roles) readerStats(st Stats) Stats {
	for _, n := range ro.nodes {
		one := n.readers.laneStats()
		if one.Connects == 0 {
			one.MaxLanes = 0 // the lanes to a primary are never opened
		}
		st = st.plus(one)
		st.Conflicts += n.conflicts.Load()
	}
	st.Repeats, st.ToPrimary, st.TokenWaits = ro.repeats.Load(), ro.toPrimary.Load(), ro.tokenWaits.Load()
	st.TokenWaitTime = time.Duration(ro.tokenWaitTime.Load())
	return st
}

// plus returns the sum of the figures of two kinds of lanes.
func (st Stats) plus(o Stats) Stats {
	for _, n := range []struct {
		into *int
		more int
	}{
		{&st.Lanes, o.Lanes}, {&st.MaxLanes, o.MaxLanes}, {&st.RetiringLanes, o.RetiringLanes}, {&st.Connecting, o.Connecting},
		{&st.InFlight, o.InFlight}, {&st.Queued, o.Queued},
	} {
		*n.into += n.more
	}
	for _, n := range []struct {
		into *uint64
		more uint64
	}{
		{&st.Statements, o.Statements}, {&st.Waits, o.Waits}, {&st.Writes, o.Writes}, {&st.Syncs, o.Syncs}, {&st.Skipped, o.Skipped},
		{&st.Dropped, o.Dropped}, {&st.Abandoned, o.Abandoned}, {&st.Cancels, o.Cancels}, {&st.StrayCancels, o.StrayCancels},
		{&st.Retries, o.Retries}, {&st.Reprepared, o.Reprepared}, {&st.Connects, o.Connects}, {&st.ConnectErrors, o.ConnectErrors},
		{&st.Lost, o.Lost}, {&st.Silent, o.Silent}, {&st.Poisoned, o.Poisoned}, {&st.LifetimeClosed, o.LifetimeClosed}, {&st.IdleClosed, o.IdleClosed},
	} {
		*n.into += n.more
	}
	st.WaitTime += o.WaitTime
	st.Depth = max(st.Depth, o.Depth)
	return st
}

// TraceRoleChange implements RoleTracer. It logs a server that is gone as a warning, and any other
// change as information.
func (l *LogTracer) TraceRoleChange(ctx context.Context, change RoleChange) {
	attrs := []slog.Attr{slog.String("host", change.Host), slog.String("from", string(change.From)), slog.String("to", string(change.To))}
	level := slog.LevelInfo
	if change.Timeline > 0 {
		attrs = append(attrs, slog.Uint64("timeline", uint64(change.Timeline)))
	}
	if change.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("err", change.Err))
	}
	l.Logger.LogAttrs(ctx, level, "role of a server", attrs...)
}
