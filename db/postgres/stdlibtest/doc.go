// Package stdlibtest tests that PostgreSQL through a plain database/sql driver, pgx's, keeps what
// package db promises. It is a module of its own:
//
//	cd db/postgres/stdlibtest && go test .
package stdlibtest
