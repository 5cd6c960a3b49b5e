package webpage

import (
	"errors"
	"html"
	"html/template"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hostile = `</script><img src=x onerror=alert(1)><!--"'&`

func TestEverythingThatComesFromElsewhereIsEscaped(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Write(&out, Page{
		Title:  hostile,
		Style:  ".own{}",
		Script: "own();",
		Body:   template.Must(template.New("").Parse(`<p title="{{.}}">{{.}}</p>`)),
		View:   hostile,
		Data:   map[string]string{hostile: hostile},
	}))
	require.NotContains(t, out.String(), "<img")
	require.Equal(t, 2, strings.Count(out.String(), "</script>"), "of the data and of the script")
	require.Contains(t, out.String(), ".own{}")
	require.Contains(t, out.String(), "own();")
}

func TestPageAllowsOnlyItsOwnScriptAndNoNetwork(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Write(&out, Page{Body: template.Must(template.New("").Parse("x"))}))
	require.Regexp(t, `content="default-src 'none';.*script-src 'sha256-[^']+'`, html.UnescapeString(out.String()))
	require.NotRegexp(t, regexp.MustCompile(`(src|href)=`), out.String())
	require.NotContains(t, out.String(), `id="data"`)
}

func TestErrorsSayWhichPage(t *testing.T) {
	body := template.Must(template.New("").Parse("{{.None.Such}}"))
	require.ErrorContains(t, Write(new(strings.Builder), Page{Title: "one", Body: body, View: struct{}{}}), `making the page "one"`)
	full := errors.New("full")
	err := Write(failing{full}, Page{Title: "one", Body: template.Must(template.New("").Parse("x"))})
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, `writing the page "one"`)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
