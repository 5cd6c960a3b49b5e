package compat

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	gomysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// onEngines runs a test with GORM on an Engine of each dialect, in a goroutine and in a loop.
func onEngines(t *testing.T, test func(t *testing.T, ctx context.Context, engine *db.Engine, g *gorm.DB), options ...db.Option) {
	urls := map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string {
			return "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "gorm.db"))
		},
		"mysql":    func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL() },
		"postgres": func(t *testing.T) string { return testserver.Postgres(t).Database(t).URL() },
	}
	for dialect, url := range urls {
		run := func(t *testing.T, ctx context.Context) {
			engine, err := db.Open(ctx, url(t), options...)
			require.NoError(t, err)
			defer func() { assert.NoError(t, engine.Close(ctx)) }()
			g, err := gorm.Open(gormDialector(Doors{SQL: engine.SQL(), Dialect: dialect}), &gorm.Config{TranslateError: true, Logger: logger.Discard})
			require.NoError(t, err)
			test(t, ctx, engine, g.WithContext(ctx))
		}
		t.Run(dialect+"/goroutine", func(t *testing.T) { run(t, t.Context()) })
		t.Run(dialect+"/loop", func(t *testing.T) {
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				run(t, ctx)
				return nil
			}))
		})
	}
}

type gormOwner struct {
	ID   uint
	Name string `gorm:"size:50;uniqueIndex:owners_name"`
}

func (gormOwner) TableName() string { return "owners" }

type gormPet struct {
	ID      uint
	OwnerID uint
	Owner   gormOwner
	Age     int `gorm:"check:age > 0"`
}

func (gormPet) TableName() string { return "pets" }

// gormGrown is a later version of gormOwner.
type gormGrown struct {
	ID   uint
	Name string `gorm:"size:80;uniqueIndex:owners_name"`
	More int    `gorm:"default:5;index:owners_more"`
}

func (gormGrown) TableName() string { return "owners" }

// Each dialect's migrator creates tables, finds nothing to do, alters the tables, and again finds
// nothing to do.
func TestGormMigratesOnEngines(t *testing.T) {
	onEngines(t, func(t *testing.T, ctx context.Context, _ *db.Engine, g *gorm.DB) {
		for range 2 {
			require.NoError(t, g.AutoMigrate(&gormOwner{}, &gormPet{}))
		}
		require.NoError(t, g.Create(&gormOwner{Name: "ada"}).Error)
		for range 2 {
			require.NoError(t, g.AutoMigrate(&gormGrown{}))
		}
		var got gormGrown
		require.NoError(t, g.First(&got).Error)
		require.Equal(t, gormGrown{1, "ada", 5}, got)
		m := g.Migrator()
		types, err := m.ColumnTypes(&gormGrown{})
		require.NoError(t, err)
		lengths := map[string]int64{}
		for _, c := range types {
			lengths[c.Name()], _ = c.Length()
		}
		require.Len(t, lengths, 3)
		if g.Dialector.Name() != "sqlite" { // where GORM makes it a text, whatever the size
			require.EqualValues(t, 80, lengths["name"])
		}
		require.True(t, m.HasIndex(&gormGrown{}, "owners_name"))
		require.True(t, m.HasIndex(&gormGrown{}, "owners_more"))
		require.True(t, m.HasConstraint(&gormPet{}, "chk_pets_age"))
		require.True(t, m.HasConstraint(&gormPet{}, "Owner"))
		require.NoError(t, m.DropIndex(&gormGrown{}, "owners_more"))
		require.NoError(t, m.DropColumn(&gormGrown{}, "More"))
		require.False(t, m.HasColumn(&gormGrown{}, "More"))
		tables, err := m.GetTables()
		require.NoError(t, err)
		require.Subset(t, tables, []string{"owners", "pets"})
		require.NoError(t, m.DropTable(&gormPet{}, &gormOwner{}))
		require.False(t, m.HasTable(&gormOwner{}))
	})
}

// GORM finds the codes that it translates in the errors of Engine.SQL. On MySQL it needs the
// driver's own type.
func TestGormTranslatesErrorsOfEngines(t *testing.T) {
	for name, options := range map[string][]db.Option{"errors of db": nil, "of the drivers": {db.DriverErrors()}} {
		t.Run(name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, ctx context.Context, engine *db.Engine, g *gorm.DB) {
				require.NoError(t, g.AutoMigrate(&gormOwner{}, &gormPet{}))
				require.NoError(t, g.Create(&gormOwner{Name: "ada"}).Error)
				mysql, place := engine.Dialect().Name() == "mysql", "?"
				if engine.Dialect().Name() == "postgres" {
					place = "$1"
				}
				_, raw := engine.SQL().ExecContext(ctx, "insert into owners (name) values ("+place+")", "ada")
				require.Error(t, raw)
				require.NotContains(t, raw.Error(), "'ada'")
				if len(options) == 0 {
					require.ErrorIs(t, raw, db.ErrUnique)
					require.ErrorAs(t, raw, new(*db.Error))
				} else if engine.Dialect().Name() == "postgres" {
					refused, is := raw.(*pgconn.PgError)
					require.True(t, is)
					require.Equal(t, "owners_name", refused.ConstraintName)
					require.Empty(t, refused.Detail, "it has the value")
				} else if mysql {
					refused, is := raw.(*gomysql.MySQLError)
					require.True(t, is)
					require.EqualValues(t, 1062, refused.Number)
				}
				if mysql && len(options) == 0 {
					require.ErrorIs(t, g.Create(&gormOwner{Name: "ada"}).Error, db.ErrUnique)
					return
				}
				require.ErrorIs(t, g.Create(&gormOwner{Name: "ada"}).Error, gorm.ErrDuplicatedKey)
				require.ErrorIs(t, g.Create(&gormOwner{ID: 1, Name: "bob"}).Error, gorm.ErrDuplicatedKey)
				require.ErrorIs(t, g.Omit("Owner").Create(&gormPet{OwnerID: 77, Age: 1}).Error, gorm.ErrForeignKeyViolated)
				require.ErrorIs(t, g.Delete(&gormOwner{ID: 2}).Error, nil)
				check := g.Omit("Owner").Create(&gormPet{OwnerID: 1, Age: -1}).Error
				require.Error(t, check)
				if engine.Dialect().Name() == "postgres" { // GORM translates this error only for PostgreSQL
					require.ErrorIs(t, check, gorm.ErrCheckConstraintViolated)
				}
				require.ErrorIs(t, g.Transaction(func(tx *gorm.DB) error {
					return tx.Create(&gormOwner{Name: "ada"}).Error
				}), gorm.ErrDuplicatedKey)
				require.False(t, errors.Is(g.Create(&gormOwner{Name: "cleo"}).Error, gorm.ErrDuplicatedKey))
			}, options...)
		})
	}
}
