package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/seed1239206e/repaint/pg"
)

const (
	requestLimit = 10 * time.Second // after that, the request's statements are cancelled
	maxBody      = 1 << 20
)

// invalid says what is wrong with a request.
type invalid string

func (e invalid) Error() string { return string(e) }

func handler(db *gorm.DB) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(ctx context.Context, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
			defer cancel()
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			v, err := fn(ctx, r)
			reply(w, r, v, err)
		})
	}
	handle("POST /users", func(ctx context.Context, r *http.Request) (any, error) {
		var u user
		if err := read(r, &u); err != nil {
			return nil, err
		}
		if strings.TrimSpace(u.Name) == "" {
			return nil, invalid("a user needs a name")
		}
		u = user{Name: u.Name}
		return &u, db.WithContext(ctx).Create(&u).Error
	})
	handle("POST /users/{id}/posts", func(ctx context.Context, r *http.Request) (any, error) {
		var p post
		id, err := readWithID(r, &p)
		if err != nil {
			return nil, err
		}
		if p.Title == "" {
			return nil, invalid("a post needs a title")
		}
		p = post{UserID: id, Title: p.Title, Text: p.Text}
		if err := addPost(ctx, db, &p); err != nil {
			return nil, err
		}
		return &p, complete(ctx, db).First(&p, p.ID).Error
	})
	handle("POST /posts/{id}/comments", func(ctx context.Context, r *http.Request) (any, error) {
		var c comment
		id, err := readWithID(r, &c)
		if err != nil {
			return nil, err
		}
		c = comment{PostID: id, UserID: c.UserID, Text: c.Text}
		return &c, db.WithContext(ctx).Omit("Author").Create(&c).Error
	})
	handle("GET /posts", func(ctx context.Context, r *http.Request) (any, error) {
		posts := []post{}
		return &posts, complete(ctx, db).Order("id desc").Limit(100).Find(&posts).Error
	})
	handle("GET /posts/{id}", func(ctx context.Context, r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		var p post
		return &p, complete(ctx, db).First(&p, id).Error
	})
	handle("GET /healthz", func(ctx context.Context, r *http.Request) (any, error) {
		return map[string]bool{"ok": true}, db.WithContext(ctx).Exec("select 1").Error
	})
	return mux
}

func readWithID(r *http.Request, into any) (id int64, err error) {
	if id, err = pathID(r); err != nil {
		return 0, err
	}
	return id, read(r, into)
}

func read(r *http.Request, into any) error {
	body := json.NewDecoder(r.Body)
	err := body.Decode(into)
	if err == nil && body.More() {
		err = errors.New("something follows its end")
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case err != nil:
		return invalid(fmt.Sprintf("the body must be JSON: %v", err))
	}
	return nil
}

func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, invalid(fmt.Sprintf("%q is no id", r.PathValue("id")))
	}
	return id, nil
}

// reply writes a value, or the client's form of an error.
func reply(w http.ResponseWriter, r *http.Request, v any, err error) {
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
	}
	if err != nil {
		var text string
		status, text = meaning(err)
		if status >= http.StatusInternalServerError {
			log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		v = map[string]string{"error": text}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Printf("%s %s: writing the answer: %v", r.Method, r.URL.Path, err)
	}
}

// untranslatable is PostgreSQL's code for a zero byte in a text.
const untranslatable = "22021"

func meaning(err error) (status int, text string) {
	var bad invalid
	var large *http.MaxBytesError
	var server *pgconn.PgError
	var away *pg.ConnectError
	var lost *pg.LostError
	switch {
	case errors.As(err, &bad):
		return http.StatusBadRequest, string(bad)
	case errors.As(err, &away), errors.As(err, &lost):
		return http.StatusServiceUnavailable, "the database can't be reached at present"
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", large.Limit)
	case errors.Is(err, gorm.ErrRecordNotFound):
		return http.StatusNotFound, "not found"
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return http.StatusConflict, "it is there already"
	case errors.As(err, &server) && server.Code == untranslatable:
		return http.StatusBadRequest, "a text has a character that can't be stored"
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return http.StatusNotFound, "the post or the user isn't there"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "it took too long"
	}
	return http.StatusInternalServerError, "internal error"
}
