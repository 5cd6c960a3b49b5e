// Package stdlibtest holds PostgreSQL through a plain driver of database/sql, that of
// pgx, to what package db promises. It is a module of its own:
//
//	cd db/postgres/stdlibtest && go test .
package stdlibtest
