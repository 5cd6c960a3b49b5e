package backend_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// brief is SQLite's dialect with an Inspector that says less than SQLite's.
type brief struct{ sqlite.Dialect }

func (brief) Name() string { return "brief" }

// Tables leaves out the tables of the application's migrations.
func (brief) Tables(ctx context.Context, ask backend.Ask, _ string) ([]string, error) {
	rows, err := ask(ctx, "select name from sqlite_master where type = 'table' and name not like 'migration%' order by name", nil)
	return backend.Names(rows), err
}

func (brief) Views(ctx context.Context, ask backend.Ask, schema string) ([]backend.View, error) {
	rows, err := ask(ctx, "select name, sql from sqlite_master where type = 'view' order by name", nil)
	var views []backend.View
	for _, r := range rows {
		views = append(views, backend.View{Schema: schema, Name: r.Text("name"), Definition: r.Text("sql")})
	}
	return views, err
}

// Table asks one question for each part of the description. The parts are below.
func (brief) Table(ctx context.Context, ask backend.Ask, schema, name string) (*backend.Table, error) {
	t := &backend.Table{Schema: schema, Name: name}
	for _, part := range []struct {
		query string
		add   func(t *backend.Table, row backend.Facts)
	}{
		{"select * from pragma_table_info(:t) order by cid", addColumn},
		{"select name from pragma_table_info(:t) where pk > 0 order by pk", addKey},
		{"select * from pragma_foreign_key_list(:t) order by id, seq", addForeignKey},
		{"select * from pragma_index_list(:t) where origin = 'c' order by name", addIndex},
		{`select l.name as belongs, p.name as name, p."desc" as down from pragma_index_list(:t) l, pragma_index_xinfo(l.name) p where p.key order by p.seqno`, addIndexPart},
		{"select * from checks where tab = :t order by name", addCheck},
	} {
		rows, err := ask(ctx, part.query, map[string]any{"t": name})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			part.add(t, r)
		}
	}
	if len(t.Columns) == 0 {
		return nil, nil // there is no such table
	}
	return t, nil
}

var _ backend.Inspector = brief{}

func addColumn(t *backend.Table, row backend.Facts) {
	t.Columns = append(t.Columns, backend.TableColumn{
		Name: row.Text("name"), Type: row.Text("type"), Nullable: !row.Is("notnull"), Default: row.Text("dflt_value"),
	})
}

func addKey(t *backend.Table, row backend.Facts) {
	if t.PrimaryKey == nil {
		t.PrimaryKey = &backend.Key{} // SQLite doesn't tell its name
	}
	t.PrimaryKey.Columns = append(t.PrimaryKey.Columns, row.Text("name"))
}

// addForeignKey gets a row for each column of a foreign key.
func addForeignKey(t *backend.Table, row backend.Facts) {
	if row.Int("seq") == 0 {
		t.ForeignKeys = append(t.ForeignKeys, backend.ForeignKey{
			RefSchema: t.Schema, RefTable: row.Text("table"), OnUpdate: row.Text("on_update"), OnDelete: row.Text("on_delete"),
		})
	}
	f := &t.ForeignKeys[len(t.ForeignKeys)-1]
	f.Columns = append(f.Columns, row.Text("from"))
	f.RefColumns = append(f.RefColumns, row.Text("to"))
}

func addIndex(t *backend.Table, row backend.Facts) {
	t.Indexes = append(t.Indexes, backend.Index{Name: row.Text("name"), Unique: row.Is("unique")})
}

func addIndexPart(t *backend.Table, row backend.Facts) {
	for i := range t.Indexes {
		if t.Indexes[i].Name == row.Text("belongs") {
			part := backend.IndexPart{Column: row.Text("name"), Desc: row.Is("down")}
			t.Indexes[i].Parts = append(t.Indexes[i].Parts, part)
		}
	}
}

// addCheck reads a table of the application: SQLite shows its checks only in the text of the table.
func addCheck(t *backend.Table, row backend.Facts) {
	t.Checks = append(t.Checks, backend.Check{Name: row.Text("name"), Expression: row.Text("expression")})
}

// openBrief opens an Engine with tables, one of which belongs to the migrations.
func openBrief(ctx context.Context) *db.Engine {
	e := open(ctx, brief{})
	_, err := e.Exec(ctx, `
		create table migrations(number integer);
		create table users(id integer primary key, name text not null default 'ada');
		create table rights(owner integer, thing text, primary key(owner, thing), foreign key(owner) references users(id) on delete cascade);
		create index by_thing on rights(thing desc, owner);
		create view owners as select distinct owner from rights;
		create table checks(tab text, name text, expression text);
		insert into checks values ('rights', 'named', 'length(thing) > 0')`)
	if err != nil {
		log.Fatal(err)
	}
	return e
}

// rights returns the description of the table rights.
func rights(ctx context.Context, e *db.Engine) *backend.Table {
	t, err := db.Inspect(e).Table(ctx, "", "rights")
	if err != nil {
		log.Fatal(err)
	}
	return t
}

// The tables of the migrations are hidden.
func ExampleInspector() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	fmt.Println(db.Inspect(e).Tables(ctx, ""))
	// Output: [checks rights users] <nil>
}

// Any function can answer what an Inspector asks. So its methods can be tested without a database.
func ExampleAsk() {
	var ask backend.Ask = func(_ context.Context, query string, args map[string]any) ([]backend.Facts, error) {
		fmt.Println(query, args)
		return []backend.Facts{{"name": "orders"}, {"name": "users"}}, nil
	}
	fmt.Println(brief{}.Tables(context.Background(), ask, "main"))
	// Output:
	// select name from sqlite_master where type = 'table' and name not like 'migration%' order by name map[]
	// [orders users] <nil>
}

// Facts read values whatever the driver's types are, and NULL as the zero value.
func ExampleFacts() {
	row := backend.Facts{"name": "id", "pk": int64(1), "notnull": true, "dflt_value": nil}
	fmt.Println(row.Text("name"), row.Int("pk"), row.Is("notnull"))
	fmt.Printf("%q %q\n", row.Text("dflt_value"), row.Text("missing"))
	// Output:
	// id 1 true
	// "" ""
}

func ExampleTable() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	t := rights(ctx, e)
	fmt.Println(t.Schema, t.Name, len(t.Columns), t.Column("thing").Type)
	_, err := db.Inspect(e).Table(ctx, "", "wrongs")
	fmt.Println(err)
	// Output:
	// main rights 2 TEXT
	// db: inspect: there is no table or view "wrongs" in the schema "main"
}

func ExampleTableColumn() {
	t := &backend.Table{Name: "users"}
	addColumn(t, backend.Facts{"name": "name", "type": "TEXT", "notnull": int64(1), "dflt_value": "'ada'"})
	for _, c := range t.Columns {
		fmt.Println(c.Name, c.Type, c.Nullable, c.Default)
	}
	// Output: name TEXT false 'ada'
}

// A Key has its columns in their order, which isn't always that of the table.
func ExampleKey() {
	t := &backend.Table{Name: "rights"}
	addKey(t, backend.Facts{"name": "owner"})
	addKey(t, backend.Facts{"name": "thing"})
	fmt.Printf("%q %v\n", t.PrimaryKey.Name, t.PrimaryKey.Columns)
	// Output: "" [owner thing]
}

func ExampleForeignKey() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	for _, f := range rights(ctx, e).ForeignKeys {
		fmt.Println(f.Columns, "refer to", f.RefTable, f.RefColumns, "on delete", f.OnDelete)
	}
	// Output: [owner] refer to users [id] on delete CASCADE
}

func ExampleCheck() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	for _, c := range rights(ctx, e).Checks {
		fmt.Println(c.Name, c.Expression)
	}
	// Output: named length(thing) > 0
}

func ExampleIndex() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	for _, i := range rights(ctx, e).Indexes {
		fmt.Println(i.Name, i.Unique, len(i.Parts))
	}
	// Output: by_thing false 2
}

// A part is a column or an expression.
func ExampleIndexPart() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	for _, p := range rights(ctx, e).Indexes[0].Parts {
		fmt.Println(p.Column, p.Desc, p.Expression == "")
	}
	// Output:
	// thing true true
	// owner false true
}

func ExampleView() {
	ctx := context.Background()
	e := openBrief(ctx)
	defer e.Close(ctx)
	views, err := db.Inspect(e).Views(ctx, "")
	for _, v := range views {
		fmt.Println(v.Name, v.Definition)
	}
	fmt.Println(err)
	// Output:
	// owners CREATE VIEW owners as select distinct owner from rights
	// <nil>
}
