package mysql

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

var _ backend.Inspector = Dialect{}

// Schemas returns the names of the databases, without the server's own.
func (Dialect) Schemas(ctx context.Context, ask backend.Ask) ([]string, error) {
	rows, err := ask(ctx, `select schema_name as name from information_schema.schemata
		where schema_name not in ('information_schema', 'mysql', 'performance_schema', 'sys') order by 1`, nil)
	return backend.Names(rows), err
}

// DefaultSchema returns the name of the database in use.
func (Dialect) DefaultSchema(ctx context.Context, ask backend.Ask) (string, error) {
	rows, err := ask(ctx, "select database() as name", nil)
	if err != nil {
		return "", err
	}
	return rows[0].Text("name"), nil
}

// Tables returns the names of a database's tables.
func (Dialect) Tables(ctx context.Context, ask backend.Ask, schema string) ([]string, error) {
	rows, err := ask(ctx, `select table_name as name from information_schema.tables
		where table_schema = :s and table_type in ('BASE TABLE', 'SYSTEM VERSIONED') order by 1`, map[string]any{"s": schema})
	return backend.Names(rows), err
}

// Views returns a database's views.
func (Dialect) Views(ctx context.Context, ask backend.Ask, schema string) ([]backend.View, error) {
	rows, err := ask(ctx, `select table_name as name, view_definition as definition from information_schema.views
		where table_schema = :s order by 1`, map[string]any{"s": schema})
	views := make([]backend.View, len(rows))
	for i, r := range rows {
		views[i] = backend.View{Schema: schema, Name: r.Text("name"), Definition: r.Text("definition")}
	}
	return views, err
}

// Table describes a table or view. It returns nil if there is none of that name.
func (Dialect) Table(ctx context.Context, ask backend.Ask, schema, name string) (*backend.Table, error) {
	at := map[string]any{"s": schema, "t": name}
	found, err := ask(ctx, `select table_name as name, table_type as kind, table_comment as comment, version() as version
		from information_schema.tables where table_schema = :s and table_name = :t`, at)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	t := &backend.Table{Schema: schema, Name: found[0].Text("name")}
	if found[0].Text("kind") != "VIEW" { // a view's comment is "VIEW"
		t.Comment = found[0].Text("comment")
	}
	mariadb, _, _ := version(found[0].Text("version"))
	if err := columnsOf(ctx, ask, t, at); err != nil {
		return nil, err
	}
	if err := indexesOf(ctx, ask, t, at); err != nil {
		return nil, err
	}
	if err := foreignKeysOf(ctx, ask, t, at); err != nil {
		return nil, err
	}
	return t, checksOf(ctx, ask, t, at, mariadb)
}

func columnsOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	rows, err := ask(ctx, `select column_name as name, column_type as type, is_nullable as nullable, column_default as preset, extra as extra,
			generation_expression as expression, column_comment as comment
		from information_schema.columns where table_schema = :s and table_name = :t order by ordinal_position`, at)
	for _, r := range rows {
		extra := strings.ToLower(r.Text("extra"))
		c := backend.TableColumn{
			Name: r.Text("name"), Type: r.Text("type"), Nullable: r.Text("nullable") == "YES", Comment: r.Text("comment"),
			AutoIncrement: strings.Contains(extra, "auto_increment"), Generated: r.Text("expression"), Stored: strings.Contains(extra, "stored generated"),
		}
		if preset := r.Text("preset"); c.Generated == "" && preset != "NULL" { // MariaDB writes NULL for no default
			c.Default = preset
		}
		t.Columns = append(t.Columns, c)
	}
	return err
}

// indexesOf reads the primary key, the indexes, and the unique constraints, which are unique
// indexes.
func indexesOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	// MySQL has a column for expressions; MariaDB doesn't.
	rows, err := ask(ctx, "select * from information_schema.statistics where table_schema = :s and table_name = :t order by index_name, seq_in_index", at)
	for _, r := range rows {
		name := r.Text("index_name")
		part := backend.IndexPart{Column: r.Text("column_name"), Expression: r.Text("expression"), Desc: r.Text("collation") == "D"}
		if name == "PRIMARY" {
			if t.PrimaryKey == nil {
				t.PrimaryKey = &backend.Key{Name: name}
			}
			t.PrimaryKey.Columns = append(t.PrimaryKey.Columns, part.Column)
			continue
		}
		n := len(t.Indexes)
		if n == 0 || t.Indexes[n-1].Name != name {
			unique := !r.Is("non_unique")
			t.Indexes = append(t.Indexes, backend.Index{Name: name, Unique: unique, Constraint: unique})
			n++
		}
		t.Indexes[n-1].Parts = append(t.Indexes[n-1].Parts, part)
	}
	for i, index := range t.Indexes {
		if !index.Unique {
			continue
		}
		if slices.ContainsFunc(index.Parts, func(p backend.IndexPart) bool { return p.Column == "" }) {
			t.Indexes[i].Constraint = false
			continue
		}
		key := backend.Key{Name: index.Name}
		for _, p := range index.Parts {
			key.Columns = append(key.Columns, p.Column)
		}
		t.Unique = append(t.Unique, key)
	}
	return err
}

func foreignKeysOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	rows, err := ask(ctx, `select k.constraint_name as name, k.column_name as col, k.referenced_table_schema as refschema, k.referenced_table_name as reftable,
			k.referenced_column_name as refcol, r.update_rule as onupdate, r.delete_rule as ondelete
		from information_schema.key_column_usage k join information_schema.referential_constraints r
			on r.constraint_schema = k.constraint_schema and r.constraint_name = k.constraint_name and r.table_name = k.table_name
		where k.table_schema = :s and k.table_name = :t and k.referenced_table_name is not null order by 1, k.ordinal_position`, at)
	for _, r := range rows {
		n := len(t.ForeignKeys)
		if n == 0 || t.ForeignKeys[n-1].Name != r.Text("name") {
			t.ForeignKeys = append(t.ForeignKeys, backend.ForeignKey{Name: r.Text("name"), RefSchema: r.Text("refschema"), RefTable: r.Text("reftable"),
				OnUpdate: r.Text("onupdate"), OnDelete: r.Text("ondelete")})
			n++
		}
		f := &t.ForeignKeys[n-1]
		f.Columns, f.RefColumns = append(f.Columns, r.Text("col")), append(f.RefColumns, r.Text("refcol"))
	}
	return err
}

func checksOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any, mariadb bool) error {
	query := `select c.constraint_name as name, c.check_clause as expression from information_schema.check_constraints c
		join information_schema.table_constraints k on k.constraint_schema = c.constraint_schema and k.constraint_name = c.constraint_name
		where k.table_schema = :s and k.table_name = :t and k.constraint_type = 'CHECK' order by 1`
	if mariadb { // MariaDB's names are unique only in a table
		query = `select constraint_name as name, check_clause as expression from information_schema.check_constraints
			where constraint_schema = :s and table_name = :t order by 1`
	}
	rows, err := ask(ctx, query, at)
	if errors.Is(err, backend.ErrUndefined) { // MySQL before 8.0.16 has no check constraints
		return nil
	}
	for _, r := range rows {
		t.Checks = append(t.Checks, backend.Check{Name: r.Text("name"), Expression: r.Text("expression")})
	}
	return err
}
