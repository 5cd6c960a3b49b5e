// Package turns decides which caller gets which connection, which caller may write, and when. A
// [Pool] keeps connections, a [Gate] admits one writer at a time, and [Turns] takes from both in
// one order. A [Job] is work for which no greenlet or goroutine of its own waits: the goroutine
// that has a connection does one job after the other. The package knows nothing of statements and
// transactions.
//
// A Pool, a Gate and Turns are safe for use by several goroutines; a [Conn] and a Job belong to one
// caller at a time.
package turns
