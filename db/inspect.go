package db

import (
	"context"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

// The types that an [Inspector] returns.
type (
	Table       = backend.Table
	TableColumn = backend.TableColumn
	Key         = backend.Key
	ForeignKey  = backend.ForeignKey
	Check       = backend.Check
	Index       = backend.Index
	IndexPart   = backend.IndexPart
	View        = backend.View
)

// Inspector describes the schemas, tables and views of a database, as SQLAlchemy's Inspector does. It
// asks the database anew each time. Where a method takes a schema, "" is the default schema. On
// MySQL and MariaDB a schema is a database, and on SQLite an attached database.
//
// It may be used as its Querier may: with an Engine, from any number of goroutines at once. Every
// method returns [ErrUnsupported] if the dialect can't describe its database, and [ErrMisuse] for a
// Querier of another package.
type Inspector struct{ q Querier }

// Inspect returns an Inspector that asks through q. A Conn or Tx also sees its temporary tables and
// its changes that aren't committed.
func Inspect(q Querier) Inspector { return Inspector{q} }

// Schemas returns the names of the schemas, without those of the database's own.
func (i Inspector) Schemas(ctx context.Context) ([]string, error) {
	d, err := i.dialect()
	if err != nil {
		return nil, err
	}
	return d.Schemas(ctx, i.ask)
}

// DefaultSchema returns the schema in which the database first looks for a name without one.
func (i Inspector) DefaultSchema(ctx context.Context) (string, error) {
	d, err := i.dialect()
	if err != nil {
		return "", err
	}
	return d.DefaultSchema(ctx, i.ask)
}

// Tables returns the names of a schema's tables, in order.
func (i Inspector) Tables(ctx context.Context, schema string) ([]string, error) {
	d, schema, err := i.in(ctx, schema)
	if err != nil {
		return nil, err
	}
	return d.Tables(ctx, i.ask, schema)
}

// Views returns a schema's views, in the order of their names.
func (i Inspector) Views(ctx context.Context, schema string) ([]View, error) {
	d, schema, err := i.in(ctx, schema)
	if err != nil {
		return nil, err
	}
	return d.Views(ctx, i.ask, schema)
}

// Table describes a table or view. It returns [ErrUndefinedTable] if there is none of that name.
func (i Inspector) Table(ctx context.Context, schema, name string) (*Table, error) {
	d, schema, err := i.in(ctx, schema)
	if err != nil {
		return nil, err
	}
	t, err := d.Table(ctx, i.ask, schema, name)
	if err == nil && t == nil {
		err = fail("inspect", ErrUndefinedTable, "there is no table or view %q in the schema %q", name, schema)
	}
	return t, err
}

// All describes all tables of a schema, but not its views, in the order of their names.
func (i Inspector) All(ctx context.Context, schema string) ([]*Table, error) {
	names, err := i.Tables(ctx, schema)
	if err != nil {
		return nil, err
	}
	all := make([]*Table, len(names))
	for n, name := range names {
		if all[n], err = i.Table(ctx, schema, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (i Inspector) dialect() (backend.Inspector, error) {
	own, ok := i.q.(interface{ engine() *Engine })
	if !ok {
		return nil, misuse("inspect", "can't inspect through a Querier of type %T; pass an Engine, Conn or Tx", i.q)
	}
	d := own.engine().dialect
	inspector, ok := d.(backend.Inspector)
	if !ok {
		return nil, fail("inspect", ErrUnsupported, "the dialect %s can't describe its database", d.Name())
	}
	return inspector, nil
}

// in returns the dialect and the schema, which must exist.
func (i Inspector) in(ctx context.Context, schema string) (backend.Inspector, string, error) {
	d, err := i.dialect()
	if err == nil && schema == "" {
		schema, err = d.DefaultSchema(ctx, i.ask)
	}
	return d, schema, err
}

func (i Inspector) ask(ctx context.Context, query string, args map[string]any) ([]backend.Facts, error) {
	var given []any
	if len(args) > 0 {
		given = []any{args}
	}
	rows, err := i.q.Query(ctx, query, given...)
	if err != nil {
		return nil, err
	}
	var all []backend.Facts
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		facts := make(backend.Facts, len(values))
		for n, name := range rows.Columns() {
			if b, ok := values[n].([]byte); ok {
				values[n] = string(b)
			}
			facts[strings.ToLower(name)] = values[n]
		}
		all = append(all, facts)
	}
	return all, rows.Err()
}
