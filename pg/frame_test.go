package pg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

var errInterrupted = errors.New("interrupted")

// A dribble returns its data in pieces of random size, with errors in between.
type dribble struct {
	rest   []byte
	random *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) {
	if d.random.IntN(3) == 0 {
		return 0, errInterrupted
	}
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := 1 + d.random.IntN(min(len(p), len(d.rest)))
	if d.random.IntN(2) == 0 {
		n = min(n, 7)
	}
	copy(p, d.rest[:n])
	d.rest = d.rest[n:]
	return n, nil
}

func frame(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	return append(b, body...)
}

// Messages come out as they went in, however they arrive, and however often reading them is
// interrupted.
func TestFramesAreWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var all []byte
		var want [][]byte
		for range random.IntN(60) {
			size := random.IntN(50)
			switch random.IntN(20) {
			case 0:
				size = random.IntN(3 * keptBuffer)
			case 1, 2:
				size = random.IntN(2 * readBuffer)
			}
			body := make([]byte, size)
			for i := 0; i < size; i += 1 + random.IntN(100) {
				body[i] = byte(random.Uint32())
			}
			want = append(want, body)
			all = append(all, frame('D', body)...)
		}
		f := newFramer(&dribble{all, random}, 0)
		next := func() (byte, []byte, error) {
			for {
				kind, body, err := f.next()
				if err != errInterrupted {
					return kind, body, err
				}
			}
		}
		for _, body := range want {
			kind, got, err := next()
			require.NoError(t, err)
			require.Equal(t, byte('D'), kind)
			require.True(t, bytes.Equal(body, got))
		}
		_, _, err := next()
		require.Equal(t, io.ErrUnexpectedEOF, err)
	}
}

func TestFramesThatCanNotBeAreRefused(t *testing.T) {
	refuse := func(b []byte, most int) error {
		f := newFramer(bytes.NewReader(b), most)
		_, _, err := f.next()
		require.Error(t, err)
		return err
	}
	require.ErrorIs(t, refuse([]byte{'D', 0, 0, 0, 3}, 0), ErrProtocol)
	require.ErrorIs(t, refuse([]byte{'D', 0xff, 0xff, 0xff, 0xff}, 0), ErrProtocol)
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	require.ErrorAs(t, refuse(frame('D', make([]byte, 11)), 10), &tooLong)
	require.Equal(t, io.ErrUnexpectedEOF, refuse(frame('D', []byte("cut"))[:6], 0))

	// A message that announces a large size takes no more memory than the bytes that have come.
	f := newFramer(io.MultiReader(bytes.NewReader([]byte{'D', 0x7f, 0, 0, 0}), bytes.NewReader(make([]byte, 100<<10))), 0)
	_, _, err := f.next()
	require.Equal(t, io.ErrUnexpectedEOF, err)
	require.LessOrEqual(t, len(f.buf), 4*readBuffer)

	_, err = f.decode('x', nil)
	require.ErrorIs(t, err, ErrProtocol)
	_, err = f.decode('Z', nil)
	require.ErrorIs(t, err, ErrProtocol)
}

// A large message costs its memory only for a while.
func TestTheFramersBufferShrinksAgain(t *testing.T) {
	for size, after := range map[int]int{2 * readBuffer: keptFor + 2, 2 * keptBuffer: 1} {
		var all []byte
		all = append(all, frame('D', make([]byte, size))...)
		for range after + 1 {
			all = append(all, frame('D', nil)...)
		}
		f := newFramer(fiveBytes{bytes.NewReader(all)}, 0)
		_, body, err := f.next()
		require.NoError(t, err)
		require.Len(t, body, size)
		require.Greater(t, len(f.buf), size)
		for range after + 1 {
			_, _, err := f.next()
			require.NoError(t, err)
		}
		require.Len(t, f.buf, readBuffer)
	}
}

// fiveBytes reads five bytes at a time, so that the buffer is empty between small messages.
type fiveBytes struct{ r io.Reader }

func (o fiveBytes) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 5)]) }
