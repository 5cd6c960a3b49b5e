package sqltext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

// The texts that fuzzing starts from are in testdata/fuzz.

var languages = []*sqltext.Language{sqltext.PostgreSQL, sqltext.SQLite, sqltext.MySQL, {Rules: sqltext.Rules{DollarQuotes: true, EscapeStrings: true}}}

// FuzzTokens checks what must hold for every text: tokens cover it without gaps or overlaps,
// parameters look like parameters, and each token on its own is the same token.
func FuzzTokens(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range languages {
			pos := 0
			for tok := range l.Tokens(text, 0, len(text)) {
				if tok.Start != pos || tok.End <= tok.Start || tok.End > len(text) || tok != l.Next(text, tok.Start) {
					t.Fatalf("%+v at %d of %q", tok, pos, text)
				}
				pos = tok.End
				alone := text[tok.Start:tok.End]
				switch tok.Kind {
				case sqltext.Param:
					if alone[0] != ':' || len(alone) == 1 {
						t.Fatalf("%q of %q is no parameter", alone, text)
					}
				case sqltext.Native:
					if alone[0] == ':' { // x:a is one because of the x
						continue
					}
				case sqltext.ExecBegin: // the text after it must end
					alone += "*/"
				}
				if got := l.Next(alone, 0); got.Kind != tok.Kind || got.End != tok.End-tok.Start {
					t.Fatalf("%q of %q is %+v, but alone %+v", alone, text, tok, got)
				}
			}
			if end := l.Next(text, pos); pos != len(text) || end != (sqltext.Token{Kind: sqltext.End, Start: pos, End: pos}) {
				t.Fatalf("%q ends at %d with %+v", text, pos, end)
			}
		}
	})
}

// FuzzSplit checks that statements and the text between them make up the whole text, that only
// semicolons and blanks lie between them, and that each statement on its own is the same statement.
func FuzzSplit(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range languages {
			last := 0
			var joined strings.Builder
			between := func(from, to int) {
				for tok := range l.Tokens(text, from, to) {
					require.True(t, tok.Kind == sqltext.Semicolon || tok.Kind == sqltext.Space || tok.Kind == sqltext.Comment || tok.Kind == sqltext.Hint,
						"%q lies between statements of %q", text[tok.Start:tok.End], text)
				}
				joined.WriteString(text[from:to])
			}
			for st := range l.Statements(text) {
				require.LessOrEqual(t, last, st.From)
				require.LessOrEqual(t, st.From, st.Start)
				require.Less(t, st.Start, st.End)
				require.LessOrEqual(t, st.End, st.To)
				require.LessOrEqual(t, st.To, len(text))
				between(last, st.From)
				joined.WriteString(text[st.From:st.To])
				last = st.To

				if endsOtherwise(text[st.From:st.To]) {
					continue
				}
				alone := l.Split(text[st.From:st.To])
				require.Equal(t, []sqltext.Statement{{Verb: st.Verb, Block: st.Block, Start: st.Start - st.From, End: st.End - st.From, To: st.To - st.From}}, alone,
					"%q of %q", text[st.From:st.To], text)
				require.Equal(t, lowered(st.Verb), st.Verb)
			}
			between(last, len(text))
			require.Equal(t, text, joined.String())
		}
	})
}

// FuzzClassify checks that every text gets a verdict, that the verdict names a cause if it must
// have one, and that a comment before the text doesn't change it.
func FuzzClassify(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range languages {
			for st := range l.Statements(text) {
				v := l.Classify(text, st)
				if st.Verb != "" {
					require.Equal(t, v.Effects.Pipelines(), v.Cause == "", "%q: %+v", text, v)
				}
				if v.Returning > 0 {
					require.Equal(t, "returning", lowered(text[v.Returning:v.Returning+len("returning")]))
				}
				if endsOtherwise(text[st.From:st.To]) {
					continue
				}
				behind := "/* set x */ " + text[st.From:st.To]
				again := l.Split(behind)
				require.Len(t, again, 1)
				w := l.Classify(behind, again[0])
				require.Equal(t, v.Effects, w.Effects, behind)
				require.Equal(t, v.Cause, w.Cause, behind)
			}
		}
	})
}

// endsOtherwise reports whether the end of the text changes how a statement is read: in MySQL, --
// is a comment there but not before a semicolon.
func endsOtherwise(text string) bool { return strings.HasSuffix(text, "--") }

func lowered(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}
