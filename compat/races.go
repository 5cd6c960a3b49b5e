package compat

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// These are typical races of programs on GORM and sqlx, each wrong and right. The programs know
// nothing of repaint: repainttest.Driver opens the pool under them.

type gormAccount struct {
	Name    string `gorm:"primaryKey"`
	Balance int
}

func (gormAccount) TableName() string { return "accounts" }

// gormWithdrawWrong loses an update: Save writes a balance that may be old, and the transaction
// doesn't prevent that.
func gormWithdrawWrong(ctx context.Context, db *gorm.DB, name string, amount int) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var a gormAccount
		if err := tx.First(&a, "name = ?", name).Error; err != nil {
			return err
		}
		a.Balance -= amount
		return tx.Save(&a).Error
	})
}

// gormWithdrawRight locks the row that it reads.
func gormWithdrawRight(ctx context.Context, db *gorm.DB, name string, amount int) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var a gormAccount
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).First(&a, "name = ?", name).Error; err != nil {
			return err
		}
		a.Balance -= amount
		return tx.Save(&a).Error
	})
}

type gormMember struct {
	ID   int64
	Name string
}

func (gormMember) TableName() string { return "members" }

// gormRegisterWrong finds a member or creates one. Two calls at once create two.
func gormRegisterWrong(ctx context.Context, db *gorm.DB, name string) error {
	return db.WithContext(ctx).Where(gormMember{Name: name}).FirstOrCreate(&gormMember{}).Error
}

// gormRegisterRight lets a unique index decide.
func gormRegisterRight(ctx context.Context, db *gorm.DB, name string) error {
	return db.WithContext(ctx).Table("unique_members").Clauses(clause.OnConflict{DoNothing: true}).Create(&gormMember{Name: name}).Error
}

var errSoldOut = errors.New("sold out")

// sqlxBuyWrong sells more items than there are: two buyers see the last one.
func sqlxBuyWrong(ctx context.Context, db *sqlx.DB, item string) error {
	return sqlxBuy(ctx, db, "select stock from items where name = :name", item)
}

// sqlxBuyRight locks the row on which its decision depends.
func sqlxBuyRight(ctx context.Context, db *sqlx.DB, item string) error {
	return sqlxBuy(ctx, db, "select stock from items where name = :name for update", item)
}

func sqlxBuy(ctx context.Context, db *sqlx.DB, look, item string) error {
	tx, err := db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	named := map[string]any{"name": item}
	query, args, err := db.BindNamed(look, named)
	if err != nil {
		return err
	}
	var stock int
	if err := tx.GetContext(ctx, &stock, query, args...); err != nil {
		return err
	}
	if stock < 1 {
		return errSoldOut
	}
	if _, err := tx.NamedExecContext(ctx, "update items set stock = stock - 1 where name = :name", named); err != nil {
		return err
	}
	return tx.Commit()
}
