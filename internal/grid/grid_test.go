package grid

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATableInMarkdownAndAsText(t *testing.T) {
	table := New("", "calls/s", "note")
	table.Columns[1].Width, table.Columns[2].Left = 9, true
	table.Row("a pool", "1,000", "x|y")
	table.Row("größer", "22")
	require.Equal(t, 2, table.Len())
	var markdown, text strings.Builder
	table.Markdown(&markdown)
	require.Equal(t, "| | calls/s | note |\n| --- | ---: | --- |\n| a pool | 1,000 | x\\|y |\n| größer | 22 | |\n", markdown.String())
	table.Text(&text, 1)
	require.Equal(t, "          calls/s note\n a pool     1,000 x|y\n größer        22\n", text.String())
	require.PanicsWithValue(t, "grid: a row of 4 cells for 3 columns", func() { table.Row("1", "2", "3", "4") })
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0.000", 0.12345: "0.123", 0.9996: "1.00", 9.994: "9.99", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 999.6: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, Figure(v))
	}
	require.Equal(t, "–", Known(0))
	require.Equal(t, "0.500", Known(0.5))
	for v, want := range map[float64]string{0.5: "0.50", 9.94: "9.94", 9.96: "10.0", 99.6: "100", 1234: "1,234"} {
		require.Equal(t, want, Short(v))
	}
	for v, want := range map[float64]string{0: "0", -100: "-100", -1000: "-1,000", 999: "999", 123456.7: "123,457"} {
		require.Equal(t, want, Whole(v))
	}
}
