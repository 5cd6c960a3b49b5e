package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

var _ backend.Inspector = Dialect{}

// Schemas returns the names of the attached databases; the database of the URL is "main".
func (Dialect) Schemas(ctx context.Context, ask backend.Ask) ([]string, error) {
	rows, err := ask(ctx, "select name from pragma_database_list where name <> 'temp' order by seq", nil)
	return backend.Names(rows), err
}

// DefaultSchema returns "main".
func (Dialect) DefaultSchema(context.Context, backend.Ask) (string, error) { return "main", nil }

// master returns the table that lists the contents of a database.
func master(schema string) string { return backend.QuoteName(schema, '"') + ".sqlite_master" }

// Tables returns the names of tables, including virtual ones.
func (Dialect) Tables(ctx context.Context, ask backend.Ask, schema string) ([]string, error) {
	rows, err := ask(ctx, "select name from "+master(schema)+` where type = 'table' and name not like 'sqlite\_%' escape '\' order by name`, nil)
	return backend.Names(rows), about(ctx, ask, schema, err)
}

// about says of an error whether the schema is missing. The database's own error names only its
// catalogue.
func about(ctx context.Context, ask backend.Ask, schema string, err error) error {
	if err == nil {
		return nil
	}
	found, failed := ask(ctx, "select name from pragma_database_list where name = :s collate nocase", map[string]any{"s": schema})
	if failed == nil && len(found) == 0 {
		return fmt.Errorf("the connection has no schema %q, which would be an attached database: %w", schema, err)
	}
	return err
}

// Views returns views.
func (Dialect) Views(ctx context.Context, ask backend.Ask, schema string) ([]backend.View, error) {
	rows, err := ask(ctx, "select name, sql from "+master(schema)+" where type = 'view' order by name", nil)
	views := make([]backend.View, len(rows))
	for i, r := range rows {
		views[i] = backend.View{Schema: schema, Name: r.Text("name"), Definition: readView(r.Text("sql"))}
	}
	return views, about(ctx, ask, schema, err)
}

// Table describes a table or view. It returns nil if there is none of that name.
func (Dialect) Table(ctx context.Context, ask backend.Ask, schema, name string) (*backend.Table, error) {
	at := map[string]any{"s": schema, "t": name}
	found, err := ask(ctx, "select name, type, sql from "+master(schema)+" where type in ('table', 'view') and name = :t collate nocase", map[string]any{"t": name})
	if err != nil || len(found) == 0 {
		return nil, about(ctx, ask, schema, err)
	}
	t := &backend.Table{Schema: schema, Name: found[0].Text("name")}
	text := &tableText{}
	if found[0].Text("type") == "table" {
		text = readTable(found[0].Text("sql"))
	}
	for _, step := range []func(context.Context, backend.Ask, *backend.Table, *tableText, map[string]any) error{columnsOf, foreignKeysOf, indexesOf} {
		if err := step(ctx, ask, t, text, at); err != nil {
			return nil, err
		}
	}
	t.Checks = text.checks
	slices.SortStableFunc(t.Checks, func(a, b backend.Check) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(t.ForeignKeys, func(a, b backend.ForeignKey) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(t.Unique, func(a, b backend.Key) int { return cmp.Compare(a.Name, b.Name) })
	return t, nil
}

// These are the numbers of pragma_table_xinfo for generated columns.
const (
	virtualColumn = 2
	storedColumn  = 3
)

func columnsOf(ctx context.Context, ask backend.Ask, t *backend.Table, text *tableText, at map[string]any) error {
	rows, err := ask(ctx, `select name, type, "notnull" as must, dflt_value as preset, pk, hidden from pragma_table_xinfo(:t, :s) where hidden <> 1 order by cid`, at)
	if err != nil {
		return err
	}
	keys := map[int64]string{}
	for _, r := range rows {
		c := backend.TableColumn{Name: r.Text("name"), Type: r.Text("type"), Nullable: !r.Is("must"), Default: r.Text("preset")}
		if hidden := r.Int("hidden"); hidden == virtualColumn || hidden == storedColumn {
			c.Stored, c.Default = hidden == storedColumn, ""
			for name, expression := range text.generated {
				if strings.EqualFold(name, c.Name) {
					c.Generated = expression
				}
			}
		}
		if n := r.Int("pk"); n > 0 {
			keys[n] = c.Name
		}
		t.Columns = append(t.Columns, c)
	}
	if len(keys) == 0 {
		return nil
	}
	t.PrimaryKey = &backend.Key{Name: text.primaryKey}
	for n := range int64(len(keys)) {
		t.PrimaryKey.Columns = append(t.PrimaryKey.Columns, keys[n+1])
	}
	// A single INTEGER is the row's number, which SQLite generates.
	if c := t.Column(keys[1]); len(keys) == 1 && strings.EqualFold(c.Type, "integer") && !text.withoutRowID {
		c.AutoIncrement, c.Nullable = true, false
	}
	return nil
}

// foreignKeysOf reads the foreign keys. SQLite lists the last one of the text first.
func foreignKeysOf(ctx context.Context, ask backend.Ask, t *backend.Table, text *tableText, at map[string]any) error {
	rows, err := ask(ctx, `select id, "table" as reftable, "from" as col, "to" as refcol, on_update, on_delete from pragma_foreign_key_list(:t, :s) order by id desc, seq`, at)
	if err != nil {
		return err
	}
	last := int64(-1)
	for _, r := range rows {
		if id := r.Int("id"); id != last {
			last = id
			f := backend.ForeignKey{RefSchema: t.Schema, RefTable: r.Text("reftable"), OnUpdate: r.Text("on_update"), OnDelete: r.Text("on_delete")}
			if n := len(t.ForeignKeys); n < len(text.foreignKeys) {
				f.Name = text.foreignKeys[n]
			}
			t.ForeignKeys = append(t.ForeignKeys, f)
		}
		f := &t.ForeignKeys[len(t.ForeignKeys)-1]
		f.Columns = append(f.Columns, r.Text("col"))
		if to := r.Text("refcol"); to != "" {
			f.RefColumns = append(f.RefColumns, to)
		}
	}
	for i := range t.ForeignKeys {
		f := &t.ForeignKeys[i]
		if len(f.RefColumns) > 0 {
			continue
		}
		// A foreign key without columns refers to the primary key.
		keys, err := ask(ctx, "select name from pragma_table_info(:t, :s) where pk > 0 order by pk", map[string]any{"t": f.RefTable, "s": t.Schema})
		if err != nil {
			return err
		}
		f.RefColumns = backend.Names(keys)
	}
	return nil
}

func indexesOf(ctx context.Context, ask backend.Ask, t *backend.Table, text *tableText, at map[string]any) error {
	rows, err := ask(ctx, `select l.name as name, l."unique" as is_unique, l.origin as origin, m.sql as sql, x.name as col, x.cid as cid, x."desc" as is_desc
		from pragma_index_list(:t, :s) l join pragma_index_xinfo(l.name, :s) x left join `+master(t.Schema)+` m on m.type = 'index' and m.name = l.name
		where x.key = 1 and l.origin <> 'pk' order by l.name, x.seqno`, at)
	if err != nil {
		return err
	}
	var parts []string
	for _, r := range rows {
		n := len(t.Indexes)
		if n == 0 || t.Indexes[n-1].Name != r.Text("name") {
			index := backend.Index{Name: r.Text("name"), Unique: r.Is("is_unique"), Constraint: r.Text("origin") == "u"}
			parts, index.Where = readIndex(r.Text("sql"))
			t.Indexes = append(t.Indexes, index)
			n++
		}
		index := &t.Indexes[n-1]
		part := backend.IndexPart{Column: r.Text("col"), Desc: r.Is("is_desc")}
		if at := len(index.Parts); r.Int("cid") == expressionColumn && at < len(parts) {
			part.Expression = parts[at]
		}
		index.Parts = append(index.Parts, part)
	}
	for _, index := range t.Indexes {
		if index.Constraint {
			key := backend.Key{}
			for _, p := range index.Parts {
				key.Columns = append(key.Columns, p.Column)
			}
			key.Name = text.nameOf(key.Columns)
			t.Unique = append(t.Unique, key)
		}
	}
	return nil
}

// expressionColumn is the column number that pragma_index_xinfo gives to an expression.
const expressionColumn = -2
