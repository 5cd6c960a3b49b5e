package postgres

import (
	"context"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

var _ backend.Inspector = Dialect{}

// Schemas returns the names of the schemas, without the server's own.
func (Dialect) Schemas(ctx context.Context, ask backend.Ask) ([]string, error) {
	rows, err := ask(ctx, `select nspname::text as name from pg_catalog.pg_namespace
		where nspname not like 'pg\_%' and nspname <> 'information_schema' order by nspname`, nil)
	return backend.Names(rows), err
}

// DefaultSchema returns the first schema of the search path that exists.
func (Dialect) DefaultSchema(ctx context.Context, ask backend.Ask) (string, error) {
	rows, err := ask(ctx, "select current_schema()::text as name", nil)
	if err != nil {
		return "", err
	}
	return rows[0].Text("name"), nil
}

// Tables returns the names of tables, including partitioned ones.
func (Dialect) Tables(ctx context.Context, ask backend.Ask, schema string) ([]string, error) {
	rows, err := ask(ctx, `select c.relname::text as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = :schema and c.relkind in ('r', 'p') order by c.relname`, map[string]any{"schema": schema})
	return backend.Names(rows), err
}

// Views returns the views, including materialized ones.
func (Dialect) Views(ctx context.Context, ask backend.Ask, schema string) ([]backend.View, error) {
	rows, err := ask(ctx, `select c.relname::text as name, c.relkind = 'm' as materialized, pg_catalog.pg_get_viewdef(c.oid, true) as definition
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = :schema and c.relkind in ('v', 'm') order by c.relname`, map[string]any{"schema": schema})
	views := make([]backend.View, len(rows))
	for i, r := range rows {
		views[i] = backend.View{Schema: schema, Name: r.Text("name"), Materialized: r.Is("materialized"),
			Definition: strings.TrimSuffix(strings.TrimSpace(r.Text("definition")), ";")}
	}
	return views, err
}

// Table describes a table, a view or a foreign table. It returns nil if there is none of that name.
func (Dialect) Table(ctx context.Context, ask backend.Ask, schema, name string) (*backend.Table, error) {
	found, err := ask(ctx, `select c.oid::bigint as oid, pg_catalog.obj_description(c.oid, 'pg_class') as comment
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = :schema and c.relname = :name and c.relkind in ('r', 'p', 'v', 'm', 'f')`, map[string]any{"schema": schema, "name": name})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	t := &backend.Table{Schema: schema, Name: name, Comment: found[0].Text("comment")}
	at := map[string]any{"oid": found[0].Int("oid")}
	for _, step := range []func(context.Context, backend.Ask, *backend.Table, map[string]any) error{columnsOf, constraintsOf, indexesOf} {
		if err := step(ctx, ask, t, at); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func columnsOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	rows, err := ask(ctx, `select a.attname::text as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
			pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression, a.attidentity::text as identity, a.attgenerated::text as generated,
			pg_catalog.col_description(a.attrelid, a.attnum) as comment
		from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
		where a.attrelid = :oid::oid and a.attnum > 0 and not a.attisdropped order by a.attnum`, at)
	for _, r := range rows {
		c := backend.TableColumn{Name: r.Text("name"), Type: r.Text("type"), Nullable: r.Is("nullable"), Comment: r.Text("comment")}
		switch r.Text("identity") {
		case "a":
			c.Identity, c.AutoIncrement = "always", true
		case "d":
			c.Identity, c.AutoIncrement = "by default", true
		}
		switch generated := r.Text("generated"); generated {
		case "":
			c.Default = r.Text("expression")
			c.AutoIncrement = c.AutoIncrement || strings.HasPrefix(c.Default, "nextval(")
		default:
			c.Generated, c.Stored = r.Text("expression"), generated == "s"
		}
		t.Columns = append(t.Columns, c)
	}
	return err
}

// actions maps the letters in PostgreSQL's catalog to the actions of foreign keys.
var actions = map[string]string{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

func constraintsOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	rows, err := ask(ctx, `select c.conname::text as name, c.contype::text as kind, `+columnList("conkey", "conrelid")+` as columns,
			rn.nspname::text as refschema, r.relname::text as reftable, `+columnList("confkey", "confrelid")+` as refcolumns,
			c.confupdtype::text as onupdate, c.confdeltype::text as ondelete, pg_catalog.pg_get_expr(c.conbin, c.conrelid) as expression
		from pg_catalog.pg_constraint c left join pg_catalog.pg_class r on r.oid = c.confrelid left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
		where c.conrelid = :oid::oid and c.contype in ('p', 'u', 'f', 'c') order by c.conname`, at)
	for _, r := range rows {
		key := backend.Key{Name: r.Text("name"), Columns: r.Texts("columns")}
		switch r.Text("kind") {
		case "p":
			t.PrimaryKey = &key
		case "u":
			t.Unique = append(t.Unique, key)
		case "c":
			t.Checks = append(t.Checks, backend.Check{Name: key.Name, Expression: r.Text("expression")})
		case "f":
			t.ForeignKeys = append(t.ForeignKeys, backend.ForeignKey{Name: key.Name, Columns: key.Columns,
				RefSchema: r.Text("refschema"), RefTable: r.Text("reftable"), RefColumns: r.Texts("refcolumns"),
				OnUpdate: actions[r.Text("onupdate")], OnDelete: actions[r.Text("ondelete")]})
		}
	}
	return err
}

// columnList returns SQL for the names of a constraint's columns, whose numbers are in an array.
func columnList(numbers, table string) string {
	return "array(select a.attname::text from unnest(c." + numbers + ") with ordinality k(n, i) join pg_catalog.pg_attribute a on a.attrelid = c." + table + " and a.attnum = k.n order by k.i)"
}

func indexesOf(ctx context.Context, ask backend.Ask, t *backend.Table, at map[string]any) error {
	rows, err := ask(ctx, `select c.relname::text as name, i.indisunique as is_unique, pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) as condition,
			k.n > 0 and i.indkey[k.n - 1] = 0 as is_expression, pg_catalog.pg_get_indexdef(i.indexrelid, k.n, true) as part, a.attname::text as column_name,
			i.indoption[k.n - 1] & 1 = 1 as is_desc, exists(select from pg_catalog.pg_constraint x where x.conindid = i.indexrelid and x.contype = 'u') as of_constraint
		from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid cross join lateral generate_series(1, i.indnkeyatts) k(n)
			left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k.n - 1]
		where i.indrelid = :oid::oid and not i.indisprimary order by c.relname, k.n`, at)
	for _, r := range rows {
		n := len(t.Indexes)
		if n == 0 || t.Indexes[n-1].Name != r.Text("name") {
			t.Indexes = append(t.Indexes, backend.Index{Name: r.Text("name"), Unique: r.Is("is_unique"), Where: r.Text("condition"), Constraint: r.Is("of_constraint")})
			n++
		}
		part := backend.IndexPart{Desc: r.Is("is_desc")}
		if r.Is("is_expression") {
			part.Expression = r.Text("part")
		} else {
			part.Column = r.Text("column_name")
		}
		t.Indexes[n-1].Parts = append(t.Indexes[n-1].Parts, part)
	}
	return err
}
