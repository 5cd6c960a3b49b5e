package sqlite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// Inspect reports what only the text of CREATE TABLE shows, and no pragma.
func TestInspectReadsTheTextOfATable(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, _ dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://")
		dbtest.Exec(t, ctx, e,
			"create table parent(id integer primary key, unique (id))",
			`create table "odd, name" ( -- unique (a)
				"a ""key" text collate nocase constraint named unique default ('check (1)') check (length("a ""key") > 1 /* ) */),
				[b c] integer constraint fk references parent on delete cascade,
				`+"`d`"+` int as ("b c" * 2),
				e int references parent(id),
				constraint pk primary key ("a ""key", [b c]),
				constraint more check ("b c" in (1, 2)), unique ([b c], e)
			) without rowid`,
			"create table n(id integer primary key, v blob)",
			"create table w(id integer primary key) without rowid")
		i := db.Inspect(e)
		odd, err := i.Table(ctx, "", "odd, name")
		require.NoError(t, err)
		require.Equal(t, &db.Key{Name: "pk", Columns: []string{`a "key`, "b c"}}, odd.PrimaryKey)
		require.Equal(t, []db.Key{{Columns: []string{"b c", "e"}}, {Name: "named", Columns: []string{`a "key`}}}, odd.Unique)
		require.Equal(t, []db.Check{{Expression: `length("a ""key") > 1`}, {Name: "more", Expression: `"b c" in (1, 2)`}}, odd.Checks)
		require.Equal(t, []db.ForeignKey{
			{Columns: []string{"e"}, RefSchema: "main", RefTable: "parent", RefColumns: []string{"id"}, OnUpdate: "NO ACTION", OnDelete: "NO ACTION"},
			{Name: "fk", Columns: []string{"b c"}, RefSchema: "main", RefTable: "parent", RefColumns: []string{"id"}, OnUpdate: "NO ACTION", OnDelete: "CASCADE"},
		}, odd.ForeignKeys)
		require.Equal(t, `"b c" * 2`, odd.Column("d").Generated)
		require.False(t, odd.Column("d").Stored)
		require.Equal(t, "'check (1)'", odd.Column(`a "key`).Default)

		for table, auto := range map[string]bool{"n": true, "w": false} {
			got, err := i.Table(ctx, "", table)
			require.NoError(t, err)
			require.Equal(t, auto, got.Column("id").AutoIncrement, table)
		}
	})
}

func TestInspectAnAttachedDatabase(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, _ dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		dbtest.Exec(t, ctx, conn, `attach ':memory:' as "the other"`, `create table "the other".t(a int, b int)`, `create index "the other".i on t (a + b, b desc) where b > 0 -- end`)
		i := db.Inspect(conn)
		schemas, err := i.Schemas(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"main", "the other"}, schemas)
		table, err := i.Table(ctx, "the other", "t")
		require.NoError(t, err)
		require.Equal(t, []db.Index{{Name: "i", Parts: []db.IndexPart{{Expression: "a + b"}, {Column: "b", Desc: true}}, Where: "b > 0"}}, table.Indexes)
		_, err = i.Tables(ctx, "nowhere")
		require.ErrorContains(t, err, `the connection has no schema "nowhere"`)
		_, err = i.Table(ctx, "nowhere", "t")
		require.ErrorIs(t, err, db.ErrUndefinedTable)
	})
}
