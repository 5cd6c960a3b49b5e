package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestErrorsShowNoValuesUnlessTheyAreTo(t *testing.T) {
	for _, show := range []bool{false, true} {
		t.Run(fmt.Sprint("shown=", show), func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, _ := open(t, map[bool]string{true: "&show_parameters=on"}[show])
				_, err := db.Exec(ctx, `create table users (id int primary key, email text, check (email <> 'checked'));
					insert into users values (98765, 'hunter2');
					create function complain(who text) returns int language plpgsql as $$ begin raise exception 'no user % of %', who, (select email from users); end $$`)
				require.NoError(t, err)
				fails := map[string]func() error{
					"invalid": func() error {
						_, err := db.Exec(ctx, "select cast($1::text as int)", "hunter2")
						return err
					},
					"invalid, in quotes": func() error {
						_, err := db.Exec(ctx, "select cast($1::text as int)", `say "hunter2" twice`)
						return err
					},
					"duplicate": func() error {
						_, err := db.Exec(ctx, "insert into users values ($1, $2)", 98765, "hunter2")
						return err
					},
					"stored": func() error {
						_, err := db.Exec(ctx, "select cast(email as int) from users")
						return err
					},
					"raised": func() error {
						_, err := db.Exec(ctx, "select complain($1)", "hunter2")
						return err
					},
					"encoded": func() error {
						_, err := db.Exec(ctx, "select $1::int", "hunter2")
						return err
					},
					"encoded struct": func() error {
						_, err := db.Exec(ctx, "select $1::int", struct{ Email string }{"hunter2"})
						return err
					},
					"described": func() error {
						_, err := db.Exec(ctx, "select 'hunter2'::text::int, $1::int", 1)
						return err
					},
					"batch": func() error {
						b := &pgx.Batch{}
						b.Queue("select 1")
						b.Queue("select cast($1::text as int)", "hunter2")
						return db.SendBatch(ctx, b).Close()
					},
					"tx": func() error {
						return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
							_, err := tx.Exec(ctx, "select cast($1::text as int)", "hunter2")
							return err
						})
					},
					"copied": func() error {
						_, err := db.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"id", "email"}, pgx.CopyFromRows([][]any{{"hunter2", "x"}}))
						return err
					},
					"copied twice": func() error {
						_, err := db.CopyFrom(ctx, pgx.Identifier{"users"}, []string{"id", "email"}, pgx.CopyFromRows([][]any{{98765, "x"}}))
						return err
					},
					"streamed": func() error {
						rows, err := db.Stream(ctx, "select cast($1::text as int)", "hunter2")
						if err == nil {
							rows.Close()
							err = rows.Err()
						}
						return err
					},
					"scanned": func() error {
						var n int
						return db.QueryRow(ctx, "select email from users").Scan(&n)
					},
					"scanned number": func() error {
						var n int8
						return db.QueryRow(ctx, "select id from users").Scan(&n)
					},
				}
				for name, call := range fails {
					err := call()
					require.Error(t, err, name)
					told := fmt.Sprintf("%v %+v", err, err)
					asJSON, jsonErr := json.Marshal(map[string]any{"err": err})
					require.NoError(t, jsonErr)
					if _, isScan := errors.AsType[pgx.ScanArgError](err); !isScan { // whose fields are pgx's
						told += string(asJSON)
					}
					if name == "described" { // it is a part of the statement
						require.Contains(t, told, "hunter2", name)
						continue
					}
					if !show {
						require.NotContains(t, told, "hunter2", name)
						require.NotContains(t, told, "98765", name)
					} else if name != "duplicate" && name != "copied twice" && name != "scanned" { // of which names are told
						require.Regexp(t, "hunter2|98765", told, name)
					}
				}
				err = fails["duplicate"]()
				require.ErrorContains(t, err, `"users_pkey" (SQLSTATE 23505)`, "what is no value stays")
				err = fails["invalid"]()
				var server *pgconn.PgError
				require.ErrorAs(t, err, &server)
				require.Contains(t, server.Message, "hunter2", "the program can have it")
				err = fails["encoded struct"]()
				require.ErrorContains(t, err, "format for int4")
				_, err = db.Exec(ctx, "select nope from users where email = $1", "x")
				require.ErrorContains(t, err, `column "nope" does not exist`)
				_, err = db.Exec(ctx, "selec $1", "x")
				require.ErrorContains(t, err, `at or near "selec"`)
			})
		})
	}
}
