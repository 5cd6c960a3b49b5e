// Package sqlbackend makes a [backend.Connector] of a blocking driver, one that is made for
// database/sql. A dialect implements [Driver], of which [Defaults] has most methods, and calls [New]
// or [NewDB].
//
// The driver is called through repaint.Block, once for each statement with all its rows: on the
// caller's goroutine if that is a plain one, on another one if it is in a loop. Prepared statements
// are kept for each connection. Drivers must have the Context forms of driver.Stmt's methods, as all
// that are maintained have.
package sqlbackend
