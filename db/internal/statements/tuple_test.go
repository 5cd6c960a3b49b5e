package statements

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnInsertOfManyRowsKeepsItsComments(t *testing.T) {
	for source, want := range map[string]string{
		"/* a */ insert /*+ b */ into t /* c */ values /* d */ (:a, /* e */ :b) /* f */": "/* a */ insert /*+ b */ into t /* c */ values /* d */ (?, /* e */ ?), (?, /* e */ ?) /* f */",
		"insert into t values (:a) returning id -- b":                                    "insert into t values (?), (?) returning id -- b",
		"insert into t values (:a); -- b":                                                "insert into t values (?), (?); -- b",
	} {
		st, err := LanguageOf(question, 0).Parse(source)
		require.NoError(t, err)
		st.Changes = true
		require.Equal(t, want, LanguageOf(question, 0).Tuple(st).Form(2).Text)
	}
}
