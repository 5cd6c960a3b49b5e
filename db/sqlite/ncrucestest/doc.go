// Package ncrucestest holds the SQLite dialect over github.com/ncruces/go-sqlite3 to the same
// conformance suite as over its own driver.
package ncrucestest
