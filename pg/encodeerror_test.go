package pg

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// unsendable is an argument whose own method returns an error.
type unsendable struct{ err error }

func (u unsendable) Int64Value() (pgtype.Int8, error) { return pgtype.Int8{}, u.err }

func TestEncodeErrors(t *testing.T) {
	refused := errors.New("not today")
	for _, one := range []struct {
		name string
		args []any
		want EncodeError
	}{
		{"too large", []any{1, int64(70000)}, EncodeError{Arg: 1, OID: pgtype.Int2OID, Type: "int2"}},
		{"of a type that it can't be", []any{1, struct{ A int }{1}}, EncodeError{Arg: 1, OID: pgtype.Int2OID, Type: "int2", Unsuitable: true}},
		{"refuses by itself", []any{unsendable{refused}, 1}, EncodeError{Arg: 0, OID: pgtype.Int4OID, Type: "int4", Err: refused}},
		{"as text", []any{pgx.QueryExecModeExec, 1, make(chan int)}, EncodeError{Arg: 1, Unsuitable: true}},
	} {
		t.Run(one.name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, _ := open(t, "")
				calls := map[string]func() error{
					"Exec":   func() error { _, err := db.Exec(ctx, "select $1::int4, $2::int2", one.args...); return err },
					"Query":  func() error { _, err := db.Query(ctx, "select $1::int4, $2::int2", one.args...); return err },
					"Stream": func() error { _, err := db.Stream(ctx, "select $1::int4, $2::int2", one.args...); return err },
					"batch": func() error {
						b := &pgx.Batch{}
						b.Queue("select 1")
						b.Queue("select $1::int4, $2::int2", one.args...)
						return db.SendBatch(ctx, b).Close()
					},
				}
				for what, call := range calls {
					err := call()
					var st *StatementError
					require.ErrorAs(t, err, &st, what)
					require.Equal(t, StageEncode, st.Stage)
					var e *EncodeError
					require.ErrorAs(t, err, &e)
					got := *e
					if one.want.Err != nil {
						require.ErrorIs(t, err, refused)
					}
					got.Err, one.want.Err = nil, nil
					require.Equal(t, one.want, got)
					require.NotContains(t, err.Error(), "70000")
				}
			})
		})
	}
}
