// Package ncrucestest runs the conformance suite on the SQLite dialect with the driver
// github.com/ncruces/go-sqlite3.
package ncrucestest
