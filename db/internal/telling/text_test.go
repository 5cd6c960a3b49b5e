package telling

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShortNeverCutsACharacter(t *testing.T) {
	for n := range 40 {
		got := Short("ab äöüß €uro 日本語のテキスト", n)
		require.True(t, strings.ToValidUTF8(got, "") == got, got)
		require.LessOrEqual(t, len(got), n+len(" …"))
	}
}

func TestLinesOfATextAreJoined(t *testing.T) {
	for text, want := range map[string]string{
		"one": "one", "a\nb": "a; b", " a \n\n  b\n": "a; b", "why:\n\tit is": "why: it is",
	} {
		require.Equal(t, want, OneLine(text))
	}
}
