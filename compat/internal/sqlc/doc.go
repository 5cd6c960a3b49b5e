// Package sqlc has the schema and the queries from which the tool sqlc generates package pgxstore,
// for pgx, and package sqlstore, for database/sql.
package sqlc

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate
