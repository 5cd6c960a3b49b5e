package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

type bunMood string

// bunArrays has a column for each kind of array that bun knows, and what else is PostgreSQL's own.
type bunArrays struct {
	bun.BaseModel `bun:"table:arrays"`

	ID     int64             `bun:",pk"`
	Texts  []string          `bun:",array"`
	Ints   []int             `bun:",array"`
	Longs  []int64           `bun:",array"`
	Floats []float64         `bun:",array"`
	Bools  []bool            `bun:",array"`
	Moods  []bunMood         `bun:",array"`
	Times  []time.Time       `bun:"type:timestamptz[],array"`
	Bytes  [][]byte          `bun:"type:bytea[],array"`
	Maybe  *[]string         `bun:",array"`
	Fixed  [3]int            `bun:",array"`
	Store  map[string]string `bun:",hstore"`
	Raw    json.RawMessage   `bun:"type:jsonb"`
	Blob   []byte
	At     *time.Time
}

// What bun's suite demands of arrays, hstore, ranges and JSON of PostgreSQL: they come back as they
// were given, one by one and in batches, in conditions and updates.
func TestBunsArrays(t *testing.T) {
	agree(t, []string{"postgres"}, func(t *testing.T, ctx context.Context, d Doors, n *notes) {
		b := bun.NewDB(d.SQL, pgdialect.New())
		_, err := b.ExecContext(ctx, "create extension if not exists hstore")
		require.NoError(t, err)
		_, err = b.NewCreateTable().Model((*bunArrays)(nil)).Exec(ctx)
		require.NoError(t, err)
		at := time.Date(2024, 2, 29, 12, 34, 56, 789_000, time.UTC)
		maybe := []string{"here"}
		rows := []bunArrays{
			{
				ID: 1, Texts: []string{"", `a"b`, `c\d`, "e,f", "{g}", "NULL", " h ", "é\n", "?", "$1", "it's"}, Ints: []int{1, -2, math.MaxInt32},
				Longs: []int64{math.MinInt64, math.MaxInt64}, Floats: []float64{0.1, -1e300, 5e-324, math.Inf(1)}, Bools: []bool{true, false},
				Moods: []bunMood{"sad", "o,k"}, Times: []time.Time{at, {}}, Bytes: [][]byte{{0, 255, '"', '\\'}, {}}, Maybe: &maybe, Fixed: [3]int{7, 8, 9},
				Store: map[string]string{"a": `b"=>`, "": "x"}, Raw: json.RawMessage(`{"z": [1, null]}`),
				Blob: []byte{0, 1, 254}, At: &at,
			},
			{ID: 2, Texts: []string{}, Ints: []int{}, Longs: []int64{}, Floats: []float64{}, Bools: []bool{}, Moods: []bunMood{}, Raw: json.RawMessage(`null`)},
			{ID: 3},
		}
		_, err = b.NewInsert().Model(&rows[0]).Exec(ctx)
		require.NoError(t, err)
		batch := rows[1:]
		_, err = b.NewInsert().Model(&batch).Returning("*").Exec(ctx)
		require.NoError(t, err)
		var got []bunArrays
		require.NoError(t, b.NewSelect().Model(&got).Order("id").Scan(ctx))
		require.Equal(t, rows[0].Texts, got[0].Texts)
		require.Equal(t, rows[0].Longs, got[0].Longs)
		require.Equal(t, rows[0].Floats, got[0].Floats)
		require.Equal(t, rows[0].Bytes, got[0].Bytes)
		require.Equal(t, rows[0].Store, got[0].Store)
		require.Nil(t, got[2].Texts)
		for _, row := range got {
			text, err := json.Marshal(struct {
				bunArrays
				Floats, BaseModel string // JSON has no infinity
			}{row, fmt.Sprint(row.Floats), ""})
			require.NoError(t, err)
			n.add("%s; nil %v %v %v", text, row.Texts == nil, row.Ints == nil, row.Maybe == nil)
		}
		bunArrayQueries(t, ctx, b, n)
	})
}

func bunArrayQueries(t *testing.T, ctx context.Context, b *bun.DB, n *notes) {
	count := func(condition string, args ...any) int {
		c, err := b.NewSelect().Model((*bunArrays)(nil)).Where(condition, args...).Count(ctx)
		require.NoError(t, err)
		return int(c)
	}
	require.Equal(t, 1, count("texts @> ?", pgdialect.Array([]string{"it's", "e,f"})))
	require.Equal(t, 2, count("id = any (?)", pgdialect.Array([]int64{1, 3, 5})))
	require.Equal(t, 2, count("id in (?)", bun.List([]int{1, 2})))
	require.Equal(t, 1, count("store -> ? = ?", "a", `b"=>`))
	require.Equal(t, 1, count(`raw \? 'z'`))
	_, err := b.NewUpdate().Model((*bunArrays)(nil)).Set("texts = array_append(texts, ?)", "more").Set("ints = ?", pgdialect.Array([]int{4})).
		Set("store = ?", pgdialect.HStore(map[string]string{"new": "1"})).Where("id = 2").Exec(ctx)
	require.NoError(t, err)
	var texts []string
	var ints []int
	require.NoError(t, b.NewSelect().Model((*bunArrays)(nil)).Column("texts", "ints").Where("id = 2").
		Scan(ctx, pgdialect.Array(&texts), pgdialect.Array(&ints)))
	n.add("%q %v", texts, ints)
	require.Equal(t, 1, count("store = ?", pgdialect.HStore(map[string]string{"new": "1"})))
	values := []bunArrays{{ID: 1, Longs: []int64{1}}, {ID: 3, Longs: []int64{3, 3}}}
	_, err = b.NewUpdate().With("_data", b.NewValues(&values)).Model((*bunArrays)(nil)).TableExpr("_data").
		Set("longs = _data.longs").Where("bun_arrays.id = _data.id").Exec(ctx)
	require.NoError(t, err)
	var longs [][]int64
	rows, err := b.QueryContext(ctx, "select longs from arrays order by id")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var one []int64
		require.NoError(t, rows.Scan(pgdialect.Array(&one)))
		longs = append(longs, one)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, [][]int64{{1}, {}, {3, 3}}, longs)
	var span pgdialect.Range[time.Time]
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, b.NewSelect().ColumnExpr("?::tstzrange", pgdialect.NewRange(from, from.Add(time.Hour))).Scan(ctx, &span))
	n.add("%v %v %c %c", span.Lower.UTC(), span.Upper.UTC(), span.LowerBound, span.UpperBound)
	var row map[string]any
	require.NoError(t, b.NewSelect().Table("arrays").Column("texts", "ints", "store", "blob", "times").Where("id = 3").Scan(ctx, &row))
	n.add("%v", row)
	require.Error(t, b.NewSelect().Model((*bunArrays)(nil)).Column("texts").Where("id = 1").Scan(ctx, pgdialect.Array(&longs)))
}
