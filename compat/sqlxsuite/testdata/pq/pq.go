// Package pq replaces lib/pq: it registers repaint's driver under the name that sqlx's tests open.
package pq

import (
	"database/sql"

	"github.com/seed1239206e/repaint/pg/stdlib"
)

func init() { sql.Register("postgres", &stdlib.Driver{}) }
