package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// A server refuses a write where only reading is allowed. Either the caller has chosen that, or the
// connection leads to a server that isn't the primary any more: a pooler in between has moved it,
// or the server was fenced with default_transaction_read_only. So the refusal is a hint that the
// DB follows at once, whatever kind of statement met it.

// refusedWrite is the SQLSTATE of such a refusal.
const refusedWrite = "25006"

// noteRefusal makes the DB find out whether the connection still leads to the primary: roles look
// at the servers again. A DB without roles that wants a server for writing replaces the connection,
// because opening one is its only way to find out. g is the refused segment, whose answer is
// complete; it is nil if the connection is lent. The caller must hold the mutex.
func (c *conn) noteRefusal(g *segment) {
	of, isLane := c.line.of.(*lanes)
	switch {
	case isLane && of.purpose != forAll, g != nil && g.readsOnly: // the sender's own choice
	case c.w.node != nil:
		c.w.node.of.pokeAll()
	case !c.line.db.config.wantsWriter():
	case isLane:
		c.retiring = true
	default:
		c.line.session().worn = true // its owner may still end the transaction
	}
}

// wantsWriter reports whether each new connection is checked to lead to a server that takes writes.
func (c *Config) wantsWriter() bool {
	validate := c.Conn.ValidateConnect
	return validate != nil && (same(validate, pgconn.ValidateConnectTargetSessionAttrsPrimary) || same(validate, pgconn.ValidateConnectTargetSessionAttrsReadWrite))
}

// refused follows a refusal before the caller learns of it, so that what the caller does next leads
// to the primary. It reports whether the segment itself can be sent there: only one of a lane can.
// It had no effect.
func (s executor) refused(ctx context.Context, g *segment) (moves bool) {
	if g.failure == nil || g.failure.Code != refusedWrite || g.readsOnly || g.conn.w.node == nil {
		return false
	}
	inSession := s.session() != nil
	if !inSession && s.of.(*lanes).purpose != forAll {
		return false
	}
	return s.db.roles.moved(ctx, g.conn.w.node) && !inSession && !g.mayLast() && !g.inTx && !g.stream.delivered()
}

// moved reports whether a server that has refused a write isn't the primary, or isn't the newest
// one. To find out, it waits for a look at every server. If so, the DB leaves the server.
func (ro *roles) moved(ctx context.Context, refused *node) bool {
	ro.lookAgain(ctx)
	now := ro.view.Load().primary
	if now == refused {
		return false // the fault is the caller's, which writes where only reading is allowed
	}
	ro.db.leave(refused, fmt.Errorf("%s isn't the primary any more", refused.addr), false)
	return true
}
