package compat

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// GORM recognises the server's errors by their Go type.
func TestGormTranslatesErrors(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context, db *sql.DB) {
		s, err := Gorm(Doors{SQL: db, Dialect: "postgres"})
		require.NoError(t, err)
		require.NoError(t, s.Migrate(ctx))
		g := s.(gormStore).db.WithContext(ctx)
		require.NoError(t, g.Create(&gormAuthor{Name: "ada", Scores: gormScores{}}).Error)
		require.ErrorIs(t, g.Create(&gormAuthor{Name: "ada", Scores: gormScores{}}).Error, gorm.ErrDuplicatedKey)
		require.ErrorIs(t, g.Create(&gormPost{AuthorID: 1000}).Error, gorm.ErrForeignKeyViolated)
		require.ErrorIs(t, g.Transaction(func(tx *gorm.DB) error {
			return tx.Create(&gormAuthor{Name: "ada", Scores: gormScores{}}).Error
		}), gorm.ErrDuplicatedKey)
	})
}
