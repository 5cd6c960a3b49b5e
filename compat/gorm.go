package compat

import (
	"context"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"database/sql"
)

type gormAuthor struct {
	ID    int64
	Name  string     `gorm:"uniqueIndex"`
	Tags  []string   `gorm:"serializer:json;type:jsonb"`
	Posts []gormPost `gorm:"foreignKey:AuthorID;constraint:OnDelete:CASCADE"`
}

func (gormAuthor) TableName() string { return "authors" }

type gormPost struct {
	ID       int64
	AuthorID int64 `gorm:"index"`
	Title    string
	hooked   bool
}

func (gormPost) TableName() string { return "posts" }

// BeforeCreate is one of GORM's hooks.
func (p *gormPost) BeforeCreate(*gorm.DB) error {
	p.hooked = true
	return nil
}

type gormStore struct{ db *gorm.DB }

// Gorm returns a store that uses GORM.
func Gorm(db *sql.DB) (Store, error) { return openGorm(db, &gorm.Config{}) }

// GormThatPrepares returns a store that uses GORM with its cache of prepared statements.
func GormThatPrepares(db *sql.DB) (Store, error) {
	return openGorm(db, &gorm.Config{PrepareStmt: true, PrepareStmtMaxSize: 50})
}

func openGorm(db *sql.DB, config *gorm.Config) (Store, error) {
	config.Logger, config.TranslateError = logger.Discard, true
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), config)
	return gormStore{g}, err
}

func (s gormStore) Migrate(ctx context.Context) error {
	return s.db.WithContext(ctx).AutoMigrate(&gormAuthor{}, &gormPost{})
}

func (s gormStore) Register(ctx context.Context, name string, tags []string, titles ...string) (int64, error) {
	a := gormAuthor{Name: name, Tags: tags}
	for _, t := range titles {
		a.Posts = append(a.Posts, gormPost{Title: t})
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(&a).Error })
	return a.ID, err
}

func (s gormStore) Author(ctx context.Context, id int64) (Author, error) {
	var a gormAuthor
	err := s.db.WithContext(ctx).Preload("Posts", func(tx *gorm.DB) *gorm.DB { return tx.Order("title") }).First(&a, id).Error
	found := Author{Name: a.Name, Tags: a.Tags}
	for _, p := range a.Posts {
		found.Titles = append(found.Titles, p.Title)
	}
	return found, err
}

func (s gormStore) Rename(ctx context.Context, id int64, name string) error {
	return s.db.WithContext(ctx).Model(&gormAuthor{ID: id}).Update("name", name).Error
}

func (s gormStore) Tagged(ctx context.Context, tag string) (int, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&gormAuthor{}).Where("jsonb_exists(tags, ?)", tag).Count(&n).Error
	return int(n), err
}

func (s gormStore) Delete(ctx context.Context, id int64) error {
	return s.db.WithContext(ctx).Delete(&gormAuthor{}, id).Error
}
