// Package sqlc has the schema and the queries from which sqlc generates packages pgxstore, for pgx,
// and sqlstore, for database/sql.
package sqlc

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate
