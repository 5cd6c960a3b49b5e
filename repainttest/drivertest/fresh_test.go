package drivertest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/repainttest"
)

// shop has tables that refer to each other, and numbers that the database gives.
var shop = map[string][]string{
	"SQLite": {
		"create table a_line (id integer primary key autoincrement, shop int not null references shop(id))",
		"create table shop (id integer primary key, name text not null)",
	},
	"PostgreSQL": {
		"create table shop (id int primary key, name text not null)",
		"create table a_line (id serial primary key, shop int not null references shop(id))",
	},
	"MariaDB": {
		"create table shop (id int primary key, name varchar(10) not null)",
		"create table a_line (id int primary key auto_increment, shop int not null, foreign key (shop) references shop(id))",
	},
}

func TestFreshGivesEachScheduleTheSameDatabase(t *testing.T) {
	for name, connector := range databases {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, connector(t))
			for _, text := range shop[name] {
				_, err := b.pool.ExecContext(t.Context(), text)
				require.NoError(t, err)
			}
			reset, err := repainttest.Emptied(t.Context(), repainttest.Texts(b.pool), "insert into shop values (1, 'lamps')")
			require.NoError(t, err)
			schedules := 0
			repainttest.Explore(t, 20, func(t *testing.T, ctx context.Context) {
				schedules++
				var shops, accounts int
				require.NoError(t, b.pool.QueryRowContext(ctx, "select (select count(*) from shop), (select count(*) from account)").Scan(&shops, &accounts))
				require.Equal(t, []int{1, 0}, []int{shops, accounts})
				line := func(ctx context.Context) error {
					_, err := b.pool.ExecContext(ctx, "insert into a_line (shop) values (1)")
					return err
				}
				require.NoError(t, tasks(ctx, line, line))
				var sum int
				require.NoError(t, b.pool.QueryRowContext(ctx, "select sum(id) from a_line").Scan(&sum))
				require.Equal(t, 1+2, sum, "the numbers begin anew")
			}, repainttest.Fresh(reset), repainttest.CheckRepeats())
			require.Equal(t, 2*2, schedules)
		})
	}
}

func TestEmptiedSaysWhatFailed(t *testing.T) {
	b := openBank(t, databases["SQLite"](t))
	broken := errors.New("the disk is full")
	_, err := repainttest.Emptied(t.Context(), func(context.Context, string) ([][]string, error) { return nil, broken })
	require.ErrorContains(t, err, "give Fresh a function of your own")
	reset, err := repainttest.Emptied(t.Context(), repainttest.Texts(b.pool), "insert into gone values (1)")
	require.NoError(t, err)
	require.ErrorContains(t, reset(t.Context()), "emptying the database by insert into gone values (1): ")
	require.ErrorContains(t, reset(t.Context()), "no such table")
}

func TestReducedFollowsForeignKeysOfEachDatabase(t *testing.T) {
	for name, connector := range databases {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, connector(t))
			for _, text := range shop[name] {
				_, err := b.pool.ExecContext(t.Context(), text)
				require.NoError(t, err)
			}
			ask := repainttest.Texts(b.pool)
			reset, err := repainttest.Emptied(t.Context(), ask, "insert into shop values (1, 'lamps')", "insert into account values ('ada', 100)")
			require.NoError(t, err)
			schema, err := repainttest.ReadSchema(t.Context(), ask)
			require.NoError(t, err)
			explored := func(other string) (schedules int) {
				twice := func(text string) func(ctx context.Context) error {
					return func(ctx context.Context) error {
						_, err := b.pool.ExecContext(ctx, text)
						if err == nil {
							_, err = b.pool.ExecContext(ctx, text)
						}
						return err
					}
				}
				repainttest.Explore(t, 20, func(t *testing.T, ctx context.Context) {
					schedules++
					require.NoError(t, tasks(ctx, twice("insert into a_line (shop) values (1)"), twice(other)))
				}, repainttest.Fresh(reset), repainttest.Reduced(schema))
				return schedules
			}
			require.Equal(t, 3, explored("update account set balance = balance + 1"), "one, and two in which all that is left was done")
			require.Equal(t, 6, explored("update shop set name = 'shades'"), "all")
		})
	}
}
