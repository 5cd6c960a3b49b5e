package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db/internal/telling"
)

func TestAnErrorIsItsConditionTheWiderOneAndTheDrivers(t *testing.T) {
	cause := errors.New("driver says no")
	err := error(&Error{Op: "exec", Fault: Fault{Condition: ErrUnique}, Err: fmt.Errorf("x: %w", cause)})
	err = fmt.Errorf("saving: %w", err)
	require.ErrorIs(t, err, ErrUnique)
	require.ErrorIs(t, err, ErrConstraint)
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, ErrCheck)
	require.ErrorIs(t, ErrNoRows, sql.ErrNoRows)
	require.ErrorIs(t, ErrTxDone, sql.ErrTxDone)
	require.ErrorIs(t, ErrTxFailed, ErrTxDone)
	require.ErrorIs(t, ErrPoolTimeout, ErrTimeout)
}

func TestAnErrorSaysWhatOnWhatWithWhatAndWhatToDo(t *testing.T) {
	err := &Error{
		Op: "exec", Dialect: "sqlite", Statement: "insert  into t\n values (:a, :b)",
		Params: []sql.NamedArg{
			Named("a", "it"), Named("b", nil), Named("c", []byte("abc")), Named("d", 1.5),
			Named("e", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Named("f", strings.Repeat("long ", 50)),
		},
		Fault: Fault{Condition: ErrUnique, Hint: "try another"},
		Err:   errors.New("it is there already"),
	}
	require.Equal(t, `db: exec on sqlite: it is there already; try another [SQL: insert into t values (:a, :b)] `+
		`[a string, b nil, c []uint8, d float64, e time.Time, f string]`, err.Error())
	require.Equal(t, "&db.Error("+strconv.Quote(err.Error())+")", fmt.Sprintf("%#v", err))
	asJSON, jsonErr := json.Marshal(map[string]any{"err": err})
	require.NoError(t, jsonErr)
	require.NotContains(t, string(asJSON), `"it"`)
	err.telling = telling.Values
	require.Equal(t, `db: exec on sqlite: it is there already; try another [SQL: insert into t values (:a, :b)] `+
		`[a="it", b=NULL, c=3 bytes, d=1.5, e=2026-01-02T03:04:05Z, f="long long long long long long long long long long long long …"]`, err.Error())

	err = &Error{Op: "query", Fault: Fault{Condition: ErrNoRows}, Statement: strings.Repeat("select äöü, ", 100)}
	require.Less(t, len(err.Error()), 350)
	require.True(t, strings.HasPrefix(err.Error(), "db: query: no rows [SQL: select äöü,"))
	require.NotContains(t, err.Error(), "\ufffd")

	for range 100 {
		err.Params = append(err.Params, Named("x", 1))
	}
	require.Contains(t, err.Error(), "x int, and 80 more]")
	err.telling = telling.Values
	require.Contains(t, err.Error(), "x=1, and 80 more]")
}

func TestAContextsErrorHasItsCause(t *testing.T) {
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, is := ofContext(ctx, context.Canceled)
	require.False(t, is, "this context has not ended; the error is somebody else's")
	cancel(why)
	for _, from := range []error{context.Canceled, why, fmt.Errorf("driver: %w", context.Canceled), fmt.Errorf("%w, %w", why, context.Canceled), driver.ErrBadConn} {
		err, is := ofContext(ctx, from)
		require.True(t, is)
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, err, context.Canceled)
	}
	_, is = ofContext(ctx, errors.New("unrelated"))
	require.False(t, is)
}

func TestUnknownOutcomeStandsBesideItsReason(t *testing.T) {
	why := errors.New("invalid connection")
	err := UnknownOutcome(why)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, ErrUnknownOutcome)
	require.Equal(t, "invalid connection", err.Error())
	require.Equal(t, err, UnknownOutcome(err))
	require.NoError(t, UnknownOutcome(nil))
	whole := &Error{Op: "commit", Fault: Fault{Condition: ErrDisconnected}, Err: err}
	require.ErrorIs(t, whole, ErrUnknownOutcome)
	require.ErrorIs(t, whole, ErrDisconnected)
	require.NotErrorIs(t, &Error{Err: why}, ErrUnknownOutcome)
}
