package main

import (
	"context"

	"gorm.io/gorm"
)

type user struct {
	ID    int64  `json:"id"`
	Name  string `json:"name" gorm:"uniqueIndex;not null"`
	Posts int    `json:"posts" gorm:"not null;default:0"`
}

func (user) TableName() string { return "users" }

type post struct {
	ID       int64     `json:"id"`
	UserID   int64     `json:"-" gorm:"index"`
	Title    string    `json:"title" gorm:"not null"`
	Text     string    `json:"text" gorm:"not null"`
	Author   user      `json:"author" gorm:"foreignKey:UserID"`
	Comments []comment `json:"comments" gorm:"foreignKey:PostID;constraint:OnDelete:CASCADE"`
}

func (post) TableName() string { return "posts" }

type comment struct {
	ID     int64  `json:"id"`
	PostID int64  `json:"-" gorm:"index"`
	UserID int64  `json:"user_id"`
	Text   string `json:"text" gorm:"not null"`
	Author user   `json:"author" gorm:"foreignKey:UserID"`
}

func (comment) TableName() string { return "comments" }

func migrate(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(ctx).AutoMigrate(&user{}, &post{}, &comment{})
}

// addPost adds a post and counts it, in one transaction.
func addPost(ctx context.Context, db *gorm.DB, p *post) error {
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		counted := tx.Model(&user{ID: p.UserID}).Update("posts", gorm.Expr("posts + 1"))
		switch {
		case counted.Error != nil:
			return counted.Error
		case counted.RowsAffected == 0:
			return gorm.ErrRecordNotFound
		}
		return tx.Omit("Author").Create(p).Error
	})
}

// complete returns a query for posts with authors and comments. It runs four statements, whatever
// the number of posts.
func complete(ctx context.Context, db *gorm.DB) *gorm.DB {
	return db.WithContext(ctx).Preload("Author").
		Preload("Comments", func(tx *gorm.DB) *gorm.DB { return tx.Order("id") }).Preload("Comments.Author")
}
