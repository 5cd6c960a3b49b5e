package statements

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheStatementCacheKeepsNoLongTexts(t *testing.T) {
	c := NewCache(10)
	c.Put(newStatement(strings.Repeat("x", longestCached)))
	c.Put(newStatement(strings.Repeat("x", longestCached+1)))
	require.Equal(t, 1, c.Len())
}
