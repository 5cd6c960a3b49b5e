package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/pg"
)

const schema = `create table world (id int primary key, randomnumber int not null);
	insert into world select i, 1 + (i * 7919) % 10000 from generate_series(1, 10000) i;
	create table fortune (id int primary key, message text not null);
	insert into fortune select i, 'Fortune ' || i || case i when 11 then ': <script>alert("this is not to run")</script>' else '' end from generate_series(1, 12) i;
	create table items (id int primary key, name text not null, category text not null, price int not null, quantity int not null,
		active bool not null, tags jsonb not null, rating_score int not null, rating_count int not null);
	insert into items select i, 'Item ' || i, 'category ' || i % 10, 1 + i % 500, i % 100, i % 2 = 0, '["fast", "new"]', i % 50, i % 1000 from generate_series(1, 100000) i;
	create index on items (price);
	analyze`

const (
	worlds      = 10_000
	fortunes    = 12
	connections = 16 // to the database

	worldText   = "select id, randomnumber from world where id = $1"
	worldsText  = "select id, randomnumber from world where id = any($1)"
	updateText  = "update world set randomnumber = $2 where id = $1"
	fortuneText = "select id, message from fortune"
	itemsText   = "select id, name, category, price, quantity, active, tags, rating_score, rating_count from items where price between $1 and $2 limit $3"
)

// A World is a row, as JSON shows it.
type World struct {
	ID           int `json:"id"`
	RandomNumber int `json:"randomNumber"`
}

// A Fortune is a row of the page.
type Fortune struct {
	ID      int
	Message string
}

// An Item is a row, as JSON shows it.
type Item struct {
	ID       int             `json:"id"`
	Name     string          `json:"name"`
	Category string          `json:"category"`
	Price    int             `json:"price"`
	Quantity int             `json:"quantity"`
	Active   bool            `json:"active"`
	Tags     json.RawMessage `json:"tags"`
	Rating   Rating          `json:"rating"`
}

// A Rating is a part of an Item.
type Rating struct {
	Score int `json:"score"`
	Count int `json:"count"`
}

// A store has the methods that the routes need of a database.
type store interface {
	worlds(ctx context.Context, ids []int) ([]World, error)
	update(ctx context.Context, ids []int) ([]World, error)
	fortunes(ctx context.Context) ([]Fortune, error)
	items(ctx context.Context, least, most, limit int) ([]Item, error)
	connections() int
	close(ctx context.Context) error
}

// A querier has the methods that pgxpool and pg have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// A plain store executes one statement after the other.
type plain struct {
	q     querier
	count func() int
	shut  func(ctx context.Context) error
}

func (s *plain) connections() int                { return s.count() }
func (s *plain) close(ctx context.Context) error { return s.shut(ctx) }

func (s *plain) worlds(ctx context.Context, ids []int) ([]World, error) {
	all := make([]World, len(ids))
	for i, id := range ids {
		if err := s.q.QueryRow(ctx, worldText, id).Scan(&all[i].ID, &all[i].RandomNumber); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// update reads the rows, and gives each another number.
func (s *plain) update(ctx context.Context, ids []int) ([]World, error) {
	all, err := s.worlds(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].RandomNumber = 1 + rand.IntN(worlds)
		if err := s.write(ctx, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *plain) write(ctx context.Context, w World) error {
	tag, err := s.q.Exec(ctx, updateText, w.ID, w.RandomNumber)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("update of row %d: %s", w.ID, tag)
	}
	return err
}

func (s *plain) fortunes(ctx context.Context) ([]Fortune, error) {
	rows, err := s.q.Query(ctx, fortuneText)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows(make([]Fortune, 0, fortunes+1), rows, func(row pgx.CollectableRow) (f Fortune, err error) {
		err = row.Scan(&f.ID, &f.Message)
		return f, err
	})
}

func (s *plain) items(ctx context.Context, least, most, limit int) ([]Item, error) {
	rows, err := s.q.Query(ctx, itemsText, least, most, limit)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows(make([]Item, 0, limit), rows, func(row pgx.CollectableRow) (i Item, err error) {
		err = row.Scan(&i.ID, &i.Name, &i.Category, &i.Price, &i.Quantity, &i.Active, &i.Tags, &i.Rating.Score, &i.Rating.Count)
		return i, err
	})
}

// A loading store has a loop for each request, in which a Loader collects what tasks ask for at
// once.
type loading struct{ plain }

func (s *loading) worlds(ctx context.Context, ids []int) (all []World, err error) {
	err = repaint.Run(ctx, func(ctx context.Context) error {
		all, err = s.load(ctx, ids)
		return err
	})
	return all, err
}

// load reads rows in one statement, however many tasks ask for them.
func (s *loading) load(ctx context.Context, ids []int) ([]World, error) {
	rows := coop.NewLoader(func(ctx context.Context, ids []int) (map[int]World, error) {
		rows, err := s.q.Query(ctx, worldsText, ids)
		if err != nil {
			return nil, err
		}
		found := make(map[int]World, len(ids))
		var w World
		_, err = pgx.ForEachRow(rows, []any{&w.ID, &w.RandomNumber}, func() error { found[w.ID] = w; return nil })
		return found, err
	})
	return rows.LoadMany(ctx, ids)
}

// update writes the rows at once, in one write to the network.
func (s *loading) update(ctx context.Context, ids []int) (all []World, err error) {
	err = repaint.Run(ctx, func(ctx context.Context) error {
		if all, err = s.load(ctx, ids); err != nil {
			return err
		}
		g := repaint.NewGroup(ctx)
		for i := range all {
			all[i].RandomNumber = 1 + rand.IntN(worlds)
			g.Go(func(ctx context.Context) error { return s.write(ctx, all[i]) })
		}
		return g.Wait()
	})
	return all, err
}

// A dialer makes connections.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

func openPool(ctx context.Context, url string, dial dialer) (store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	if dial != nil {
		config.MaxConns, config.ConnConfig.DialFunc = 1, dial
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &plain{pool, func() int { return int(pool.Stat().TotalConns()) }, func(context.Context) error { pool.Close(); return nil }}, nil
}

func openLanes(_ context.Context, url string, dial dialer) (store, error) {
	config, err := pg.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.Lanes = connections
	if dial != nil {
		config.Lanes, config.Conn.DialFunc = 1, dial
	}
	db, err := pg.OpenConfig(config)
	if err != nil {
		return nil, err
	}
	count := func() int {
		s := db.Stats()
		return s.Lanes + s.RetiringLanes + s.Sessions
	}
	return &plain{db, count, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return db.Close(ctx)
	}}, nil
}

func openLoaders(ctx context.Context, url string, dial dialer) (store, error) {
	s, err := openLanes(ctx, url, dial)
	if err != nil {
		return nil, err
	}
	return &loading{*s.(*plain)}, nil
}

// draw returns n different ids in their order, so that no two requests that write them wait for
// each other in a circle.
func draw(n int) []int {
	ids := make([]int, 0, n)
	for len(ids) < n {
		if id := 1 + rand.IntN(worlds); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
