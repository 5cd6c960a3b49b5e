package compat

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/seed1239206e/repaint/db"
)

type gormKept struct {
	ID      uint
	OwnerID uint
	Owner   gormOwner `gorm:"constraint:OnDelete:CASCADE"`
}

func (gormKept) TableName() string { return "pets" }

// On SQLite, GORM alters a column by dropping the table and making a new one. The rows of other
// tables that refer to it must survive that, whose foreign keys say "on delete cascade".
func TestGormAltersATableThatOthersReferTo(t *testing.T) {
	onEngines(t, func(t *testing.T, ctx context.Context, _ *db.Engine, g *gorm.DB) {
		require.NoError(t, g.AutoMigrate(&gormOwner{}, &gormKept{}))
		require.NoError(t, g.Create(&gormKept{Owner: gormOwner{Name: "ada"}}).Error)
		m := g.Migrator()
		require.NoError(t, m.AlterColumn(&gormGrown{}, "Name"))
		require.NoError(t, m.DropConstraint(&gormKept{}, "Owner"))
		require.False(t, m.HasConstraint(&gormKept{}, "Owner"))
		require.NoError(t, m.CreateConstraint(&gormKept{}, "Owner"))
		require.True(t, m.HasConstraint(&gormKept{}, "Owner"))
		var pets int64
		require.NoError(t, g.Model(&gormKept{}).Count(&pets).Error)
		require.EqualValues(t, 1, pets)
		require.ErrorIs(t, g.Omit("Owner").Create(&gormKept{OwnerID: 77}).Error, gorm.ErrForeignKeyViolated)
		require.NoError(t, m.DropTable(&gormOwner{}, &gormKept{}))
	}, db.DriverErrors())
}
