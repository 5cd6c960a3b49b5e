package pg

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// Rows come out as they went in, whatever their sizes. And appending to a value can't overwrite the
// next one.
func TestRowStoreKeepsRows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s rowStore
		var want [][][]byte
		for range random.IntN(100) {
			row := make([][]byte, random.IntN(6))
			for i := range row {
				switch random.IntN(10) {
				case 0: // null
				case 1:
					row[i] = []byte{}
				case 2:
					row[i] = bytes.Repeat([]byte{byte(i)}, random.IntN(mostChunk*2))
				default:
					row[i] = bytes.Repeat([]byte{byte(i)}, random.IntN(30))
				}
			}
			body, err := (&pgproto3.DataRow{Values: row}).Encode(nil)
			require.NoError(t, err)
			require.True(t, wellFormed(body[frameHeader:]))
			s.add(arrivingRow{body[frameHeader:], false})
			want = append(want, row)
		}
		c := s.cursor()
		for _, row := range want {
			got, ok := c.next()
			require.True(t, ok)
			require.Equal(t, len(row), got.count)
			for i := range row {
				v := got.value()
				require.Equal(t, row[i], v)
				require.Equal(t, len(v), cap(v))
			}
			require.Empty(t, got.bytes)
		}
		_, ok := c.next()
		require.False(t, ok)
	}
}

func TestRowsThatLieAreRefused(t *testing.T) {
	for _, body := range []string{"", "\x00", "\x00\x01", "\x00\x01\x00\x00\x00", "\x00\x01\x00\x00\x00\x02a", "\x00\x01\xff\xff\xff\xfe",
		"\x00\x01\x7f\xff\xff\xff", "\x00\x00a", "\x00\x01\x00\x00\x00\x01ab", "\xff\xff\xff\xff\xff\xff"} {
		require.False(t, wellFormed([]byte(body)), "%q", body)
	}
	for _, body := range []string{"\x00\x00", "\x00\x01\xff\xff\xff\xff", "\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01a"} {
		require.True(t, wellFormed([]byte(body)), "%q", body)
	}
}
