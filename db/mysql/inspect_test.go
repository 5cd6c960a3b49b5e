package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestInspectMariaDB(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, _ dbtest.Colour) {
		at := server.Database(t)
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e,
			"create table parent (id int unsigned primary key)",
			"create table t (id bigint unsigned auto_increment primary key comment 'a key', p int unsigned, v int as (p + 1) virtual, e enum('a', 'b') default 'a', "+
				"constraint fk foreign key (p) references parent (id) on delete cascade, constraint ck check (p > 0)) comment 'a table'",
			"create table u (p int, constraint ck check (p > 7))")
		got, err := db.Inspect(e).Table(ctx, "", "t")
		require.NoError(t, err)
		require.Equal(t, &db.Table{
			Schema: at.DBName, Name: "t", Comment: "a table",
			Columns: []db.TableColumn{
				{Name: "id", Type: "bigint(20) unsigned", AutoIncrement: true, Comment: "a key"},
				{Name: "p", Type: "int(10) unsigned", Nullable: true},
				{Name: "v", Type: "int(11)", Nullable: true, Generated: "`p` + 1"},
				{Name: "e", Type: "enum('a','b')", Nullable: true, Default: "'a'"},
			},
			PrimaryKey: &db.Key{Name: "PRIMARY", Columns: []string{"id"}},
			ForeignKeys: []db.ForeignKey{{Name: "fk", Columns: []string{"p"}, RefSchema: at.DBName, RefTable: "parent", RefColumns: []string{"id"},
				OnUpdate: "RESTRICT", OnDelete: "CASCADE"}},
			Checks:  []db.Check{{Name: "ck", Expression: "`p` > 0"}},
			Indexes: []db.Index{{Name: "fk", Parts: []db.IndexPart{{Column: "p"}}}},
		}, got, "the check of the other table isn't one of this")
	})
}
