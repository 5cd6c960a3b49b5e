package pg

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestSafeToRetry(t *testing.T) {
	for _, applied := range []bool{true, false} {
		lost := &LostError{MaybeApplied: applied, Err: errors.New("broken")}
		for _, err := range []error{lost, &StatementError{Err: lost}, &BatchError{Err: &StatementError{Err: lost}}} {
			require.Equal(t, !applied, pgconn.SafeToRetry(err))
		}
	}
	require.False(t, pgconn.SafeToRetry(&StatementError{Err: &LostError{RolledBack: true, Err: errors.New("broken")}}))
	require.False(t, pgconn.SafeToRetry(&StatementError{Err: &pgconn.PgError{Code: "23505"}}))
}
