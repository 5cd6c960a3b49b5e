package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

type client struct {
	t    *testing.T
	base string
	stop func() error
}

// start runs the service on a database of its own.
func start(t *testing.T) (*client, testserver.Target) {
	target := testserver.Postgres(t).Database(t)
	return startOn(t, target), target
}

func startOn(t *testing.T, target testserver.Target) *client {
	leakcheck.Test(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, target.URL()) }()
	c := &client{t: t, base: "http://" + l.Addr().String(), stop: sync.OnceValue(func() error { cancel(); return <-ended })}
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); assert.NoError(t, c.stop()) })
	require.Eventually(t, func() bool { // the listener exists before the tables
		resp, err := http.Get(c.base + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, time.Minute, 10*time.Millisecond)
	return c
}

// call sends a request and reads the answer.
func (c *client) call(method, path, body string, status int, into any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, bytes.NewBufferString(body))
	require.NoError(c.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, status, resp.StatusCode, "%s %s: %s", method, path, text)
	if into != nil {
		require.NoError(c.t, json.Unmarshal(text, into), "%s", text)
	}
}

func TestPostsComeWithAuthorsAndComments(t *testing.T) {
	c, target := start(t)
	var ada, bob user
	c.call("POST", "/users", `{"name": "ada"}`, 201, &ada)
	c.call("POST", "/users", `{"name": "bob"}`, 201, &bob)
	for i := range 20 {
		var p post
		c.call("POST", fmt.Sprintf("/users/%d/posts", []int64{ada.ID, bob.ID}[i%2]), fmt.Sprintf(`{"title": "post %d", "text": "…"}`, i), 201, &p)
		require.Empty(t, p.Comments)
		for j := range i % 3 {
			c.call("POST", fmt.Sprintf("/posts/%d/comments", p.ID), fmt.Sprintf(`{"user_id": %d, "text": "comment %d"}`, ada.ID, j), 201, nil)
		}
	}
	var posts []post
	c.call("GET", "/posts", "", 200, &posts)
	require.Len(t, posts, 20)
	for i, p := range posts {
		n := 19 - i
		assert.Equal(t, fmt.Sprintf("post %d", n), p.Title)
		assert.Equal(t, []string{"ada", "bob"}[n%2], p.Author.Name)
		assert.Equal(t, 10, p.Author.Posts)
		require.Len(t, p.Comments, n%3)
		for j, cm := range p.Comments {
			assert.Equal(t, fmt.Sprintf("comment %d", j), cm.Text)
			assert.Equal(t, "ada", cm.Author.Name)
		}
	}
	var one post
	c.call("GET", fmt.Sprintf("/posts/%d", posts[0].ID), "", 200, &one)
	require.Equal(t, posts[0], one)

	// A list takes three statements, whatever its length.
	db, err := pg.Open(target.URL())
	require.NoError(t, err)
	defer db.Close(context.Background())
	_, err = (&store{db}).newest(t.Context(), 100) // this call prepares the texts
	require.NoError(t, err)
	before := db.Stats().Statements
	got, err := (&store{db}).newest(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, posts[0].Title, got[0].Title)
	require.EqualValues(t, 3, db.Stats().Statements-before)
}

func TestMistakesAreAnswered(t *testing.T) {
	c, _ := start(t)
	var ada user
	c.call("POST", "/users", `{"name": "ada"}`, 201, &ada)
	for _, m := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/users", `{"name": "ada"}`, 409},
		{"POST", "/users", `{"name": " "}`, 400},
		{"POST", "/users", `nonsense`, 400},
		{"POST", "/users", `{"name": "bob"} more`, 400},
		{"POST", "/users", `{"name": "a\u0000b"}`, 400},
		{"POST", "/users", `{"name": "` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"POST", "/users/x/posts", `{"title": "t"}`, 400},
		{"POST", fmt.Sprintf("/users/%d/posts", ada.ID), `{}`, 400},
		{"POST", "/users/1000/posts", `{"title": "t"}`, 404},
		{"POST", "/posts/1000/comments", `{"user_id": 1, "text": "t"}`, 404},
		{"GET", "/posts/1000", "", 404},
		{"GET", "/posts/x", "", 400},
		{"DELETE", "/posts/1", "", 405},
	} {
		if m.status == 405 {
			c.call(m.method, m.path, m.body, m.status, nil)
			continue
		}
		var answer map[string]string
		c.call(m.method, m.path, m.body, m.status, &answer)
		assert.NotEmpty(t, answer["error"], "%s %s", m.method, m.path)
	}
}

// While the database is away, the service says so, and goes on when it is back.
func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	proxy := faultproxy.New(t, target.Addr())
	target.Host, target.Port = proxy.Host(), proxy.Port()
	c := startOn(t, target)
	c.call("POST", "/users", `{"name": "ada"}`, 201, nil)
	proxy.Refuse()
	proxy.Cut()
	for _, path := range []string{"/healthz", "/posts", "/posts/1"} {
		var answer map[string]string
		c.call("GET", path, "", 503, &answer)
		require.Contains(t, answer["error"], "can't be reached")
	}
	c.call("POST", "/users", `{"name": "bob"}`, 503, nil)
	proxy.Admit()
	c.call("GET", "/healthz", "", 200, nil)
	c.call("POST", "/users", `{"name": "bob"}`, 201, nil)
}

// Many clients use the service at once, and no count is lost.
func TestClientsAtTheSameTime(t *testing.T) {
	c, _ := start(t)
	var ada user
	c.call("POST", "/users", `{"name": "ada"}`, 201, &ada)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			resp, err := http.Post(fmt.Sprintf("%s/users/%d/posts", c.base, ada.ID), "application/json", bytes.NewBufferString(fmt.Sprintf(`{"title": "%d"}`, i)))
			if assert.NoError(t, err) {
				resp.Body.Close()
				assert.Equal(t, 201, resp.StatusCode)
			}
		})
	}
	wg.Wait()
	var posts []post
	c.call("GET", "/posts", "", 200, &posts)
	require.Len(t, posts, 50)
	require.Equal(t, 50, posts[0].Author.Posts)
}

// The service answers a running request even after it was told to end.
func TestShutdownWaitsForRequests(t *testing.T) {
	c, target := start(t)
	var ada user
	c.call("POST", "/users", `{"name": "ada"}`, 201, &ada)
	db, err := pg.Open(target.URL())
	require.NoError(t, err)
	defer db.Close(context.Background())
	tx, err := db.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "update users set posts = posts where id = $1", ada.ID) // the request waits for this row
	require.NoError(t, err)
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Post(fmt.Sprintf("%s/users/%d/posts", c.base, ada.ID), "application/json", bytes.NewBufferString(`{"title": "late"}`))
		if !assert.NoError(t, err) {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	require.Eventually(t, func() bool {
		var waiting bool
		err := db.QueryRow(t.Context(), "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())").Scan(&waiting)
		return err == nil && waiting
	}, time.Minute, 5*time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- c.stop() }()
	require.Eventually(t, func() bool { // the service accepts no more requests
		conn, err := net.Dial("tcp", c.base[len("http://"):])
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 201, <-answered)
	require.NoError(t, <-ended)
}

func TestAnUnreachableDatabaseIsReported(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = serve(ctx, l, "postgres://me@127.0.0.1:1/app?connect_timeout=5")
	require.ErrorContains(t, err, "preparing the database")
	require.ErrorContains(t, err, "127.0.0.1")
}
