package compat

import (
	"context"
	"database/sql/driver"

	"github.com/lib/pq"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

type gormAuthor struct {
	ID     int64
	Name   string     `gorm:"size:100;uniqueIndex"`
	Tags   gormTags   `gorm:"serializer:json"`
	Scores gormScores `gorm:"not null"`
	Posts  []gormPost `gorm:"foreignKey:AuthorID;constraint:OnDelete:CASCADE"`
}

type gormTags []string

// GormDBDataType implements migrator.GormDataTypeInterface.
func (gormTags) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return map[string]string{"postgres": "jsonb", "mysql": "json", "sqlite": "text"}[db.Name()]
}

type gormScores []int64

// GormDataType implements schema.GormDataTypeInterface.
func (gormScores) GormDataType() string { return "scores" }

// Value implements driver.Valuer.
func (s gormScores) Value() (driver.Value, error) { return pq.Int64Array(s).Value() }

// Scan implements sql.Scanner.
func (s *gormScores) Scan(src any) error { return (*pq.Int64Array)(s).Scan(src) }

// GormDBDataType implements migrator.GormDataTypeInterface.
func (gormScores) GormDBDataType(db *gorm.DB, _ *schema.Field) string {
	return map[string]string{"postgres": "bigint[]", "mysql": "text", "sqlite": "text"}[db.Name()]
}

func (gormAuthor) TableName() string { return "authors" }

type gormPost struct {
	ID       int64
	AuthorID int64 `gorm:"index"`
	Title    string
	Slug     string `gorm:"not null"`
}

func (gormPost) TableName() string { return "posts" }

// BeforeCreate is one of GORM's hooks.
func (p *gormPost) BeforeCreate(*gorm.DB) error {
	p.Slug = slug(p.Title)
	return nil
}

type gormStore struct{ db *gorm.DB }

// Gorm returns a store that uses GORM.
func Gorm(d Doors) (Store, error) { return openGorm(d, &gorm.Config{}) }

// GormThatPrepares returns a store that uses GORM with its cache of prepared statements.
func GormThatPrepares(d Doors) (Store, error) {
	return openGorm(d, &gorm.Config{PrepareStmt: true, PrepareStmtMaxSize: 50})
}

func openGorm(d Doors, config *gorm.Config) (Store, error) {
	config.Logger, config.TranslateError = logger.Discard, true
	g, err := gorm.Open(gormDialector(d), config)
	return gormStore{g}, err
}

func gormDialector(d Doors) gorm.Dialector {
	switch d.Dialect {
	case "mysql":
		return mysql.New(mysql.Config{Conn: d.SQL})
	case "sqlite":
		return sqlite.New(sqlite.Config{Conn: d.SQL})
	}
	return postgres.New(postgres.Config{Conn: d.SQL})
}

func (s gormStore) Migrate(ctx context.Context) error {
	return s.db.WithContext(ctx).AutoMigrate(&gormAuthor{}, &gormPost{})
}

func (s gormStore) Register(ctx context.Context, a Author) (int64, error) {
	row := gormAuthor{Name: a.Name, Tags: a.Tags, Scores: a.Scores}
	for _, p := range a.Posts {
		row.Posts = append(row.Posts, gormPost{Title: p.Title})
	}
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(&row).Error })
	return row.ID, err
}

func (s gormStore) Author(ctx context.Context, id int64) (Author, error) {
	var row gormAuthor
	err := s.db.WithContext(ctx).Preload("Posts", func(tx *gorm.DB) *gorm.DB { return tx.Order("title") }).First(&row, id).Error
	a := Author{Name: row.Name, Tags: row.Tags, Scores: row.Scores}
	for _, p := range row.Posts {
		a.Posts = append(a.Posts, Post{p.Title, p.Slug})
	}
	return a, err
}

func (s gormStore) AddPost(ctx context.Context, author int64, title string) error {
	return s.db.WithContext(ctx).Create(&gormPost{AuthorID: author, Title: title}).Error
}

func (s gormStore) Rename(ctx context.Context, id int64, name string) error {
	return s.db.WithContext(ctx).Model(&gormAuthor{ID: id}).Update("name", name).Error
}

func (s gormStore) Tagged(ctx context.Context, tag string) (int, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&gormAuthor{}).Where(tagged[s.db.Name()], tag).Count(&n).Error
	return int(n), err
}

func (s gormStore) Delete(ctx context.Context, id int64) error {
	return s.db.WithContext(ctx).Delete(&gormAuthor{}, id).Error
}
