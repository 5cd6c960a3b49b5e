package pg

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// No caller's statement runs under a setting that another caller's function has changed on a lane.
// Statements that were sent after the change are sent again if they had no effect. Otherwise they
// get an error that says that they may have had one. The lane is closed.
func TestAStrangersSettingIsNobodysResult(t *testing.T) {
	for _, setting := range []struct {
		name, value string
		// The statement shows the setting: what it returns, or that it fails.
		probe string
		want  any
	}{
		{"client_encoding", "latin1", "select chr(233)", "é"},
		{"timezone", "Asia/Tokyo", "select '2026-11-26 00:00Z'::timestamptz::text", "2026-11-26 00:00:00+00"},
		{"datestyle", "German, DMY", "select '2026-11-26'::date::text", "2026-11-26"},
		{"intervalstyle", "iso_8601", "select interval '1 day'::text", "1 day"},
		{"standard_conforming_strings", "off", `select '\\'`, `\\`},
		{"default_transaction_read_only", "on", "show transaction_read_only", "off"},
		{"session_authorization", "low", "select session_user::text", nil},
		{"role", "low", "select current_user::text", nil}, // shows in is_superuser
	} {
		t.Run(setting.name, func(t *testing.T) {
			if setting.name == "default_transaction_read_only" {
				testserver.Postgres(t).Needs(t, 14, "the report of this setting")
			}
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, target := open(t, "&pool_lanes=1&timezone=UTC")
				prepareSetting(t, ctx, db)
				if setting.want == nil {
					setting.want = target.User
				}
				got, err := only(db.Query(ctx, setting.probe))
				require.NoError(t, err)
				require.Equal(t, setting.want, got)

				unlock := lock(t, ctx, target)
				defer unlock()
				wait := c.start(ctx, waits(db))
				until(t, ctx, "the lock", func() bool { return db.written() == 1 })
				ends := []func() error{
					wait,
					c.start(ctx, func(ctx context.Context) error {
						_, err := db.Exec(ctx, fmt.Sprintf("select change('%s', '%s')", setting.name, setting.value))
						return err
					}),
				}
				until(t, ctx, "the change", func() bool { return db.written() == 2 })
				for i := range 3 {
					ends = append(ends, c.start(ctx, func(ctx context.Context) error {
						got, err := only(db.Query(ctx, setting.probe))
						if err == nil && got != setting.want {
							return fmt.Errorf("%d: %q is wrong", i, got)
						}
						return err
					}))
				}
				until(t, ctx, "the others", func() bool { return db.written() == 5 })
				unlock()
				require.NoError(t, ends[0]())
				require.NoError(t, ends[1]())
				for _, end := range ends[2:] {
					err := end()
					var lost *LostError
					require.ErrorAs(t, err, &lost)
					require.True(t, lost.MaybeApplied)
					require.NotErrorIs(t, err, ErrRefusedOnLane)
				}

				got, err = only(db.Query(ctx, setting.probe))
				require.NoError(t, err)
				require.Equal(t, setting.want, got)
				require.EqualValues(t, 1, db.Stats().Poisoned)
				require.EqualValues(t, 2, db.Stats().Connects)
			})
		})
	}
}

// prepareSetting makes a role called low, and a function that changes a setting for the session.
func prepareSetting(t *testing.T, ctx context.Context, db *DB) {
	t.Helper()
	_, err := db.Exec(ctx, `do $$ begin create role low; exception when duplicate_object or unique_violation then null; end $$;
		create function change(name text, value text) returns text language plpgsql as
			$$ begin return set_config(name, value, false); end $$;
		create table t (id int); grant all on t to public`)
	require.NoError(t, err)
}

// Each statement that was sent after the change, and its outcome.
func TestWhatWasSentAfterAStrangersSetting(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&timezone=UTC&pool_lanes=1&pipeline_depth=12")
		prepareSetting(t, ctx, db)
		_, err := db.Exec(ctx, "create procedure fails() language plpgsql as $$ begin commit; perform 1/0; end $$")
		require.NoError(t, err)
		pair := func(texts ...string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				b := new(pgx.Batch)
				for _, sql := range texts {
					b.Queue(sql)
				}
				return db.SendBatch(ctx, b).Close()
			}
		}
		exec := func(sql string, args ...any) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := db.Exec(ctx, sql, args...)
				return err
			}
		}
		// The driver asks for their types now, so that it sends them at once later.
		withArgs := exec("insert into t values ($1)", 2)
		twoRows := pair("insert into t values (3)", "insert into t values (4)")
		failsElsewhere := pair("insert into t values (5)", "select 1 / extract(timezone from now())::int")
		require.NoError(t, withArgs(ctx))
		require.NoError(t, twoRows(ctx))
		require.Error(t, failsElsewhere(ctx))
		_, err = db.Exec(ctx, "truncate t")
		require.NoError(t, err)

		unlock := lock(t, ctx, target)
		defer unlock()
		pgErr := func(t *testing.T, err error, code string) {
			t.Helper()
			var e *pgconn.PgError
			require.ErrorAs(t, err, &e)
			require.Equal(t, code, e.Code)
		}
		maybe := func(t *testing.T, err error) {
			t.Helper()
			var lost *LostError
			require.ErrorAs(t, err, &lost)
			require.True(t, lost.MaybeApplied)
			require.ErrorContains(t, err, "TimeZone")
		}
		type sent struct {
			run  func(ctx context.Context) error
			want func(t *testing.T, err error)
		}
		fine := func(t *testing.T, err error) { t.Helper(); require.NoError(t, err) }
		var ends []func() error
		var wants []func(t *testing.T, err error)
		for i, s := range []sent{
			{waits(db), fine},
			{exec("select change('timezone', 'Asia/Tokyo')"), fine},
			{exec("insert into t values (1)"), maybe},
			{withArgs, maybe},
			{exec("select nonsense"), func(t *testing.T, err error) { t.Helper(); pgErr(t, err, "42703") }}, // sent again, to fail again
			{exec("call fails()"), maybe},
			{db.Ping, fine},
			{twoRows, maybe},
			{failsElsewhere, maybe},
			{exec("insert into t values (6 / (extract(timezone from now()) = 0)::int)"), fine}, // it fails only here
		} {
			ends = append(ends, c.start(ctx, s.run))
			wants = append(wants, s.want)
			until(t, ctx, "it was sent", func() bool { return db.written() == i+1 })
		}
		unlock()
		for i, end := range ends {
			wants[i](t, end())
		}
		ids, err := db.Query(ctx, "select id from t order by id")
		require.NoError(t, err)
		got, err := pgx.CollectRows(ids, pgx.RowTo[int])
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3, 4, 5, 6}, got, "each once")
	})
}

// The name of the application means nothing to statements. The lane just isn't used any more.
func TestAStrangersApplicationNameCostsALaneOnly(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1")
		prepareSetting(t, ctx, db)
		unlock := lock(t, ctx, target)
		defer unlock()
		ends := []func() error{c.start(ctx, waits(db))}
		until(t, ctx, "the lock", func() bool { return db.written() == 1 })
		for _, sql := range []string{"select change('application_name', 'x')", "insert into t values (1)", "insert into t values (2)"} {
			ends = append(ends, c.start(ctx, func(ctx context.Context) error {
				_, err := db.Exec(ctx, sql)
				return err
			}))
			until(t, ctx, "it was sent", func() bool { return db.written() == len(ends) })
		}
		unlock()
		for _, end := range ends {
			require.NoError(t, end())
		}
		got, err := only(db.Query(ctx, "show application_name"))
		require.NoError(t, err)
		require.Equal(t, "", got)
		require.EqualValues(t, 1, db.Stats().Poisoned)
	})
}

// A setting that ends with its statement does no harm.
func TestASettingForOneStatementCostsNothing(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1")
		for range 3 {
			b := new(pgx.Batch)
			b.Queue("select set_config('timezone', 'Asia/Tokyo', true)")
			b.Queue("select '2026-11-26 00:00Z'::timestamptz::text")
			results := db.SendBatch(ctx, b)
			_, err := results.Exec()
			require.NoError(t, err)
			got, err := only(results.Query())
			require.NoError(t, err)
			require.Equal(t, "2026-11-26 09:00:00+09", got)
			require.NoError(t, results.Close())
		}
		require.Zero(t, db.Stats().Poisoned)
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// A statement that hadn't been sent when the lane turned out to have another setting is sent on
// another lane.
func TestWhatWasNotSentYetGoesToAnotherLane(t *testing.T) {
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server := &byHand{conns: make(chan *pgproto3.Backend, 2)}
	db := server.open(t, "&pool_lanes=1")
	exec := func(sql string) func() error {
		return colour{}.start(ctx, func(ctx context.Context) error {
			_, err := db.Exec(ctx, sql)
			return err
		})
	}
	first := exec("select change()")
	lane := <-server.conns
	server.hear(t, lane)
	second := exec("insert into t values (2)") // is being written: no goroutine reads it now
	until(t, ctx, "it was put", func() bool { return db.Stats().InFlight == 2 })
	third := exec("insert into t values (3)") // waits for that
	until(t, ctx, "it was put, too", func() bool { return db.Stats().InFlight == 3 })

	server.answer(t, lane, "SELECT 1", &pgproto3.ParameterStatus{Name: "TimeZone", Value: "Asia/Tokyo"})
	require.NoError(t, first())
	server.hear(t, lane)
	server.answer(t, lane, "INSERT 0 1")
	var lost *LostError
	require.ErrorAs(t, second(), &lost)
	require.True(t, lost.MaybeApplied)

	lane = <-server.conns
	server.hear(t, lane)
	server.answer(t, lane, "INSERT 0 1")
	require.NoError(t, third())
	server.close(t, ctx, db)
}

// byHand is a server for which the test decides what it reads and answers, and when. Nothing can be
// written to its connections that it doesn't read.
type byHand struct {
	conns chan *pgproto3.Backend
	wg    sync.WaitGroup

	mu   sync.Mutex
	ends []net.Conn
	over bool // no further dials: pgx's requests to cancel may come late
}

func (s *byHand) open(t *testing.T, options string) *DB {
	config, err := ParseConfig("postgres://me:secret@nowhere/db?sslmode=disable" + options)
	require.NoError(t, err)
	config.Conn.DialFunc = s.dial
	config.Conn.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	db, err := OpenConfig(config)
	require.NoError(t, err)
	shown(t, db)
	return db
}

func (s *byHand) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, net.ErrClosed
	}
	client, server := net.Pipe()
	s.ends = append(s.ends, server)
	s.wg.Go(func() {
		b := pgproto3.NewBackend(server, server)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"})
		b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if b.Flush() == nil {
			s.conns <- b
		}
	})
	return client, nil
}

// hear reads up to the next Sync.
func (s *byHand) hear(t *testing.T, b *pgproto3.Backend) {
	for {
		m, err := b.Receive()
		require.NoError(t, err)
		if _, ok := m.(*pgproto3.Sync); ok {
			return
		}
	}
}

// answer answers a statement.
func (s *byHand) answer(t *testing.T, b *pgproto3.Backend, tag string, more ...pgproto3.BackendMessage) {
	b.Send(&pgproto3.ParseComplete{})
	b.Send(&pgproto3.BindComplete{})
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	for _, m := range more {
		b.Send(m)
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	require.NoError(t, b.Flush())
}

func (s *byHand) close(t *testing.T, ctx context.Context, db *DB) {
	s.mu.Lock()
	s.over = true
	for _, c := range s.ends {
		_ = c.Close()
	}
	s.mu.Unlock()
	require.NoError(t, db.Close(ctx))
	s.wg.Wait()
}
