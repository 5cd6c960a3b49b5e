package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/seed1239206e/repaint/compat"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

const (
	loopback = "loopback"
	delayed  = "1 ms"
)

var networks = []string{loopback, delayed}

// conns is how many connections to the server each side may have.
const conns = 16

// A server is a PostgreSQL with authors and posts, and a way to it for each network.
type server struct {
	version string
	urls    map[string]string
}

func start(tb testing.TB) *server {
	direct := testserver.Postgres(tb, testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust")).Database(tb)
	for _, text := range []string{
		compat.Schema,
		fmt.Sprintf(`insert into authors (name, tags, scores) select 'old ' || n, '["a", "b"]', '{1,2,3}' from generate_series(1, %d) n`, 2*authors),
		fmt.Sprintf("insert into posts (author_id, title, slug) select a, t, 'post-' || t from generate_series(1, %d) a, unnest('{one,two}'::text[]) t", authors),
		"analyze",
	} {
		direct.MustQuery(tb, text)
	}
	proxy := faultproxy.New(tb, direct.Addr())
	proxy.Delay(500*time.Microsecond, 500*time.Microsecond)
	via := direct
	via.Host, via.Port = proxy.Host(), proxy.Port()
	return &server{direct.MustQuery(tb, "select version()"), map[string]string{loopback: direct.URL(), delayed: via.URL()}}
}

// open opens a library's store on repaint or on pgx.
func (s *server) open(ctx context.Context, l library, onPgx bool, network string) (store compat.Store, closeAll func() error, err error) {
	url := s.urls[network]
	if l.inline {
		url += "&default_query_exec_mode=simple_protocol"
	}
	var d compat.Doors
	var closeDoors func() error
	if onPgx {
		d, closeDoors, err = openPgx(ctx, url)
	} else {
		d, closeDoors, err = openRepaint(url)
	}
	if err != nil {
		return nil, nil, err
	}
	store, err = l.open(d)
	if sqlc, ok := store.(interface{ Prepare(context.Context) error }); err == nil && ok {
		err = sqlc.Prepare(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeDoors())
	}
	return store, func() error {
		if store, ok := store.(io.Closer); ok {
			err = store.Close()
		}
		return errors.Join(err, closeDoors())
	}, nil
}

func openRepaint(url string) (compat.Doors, func() error, error) {
	under, err := pg.Open(fmt.Sprintf("%s&pool_max_conns=%d", url, conns))
	if err != nil {
		return compat.Doors{}, nil, err
	}
	pool := stdlib.OpenDB(under)
	return compat.Doors{SQL: pool, Pgx: under, Dialect: "postgres"}, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(pool.Close(), under.Close(ctx))
	}, nil
}

// openPgx opens both of pgx's pools, because a store uses only one of them.
func openPgx(ctx context.Context, url string) (compat.Doors, func() error, error) {
	pool, err := sql.Open("pgx", url)
	if err != nil {
		return compat.Doors{}, nil, err
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	under, err := pgxpool.New(ctx, fmt.Sprintf("%s&pool_max_conns=%d", url, conns))
	if err != nil {
		return compat.Doors{}, nil, errors.Join(err, pool.Close())
	}
	return compat.Doors{SQL: pool, Pgx: under, Dialect: "postgres"}, func() error { under.Close(); return pool.Close() }, nil
}
