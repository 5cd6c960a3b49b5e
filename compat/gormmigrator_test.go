package compat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed1239206e/repaint/internal/testserver"
)

type gormThing struct {
	ID      uint   `gorm:"primaryKey"`
	Name    string `gorm:"size:50;not null;default:none;index:idx_name"`
	Text    *string
	Price   float64 `gorm:"type:numeric(10,2);check:price > 0;default:1"`
	Small   int8
	Large   uint64 `gorm:"uniqueIndex"`
	Ratio   float32
	Yes     bool `gorm:"default:true"`
	Bytes   []byte
	At      time.Time `gorm:"precision:3"`
	UUID    string    `gorm:"type:uuid;default:gen_random_uuid()"`
	Tags    string    `gorm:"type:text[]"`
	Data    string    `gorm:"type:jsonb;default:'{}'"`
	Deleted gorm.DeletedAt
}

// GORM's migrator sees the same in a table, and makes the same changes, as on pgx.
func TestGormsMigratorSeesTheSame(t *testing.T) {
	see := func(t *testing.T, db *sql.DB) (seen []string) {
		g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{Logger: logger.Discard})
		require.NoError(t, err)
		note := func(format string, args ...any) { seen = append(seen, fmt.Sprintf(format, args...)) }
		m := g.Migrator()
		look := func(step string) {
			types, err := m.ColumnTypes("things")
			require.NoError(t, err)
			for _, c := range types {
				length, hasLength := c.Length()
				precision, scale, hasDecimals := c.DecimalSize()
				nullable, _ := c.Nullable()
				primary, _ := c.PrimaryKey()
				unique, _ := c.Unique()
				def, hasDefault := c.DefaultValue()
				full, _ := c.ColumnType()
				note("%s: %s: %s %s %v %v %v %v %v %v %v %v %v %q %v", step, c.Name(), c.DatabaseTypeName(), full, length, hasLength, precision, scale, hasDecimals, nullable, primary, unique, c.ScanType(), def, hasDefault)
			}
			indexes, err := m.GetIndexes("things")
			require.NoError(t, err)
			var names []string
			for _, i := range indexes {
				unique, _ := i.Unique()
				names = append(names, fmt.Sprint(i.Name(), i.Columns(), unique))
			}
			slices.Sort(names)
			note("%s: %s", step, strings.Join(names, "; "))
		}
		things := g.Table("things")
		require.NoError(t, things.AutoMigrate(&gormThing{}))
		look("made")
		require.NoError(t, g.Table("things").AutoMigrate(&gormThing{}))
		look("unchanged")
		require.NoError(t, g.Exec("insert into things (name, large) values ('a', 1)").Error)
		type changed struct {
			ID    uint
			Name  string  `gorm:"size:80"`
			Price float64 `gorm:"type:numeric(12,3)"`
			More  int     `gorm:"default:5"`
		}
		require.NoError(t, g.Table("things").AutoMigrate(&changed{}))
		look("changed")
		var row map[string]any
		require.NoError(t, g.Table("things").Select("name, price, more, yes, tags, data").Take(&row).Error)
		note("%#v", row)
		require.NoError(t, m.RenameColumn("things", "more", "less"))
		require.NoError(t, m.DropColumn("things", "yes"))
		look("renamed")
		tables, err := m.GetTables()
		require.NoError(t, err)
		note("%v %v %v %s", tables, m.HasTable("things"), m.HasColumn("things", "yes"), m.CurrentDatabase()[:1])
		require.NoError(t, m.RenameTable("things", "others"))
		require.NoError(t, m.DropTable("others"))
		return seen
	}
	theirs, err := sql.Open("pgx", testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer theirs.Close()
	want := see(t, theirs)
	inBothColours(t, func(t *testing.T, _ context.Context, db *sql.DB) { require.Equal(t, want, see(t, db)) })
}
