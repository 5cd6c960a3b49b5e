// Package turns decides which caller has which connection, and which may write, and when. A [Pool]
// keeps connections, a [Gate] lets one writer at a time through, and [Turns] takes from both in one
// order. A [Job] is work for which no greenlet or goroutine of its own waits: the goroutine that
// has a connection does one job after the other. The package knows nothing of statements and
// transactions.
package turns
