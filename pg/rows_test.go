package pg

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Scanned values are the caller's own: changing one doesn't change values that are scanned later.
func TestScannedValuesShareNoMemory(t *testing.T) {
	const sql = `select '\x616263'::bytea, '{"a": "b"}'::jsonb, '{"a": "b"}'::json, 'abc'::text, array['\x616263'::bytea], row('\x616263'::bytea), n from generate_series(1, 300) n`
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		for name, query := range map[string]func(ctx context.Context, sql string, args ...any) (pgx.Rows, error){"query": db.Query, "stream": db.Stream} {
			rows, err := query(ctx, sql)
			require.NoError(t, err)
			kept := [][]byte{}
			for rows.Next() {
				for range 2 {
					values := scanAll(t, rows)
					for i, v := range values {
						require.Contains(t, []string{"abc", `{"a": "b"}`}, string(v), "%s, value %d", name, i)
						v[0] = 'x'
					}
					kept = append(kept, values...)
				}
			}
			require.NoError(t, rows.Err())
			require.NotEmpty(t, kept)
			for _, v := range kept {
				require.Equal(t, byte('x'), v[0], "what comes later leaves it alone")
			}
		}
	})
}

// scanAll returns the bytes that the current row was scanned into, in all the ways there are.
func scanAll(t *testing.T, rows pgx.Rows) [][]byte {
	var (
		all, inJSON, asText, inList []byte
		raw, rawText                json.RawMessage
		anything, list, record, n   any
		inRecord                    []byte
	)
	require.NoError(t, rows.Scan(&all, &inJSON, &asText, &raw, &list, &record, &n))
	inList = list.([]any)[0].([]byte)
	inRecord = record.([]any)[0].([]byte)
	values, err := rows.Values()
	require.NoError(t, err)
	require.NoError(t, rows.Scan(&anything, &raw, &rawText, nil, nil, nil, nil))
	return [][]byte{all, inJSON, asText, inList, inRecord, anything.([]byte), raw, rawText, values[0].([]byte), values[4].([]any)[0].([]byte), values[5].([]any)[0].([]byte)}
}
