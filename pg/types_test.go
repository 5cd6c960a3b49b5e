package pg

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

type mood string

type home struct {
	Street string
	Number int32
	Mood   mood
}

type person struct {
	Name  string
	Homes []home
}

const ownTypes = `
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as int check (value > 0);
create schema shop;
create type shop.address as (street text, number positive, mood mood);
create type person as (name text, homes shop.address[]);
create type floats as range (subtype = float8);
create table inventory (id int, moods mood[])`

var ownNames = []string{"mood", "positive", "shop.address", "person", "floats", "inventory"}

// roundTrips sends values of the types there and back: with a type known and unknown to the
// statement, alone and in arrays, as rows and through COPY.
func roundTrips(ctx context.Context, q querier) error {
	there := home{"Main St, \"the\" (old) one", 7, "happy"}
	family := person{"Ada", []home{there, {"Side St", 1, "sad"}}}
	var (
		a    home
		as   []home
		m    mood
		ms   []mood
		p    person
		n    int
		ns   []int
		r    pgtype.Range[float64]
		rs   []pgtype.Range[float64]
		many pgtype.Multirange[pgtype.Range[float64]]
	)
	one := pgtype.Range[float64]{Lower: 0.5, Upper: 1.5, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}
	two := pgtype.Range[float64]{Lower: 3, Upper: 4, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}
	err := q.QueryRow(ctx,
		`select $1::shop.address, $2::shop.address[], $3::mood, $4::mood[], $5::person, $6::positive, $7::positive[], $8::floats, $9::floats[]`,
		there, family.Homes, mood("ok"), []mood{"sad", "happy"}, family, 5, []int{5, 6}, one, []pgtype.Range[float64]{one, two},
	).Scan(&a, &as, &m, &ms, &p, &n, &ns, &r, &rs)
	if err != nil {
		return err
	}
	var multiranges bool // since PostgreSQL 14
	if err := q.QueryRow(ctx, "select current_setting('server_version_num')::int >= 140000").Scan(&multiranges); err != nil {
		return err
	}
	many = pgtype.Multirange[pgtype.Range[float64]]{one}
	if multiranges {
		many = nil
		if err := q.QueryRow(ctx, "select multirange($1::floats)", one).Scan(&many); err != nil {
			return err
		}
	}
	got := fmt.Sprint(a, as, m, ms, p, n, ns, r, rs, many)
	want := fmt.Sprint(there, family.Homes, "ok", []mood{"sad", "happy"}, family, 5, []int{5, 6}, one, []pgtype.Range[float64]{one, two}, []pgtype.Range[float64]{one})
	if got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	var none *home
	var id int
	row := struct {
		ID    int
		Moods []mood
	}{3, []mood{"ok"}}
	if err := q.QueryRow(ctx, "select null::shop.address, ($1::inventory).id", row).Scan(&none, &id); err != nil || none != nil || id != 3 {
		return fmt.Errorf("got %v and %d: %w", none, id, err)
	}
	return nil
}

func TestOwnTypes(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, ownTypes)
		db := openAt(t, target.URL()+"&pool_lanes=2&pool_sessions=2")
		require.ErrorContains(t, roundTrips(ctx, db), "DB.LoadTypes", "unknown before")
		require.ErrorContains(t, db.LoadTypes(ctx, "mood", "no_such_type"), "42704")
		require.ErrorContains(t, roundTrips(ctx, db), "DB.LoadTypes", "still")
		require.NoError(t, db.LoadTypes(ctx, ownNames...))
		everywhere := func() {
			for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error { return roundTrips(ctx, db) }) {
				require.NoError(t, err)
			}
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
			require.NoError(t, roundTrips(ctx, s))
			require.NoError(t, pgx.BeginFunc(ctx, s, func(tx pgx.Tx) error { return roundTrips(ctx, tx) }))
		}
		everywhere()
		until(t, ctx, "the lanes that are being opened", func() bool { return db.Stats().Connecting == 0 }) // otherwise the test would overlook one
		target.Terminate(t, "datname = current_database()")
		until(t, ctx, "the loss", func() bool { st := db.Stats(); return st.Lanes == 0 && st.Sessions == 0 })
		everywhere()

		_, err := db.Exec(ctx, "create table houses (id int, address shop.address, owners person[])")
		require.NoError(t, err)
		ada := person{"Ada", []home{{"Main St", 1, "ok"}}}
		n, err := db.CopyFrom(ctx, pgx.Identifier{"houses"}, []string{"id", "address", "owners"}, pgx.CopyFromRows([][]any{{1, ada.Homes[0], []person{ada}}}))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		rows, err := db.Stream(ctx, "select address, owners from houses")
		require.NoError(t, err)
		house, err := pgx.CollectOneRow(rows, pgx.RowToStructByPos[struct {
			Address home
			Owners  []person
		}])
		require.NoError(t, err)
		require.Equal(t, ada, house.Owners[0])
		require.Equal(t, ada.Homes[0], house.Address)
		rows, err = db.Query(ctx, "select 'ok'::mood")
		require.NoError(t, err)
		require.True(t, rows.Next())
		values, err := rows.Values()
		require.NoError(t, err)
		require.Equal(t, []any{"ok"}, values)
		rows.Close()
	})
}

// A type that has changed is loaded again.
func TestOwnTypeThatChanges(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, "create type point3 as (x int, y int)")
		db := openAt(t, target.URL())
		require.NoError(t, db.LoadTypes(ctx, "point3"))
		type xy struct{ X, Y int }
		type xyz struct{ X, Y, Z int }
		var two xy
		require.NoError(t, db.QueryRow(ctx, "select $1::point3", xy{1, 2}).Scan(&two))
		require.Equal(t, xy{1, 2}, two)
		target.MustQuery(t, "alter type point3 add attribute z int")
		require.NoError(t, db.LoadTypes(ctx, "point3"))
		var three xyz
		require.NoError(t, db.QueryRow(ctx, "select $1::point3", xyz{1, 2, 3}).Scan(&three))
		require.Equal(t, xyz{1, 2, 3}, three)
	})
}

// If a type is unknown, the error says what to do: for an argument, for a result, and for a column
// of a COPY.
func TestUnknownTypesAreExplained(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, ownTypes)
		target.MustQuery(t, "create table t (address shop.address)")
		db := openAt(t, target.URL())
		_, argument := db.Exec(ctx, "insert into t values ($1)", home{"Main St", 1, "ok"})
		var a home
		result := db.QueryRow(ctx, "select ('Main St', 1, 'ok')::shop.address").Scan(&a)
		_, column := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"address"}, pgx.CopyFromRows([][]any{{home{}}}))
		oid := target.MustQuery(t, "select 'shop.address'::regtype::oid")
		for _, err := range []error{argument, result, column} {
			require.ErrorContains(t, err, "DB.LoadTypes")
			require.ErrorContains(t, err, "select "+oid+"::regtype")
		}
		// An enum needs no registration: its text will do.
		var m mood
		require.NoError(t, db.QueryRow(ctx, "select $1::mood", mood("ok")).Scan(&m))
		require.Equal(t, mood("ok"), m)
	})
}

// A base type of an extension takes the codec of the type that the application has registered under
// its name.
func TestBaseTypeByName(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, `create type label;
			create function label_in(cstring) returns label language internal immutable strict as 'textin';
			create function label_out(label) returns cstring language internal immutable strict as 'textout';
			create type label (input = label_in, output = label_out, like = text);
			create type tagged as (id int, label label);
			create type amount;
			create function amount_in(cstring) returns amount language internal immutable strict as 'int4in';
			create function amount_out(amount) returns cstring language internal immutable strict as 'int4out';
			create type amount (input = amount_in, output = amount_out, like = integer)`)
		require.ErrorContains(t, openAt(t, target.URL()).LoadTypes(ctx, "amount"), "amount is a base type")
		config, err := ParseConfig(target.URL())
		require.NoError(t, err)
		config.RegisterTypes = func(m *pgtype.Map) { m.RegisterType(&pgtype.Type{Name: "label", OID: 0, Codec: textOnly{}}) }
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		require.NoError(t, db.LoadTypes(ctx, "tagged"))
		type tagged struct {
			ID    int
			Label string
		}
		var got tagged
		require.NoError(t, db.QueryRow(ctx, "select $1::tagged", tagged{1, "a, b"}).Scan(&got))
		require.Equal(t, tagged{1, "a, b"}, got)
		require.NoError(t, db.Close(ctx))
	})
}

// A base type that is read as text is text, in composites, arrays and COPY, too.
func TestBaseTypesThatAreText(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, `create type label;
			create function label_in(cstring) returns label language internal immutable strict as 'textin';
			create function label_out(label) returns cstring language internal immutable strict as 'textout';
			create function label_recv(internal) returns label language internal stable strict as 'textrecv';
			create function label_send(label) returns bytea language internal stable strict as 'textsend';
			create type label (input = label_in, output = label_out, receive = label_recv, send = label_send, like = text);
			create type word;
			create function word_in(cstring) returns word language internal immutable strict as 'textin';
			create function word_out(word) returns cstring language internal immutable strict as 'textout';
			create type word (input = word_in, output = word_out, like = text, category = 'S')`)
		kinds := []string{"label", "word"}
		if target.MustQuery(t, "select count(*) from pg_available_extensions where name = 'citext'") == "1" {
			target.MustQuery(t, "create extension citext")
			kinds = append(kinds, "citext")
		}
		for _, kind := range kinds {
			target.MustQuery(t, fmt.Sprintf("create type tagged_%[1]s as (id int, name %[1]s, names %[1]s[]); create table table_%[1]s (id int, name %[1]s)", kind))
			db := openAt(t, target.URL())
			require.NoError(t, db.LoadTypes(ctx, "tagged_"+kind))
			type tagged struct {
				ID    int
				Name  string
				Names []string
			}
			want := tagged{1, `a, "b"`, []string{"c d", "", "é"}}
			var got tagged
			var one, in string
			var list []string
			var anything any
			require.NoError(t, db.QueryRow(ctx, fmt.Sprintf("select $1::tagged_%[1]s, $2::%[1]s, $3::%[1]s[], $2::%[1]s", kind), want, want.Name, want.Names).Scan(&got, &one, &list, &anything))
			require.Equal(t, want, got, kind)
			require.Equal(t, want.Name, one)
			require.Equal(t, want.Names, list)
			require.Equal(t, any(want.Name), anything)
			if kind == "word" {
				continue // without a receive function there is no binary COPY
			}
			_, err := db.CopyFrom(ctx, pgx.Identifier{"table_" + kind}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{1, want.Name}}))
			require.NoError(t, err)
			require.NoError(t, db.QueryRow(ctx, "select name from table_"+kind).Scan(&in))
			require.Equal(t, want.Name, in)
		}
	})
}

// Base types of extensions whose binary form has a version before the text are text, too. An hstore
// is a map.
func TestBaseTypesOfExtensions(t *testing.T) {
	a := "1"
	for kind, use := range map[string]func(t *testing.T, ctx context.Context, db *DB){
		"ltree":     ofExtension("ltree", "Top.Science.Astronomy"),
		"lquery":    ofExtension("lquery", "*.Science{1,2}"),
		"ltxtquery": ofExtension("ltxtquery", "Europe & Russia@*"),
		"hstore":    ofExtension("hstore", pgtype.Hstore{"a": &a, "b, c": nil}),
	} {
		t.Run(kind, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				extension := "ltree"
				if kind == "hstore" {
					extension = kind
				}
				target.MustQuery(t, fmt.Sprintf("create extension %s; create type tagged as (id int, one %[2]s, all_ %[2]s[]); create table items (one %[2]s, all_ %[2]s[], t tagged)", extension, kind))
				db := openAt(t, target.URL())
				require.NoError(t, db.LoadTypes(ctx, "tagged"))
				use(t, ctx, db)
			})
		})
	}
}

func ofExtension[T any](kind string, value T) func(t *testing.T, ctx context.Context, db *DB) {
	type tagged struct {
		ID  int
		One T
		All []T
	}
	return func(t *testing.T, ctx context.Context, db *DB) {
		want := tagged{1, value, []T{value, value}}
		var one T
		var list []T
		var got tagged
		var anything any
		read := func(row pgx.Row) {
			t.Helper()
			require.NoError(t, row.Scan(&one, &list, &got, &anything))
			require.Equal(t, value, one)
			require.Equal(t, want.All, list)
			require.Equal(t, want, got)
			require.Equal(t, any(value), anything)
		}
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec} {
			read(db.QueryRow(ctx, fmt.Sprintf("select $1::%[1]s, $2::%[1]s[], $3::tagged, $1::%[1]s", kind), mode, value, want.All, want))
		}
		_, err := db.CopyFrom(ctx, pgx.Identifier{"items"}, []string{"one", "all_", "t"}, pgx.CopyFromRows([][]any{{value, want.All, want}}))
		require.NoError(t, err)
		read(db.QueryRow(ctx, "select one, all_, t, one from items"))
		var nothing *T
		require.NoError(t, db.QueryRow(ctx, "select $1::"+kind, nothing).Scan(&nothing))
		require.Nil(t, nothing)
	}
}

// A domain over an array is an array, and no array of arrays.
func TestDomainsOverOthers(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, `create type mood as enum ('sad', 'ok'); create type pair as (a int, b text); create type floats as range (subtype = float8);
			create domain numbers as int[] check (cardinality(value) > 0); create domain moods as mood[]; create domain more as numbers; create domain grid as int[][];
			create domain couple as pair; create domain span as floats; create domain words as varchar(3)[];
			create type holder as (n numbers, m moods, list numbers[])`)
		db := openAt(t, target.URL())
		require.NoError(t, db.LoadTypes(ctx, "numbers", "moods", "more", "grid", "couple", "span", "words", "holder"))
		type pair struct {
			A int
			B string
		}
		type holder struct {
			N    []int
			M    []mood
			List [][]int
		}
		var (
			n, more []int
			m       []mood
			g       [][]int
			p       pair
			f       pgtype.Range[float64]
			w       []string
		)
		span := pgtype.Range[float64]{Lower: 1, Upper: 2, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}
		require.NoError(t, db.QueryRow(ctx, "select $1::numbers, $2::more, $3::moods, $4::grid, $5::couple, $6::span, $7::words",
			[]int{1, 2}, []int{3}, []mood{"ok"}, [][]int{{1, 2}, {3, 4}}, pair{1, "x"}, span, []string{"abc"}).Scan(&n, &more, &m, &g, &p, &f, &w))
		require.Equal(t, []int{1, 2}, n)
		require.Equal(t, []int{3}, more)
		require.Equal(t, []mood{"ok"}, m)
		require.Equal(t, [][]int{{1, 2}, {3, 4}}, g)
		require.Equal(t, pair{1, "x"}, p)
		require.Equal(t, span, f)
		require.Equal(t, []string{"abc"}, w)
		var h struct {
			N []int
			M []mood
		}
		require.NoError(t, db.QueryRow(ctx, "select ($1::holder).n, ($1::holder).m", holder{N: []int{7}, M: []mood{"sad"}}).Scan(&h.N, &h.M))
		require.Equal(t, []int{7}, h.N)
		require.Equal(t, []mood{"sad"}, h.M)
	})
}

// textOnly is text for a type whose binary format the server doesn't have.
type textOnly struct{ pgtype.TextCodec }

func (textOnly) FormatSupported(format int16) bool { return format == pgx.TextFormatCode }
func (textOnly) PreferredFormat() int16            { return pgx.TextFormatCode }
