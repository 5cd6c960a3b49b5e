// Package sqlbackend turns a blocking database/sql driver into a [backend.Connector]. A dialect
// implements [Driver], most of whose methods it takes from [Defaults], and calls [New] or [NewDB].
//
// The package calls the driver through repaint.Block, once for each statement with all its rows: in
// the caller's goroutine if that is a plain one, and in another one if the caller is a task. Each
// connection keeps its prepared statements. Drivers must have the Context forms of driver.Stmt's
// methods, as all maintained drivers have.
package sqlbackend
