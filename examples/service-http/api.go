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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/pg"
)

// requestLimit is how long a request may take. After that, its statements are cancelled.
const requestLimit = 10 * time.Second

// maxBody is the largest body in bytes.
const maxBody = 1 << 20

func handler(s *store) http.Handler {
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
		var in struct{ Name string }
		if err := read(r, &in); err != nil {
			return nil, err
		}
		if strings.TrimSpace(in.Name) == "" {
			return nil, invalid("a user needs a name")
		}
		return s.addUser(ctx, in.Name)
	})
	handle("POST /users/{id}/posts", func(ctx context.Context, r *http.Request) (any, error) {
		var in struct{ Title, Text string }
		userID, err := pathID(r)
		if err == nil {
			err = read(r, &in)
		}
		if err != nil {
			return nil, err
		}
		if in.Title == "" {
			return nil, invalid("a post needs a title")
		}
		id, err := s.addPost(ctx, userID, in.Title, in.Text)
		if err != nil {
			return nil, err
		}
		return s.post(ctx, id)
	})
	handle("POST /posts/{id}/comments", func(ctx context.Context, r *http.Request) (any, error) {
		var in struct {
			UserID int64 `json:"user_id"`
			Text   string
		}
		postID, err := pathID(r)
		if err == nil {
			err = read(r, &in)
		}
		if err != nil {
			return nil, err
		}
		id, err := s.addComment(ctx, postID, in.UserID, in.Text)
		return map[string]int64{"id": id}, err
	})
	handle("GET /posts", func(ctx context.Context, r *http.Request) (any, error) { return s.newest(ctx, 100) })
	handle("GET /posts/{id}", func(ctx context.Context, r *http.Request) (any, error) {
		id, err := pathID(r)
		if err != nil {
			return nil, err
		}
		return s.post(ctx, id)
	})
	handle("GET /healthz", func(ctx context.Context, r *http.Request) (any, error) {
		return map[string]bool{"ok": true}, s.healthy(ctx)
	})
	return mux
}

// invalid says what is wrong with a request.
type invalid string

func (e invalid) Error() string { return string(e) }

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

// These are the server's codes for mistakes of clients.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	untranslatable      = "22021" // a zero byte in a text
)

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
	case errors.Is(err, pgx.ErrNoRows):
		return http.StatusNotFound, "not found"
	case errors.As(err, &server) && server.Code == uniqueViolation:
		return http.StatusConflict, "it is there already"
	case errors.As(err, &server) && server.Code == untranslatable:
		return http.StatusBadRequest, "a text has a character that can't be stored"
	case errors.As(err, &server) && server.Code == foreignKeyViolation:
		return http.StatusNotFound, "the post or the user isn't there"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "it took too long"
	}
	return http.StatusInternalServerError, "internal error"
}
