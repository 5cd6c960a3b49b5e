package pg

import (
	"io"
	"time"
)

// depart ends the connection, and closes the socket when the server has closed its end, for which
// it waits up to limit. By then the server no longer counts the connection.
func (w *wire) depart(limit time.Duration) {
	_ = w.net.SetDeadline(longAgo) // no goroutine waits for the network any more
	w.closeWrite(limit)
	_ = w.net.SetReadDeadline(time.Now().Add(limit))
	_, _ = io.Copy(io.Discard, w.net)
	_ = w.net.Close()
}

// closeWrite tells the server that nothing more will come.
func (w *wire) closeWrite(limit time.Duration) {
	if c, ok := w.net.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		return
	}
	_ = w.net.SetWriteDeadline(time.Now().Add(limit))
	_, _ = w.net.Write(terminate)
}

// terminate is the message with which a client says goodbye.
var terminate = []byte{'X', 0, 0, 0, 4}

// discard ends a connection that has one of the places, without blocking the caller. It calls then
// when the place is free.
func (db *DB) discard(w *wire, then func()) {
	limit := db.config.CancelTimeout
	if !db.places.counts() {
		limit = 0
	}
	if !db.spawn(func() { w.depart(limit); then() }) {
		_ = w.net.Close()
	}
}

// depart closes the socket of a dead connection that has one of the places. The caller must hold
// the mutex.
func (c *conn) depart() {
	s := c.line
	if o := s.session(); o != nil {
		o.departing++
		s.db.discard(c.w, o.departed)
		return
	}
	s.db.discard(c.w, func() { s.places.leave(1, 0) })
}

// departed notes that the server has ended a connection of the session.
func (s *owned) departed() {
	s.mu.Lock()
	s.departing--
	s.mu.Unlock()
	s.db.pool.vacate(s)
}
