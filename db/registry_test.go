package db

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMissingImportIsNamed(t *testing.T) {
	err := unknownDialect("sqlite", nil)
	require.ErrorIs(t, err, ErrUnknownDialect)
	require.ErrorContains(t, err, `no dialect is registered as "sqlite"; there are none; import _ "github.com/seed1239206e/repaint/db/sqlite"`)
	require.ErrorContains(t, unknownDialect("other", []string{"marks"}), `no dialect is registered as "other"; there are marks`)
	for other, own := range otherNames {
		require.ErrorContains(t, unknownDialect(other, []string{own}), `no dialect is registered as "`+other+`"; there are `+own+`; write `+own+`://`)
		require.Contains(t, ours, own)
	}
	require.ErrorContains(t, unknownDialect("other", nil), `there are none; import one, as in import _ "github.com/seed1239206e/repaint/db/sqlite"`)

	Register(named{})
	d, err := dialectOf("marks")
	require.NoError(t, err)
	require.Equal(t, named{}, d)
}

// named is a dialect that has only a name.
type named struct{ Dialect }

func (named) Name() string { return "marks" }
