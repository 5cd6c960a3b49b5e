package statements

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAListThatMayEndItsParenthesesIsKnown(t *testing.T) {
	for text, ends := range map[string]bool{
		"": false, "select 1 from (select 1) as x where 1 != 1": false, "null) || '{}'::bool[] @> ('{t}'::bool[]": true, ")": true,
	} {
		require.Equal(t, ends, endsParentheses(text), text)
	}
}
