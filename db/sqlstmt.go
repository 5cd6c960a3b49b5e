package db

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/seed1239206e/repaint/db/backend"
)

// sqlStmt is a text, as a prepared statement of database/sql.
type sqlStmt struct {
	c     *VirtualConn
	query string
}

var (
	_ driver.StmtExecContext  = (*sqlStmt)(nil)
	_ driver.StmtQueryContext = (*sqlStmt)(nil)
)

func (s *sqlStmt) Close() error { return nil }

// NumInput returns -1, so that database/sql leaves counting the arguments to the database.
func (s *sqlStmt) NumInput() int { return -1 }

func (s *sqlStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.query, args)
}

func (s *sqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.query, args)
}

// Exec and Query implement driver.Stmt. database/sql calls the forms with a context instead.

func (s *sqlStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), numberedValues(args))
}

func (s *sqlStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), numberedValues(args))
}

func numberedValues(args []driver.Value) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, v := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return values
}

// sqlResult is a Result for database/sql.
type sqlResult struct{ r Result }

func (r sqlResult) RowsAffected() (int64, error) { return r.r.RowsAffected(), nil }
func (r sqlResult) LastInsertId() (int64, error) { return r.r.LastInsertID() }

// sqlRows are Rows for database/sql.
type sqlRows struct {
	r Rows
	c *VirtualConn // which counts them as open; nil after Close
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*sqlRows)(nil)
	_ driver.RowsColumnTypeLength           = (*sqlRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*sqlRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*sqlRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*sqlRows)(nil)
)

func (s *sqlRows) Columns() []string { return s.r.Columns() }

func (s *sqlRows) Close() error {
	if s.c != nil {
		s.c.open--
		s.c = nil
	}
	return s.r.Close()
}

func (s *sqlRows) Next(dest []driver.Value) error {
	if !s.r.Next() {
		if err := s.r.Err(); err != nil {
			if s.c != nil {
				err = s.c.asDriver(err)
			}
			return err
		}
		return io.EOF
	}
	row, err := s.r.row("next")
	copy(dest, row)
	return err
}

// column returns what the dialect knows about a column's type.
func (s *sqlRows) column(i int) *backend.ColumnType {
	if i < len(s.r.call.Types) {
		return &s.r.call.Types[i]
	}
	return &backend.ColumnType{}
}

func (s *sqlRows) ColumnTypeDatabaseTypeName(i int) string { return s.r.call.Columns[i].Type }

func (s *sqlRows) ColumnTypeScanType(i int) reflect.Type {
	if t := s.column(i).Scan; t != nil {
		return t
	}
	return reflect.TypeFor[any]()
}

func (s *sqlRows) ColumnTypeLength(i int) (int64, bool) {
	t := s.column(i)
	return t.Length, t.HasLength
}

func (s *sqlRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	t := s.column(i)
	return t.Nullable, t.KnowsNull
}

func (s *sqlRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := s.column(i)
	return t.Precision, t.Scale, t.HasPrecision
}
