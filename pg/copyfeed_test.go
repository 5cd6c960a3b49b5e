package pg

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/nonblock"
)

// twoPieces is a source with more data than one message has. It calls in in each piece.
func twoPieces(in func(piece int)) pgx.CopyFromSource {
	row, long := 0, make([]byte, copyPiece)
	return pgx.CopyFromFunc(func() ([]any, error) {
		if row++; row > 2 {
			return nil, nil
		}
		in(row)
		return []any{long}, nil
	})
}

// A goroutine reads for its own COPY until the first piece of data is more than one. A loop reads
// for its task.
func TestWhoReadsForACopy(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create table t (b bytea)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		var roles []role
		_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"b"}, twoPieces(func(int) {
			s.s.mu.Lock()
			defer s.s.mu.Unlock()
			roles = append(roles, s.s.conns[0].role)
		}))
		require.NoError(t, err)
		switch {
		case !c.loop:
			require.Equal(t, []role{caller, resident}, roles)
		case runtime.GOOS == "linux" && nonblock.Supported:
			require.Equal(t, []role{looped, looped}, roles)
		}
		require.Equal(t, 2, count(t, ctx, db, "t"))
	})
}

// A short COPY is two writes: the questions, and the data with their end. Its memory is as short.
func TestAShortCopyIsTwoWrites(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create table t (id int)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		writes := func() uint64 {
			s.s.mu.Lock()
			defer s.s.mu.Unlock()
			return s.s.stats.Writes
		}
		const copies = 20
		var before, after runtime.MemStats
		was := writes()
		runtime.ReadMemStats(&before)
		for range copies {
			_, err := s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
			require.NoError(t, err)
		}
		runtime.ReadMemStats(&after)
		require.EqualValues(t, 2*copies, writes()-was)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/copies, uint64(copyPiece/2), "bytes for one COPY")
	})
}

// Whatever happens to the session while a caller makes data, and nothing may be read, ends the COPY.
func TestACopyWhoseSessionEndsWhileItsDataAreMade(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, s *Session, kill func()){
		"closed":     func(ctx context.Context, s *Session, _ func()) { _ = s.Close(ctx) },
		"released":   func(_ context.Context, s *Session, _ func()) { s.Release() },
		"terminated": func(_ context.Context, _ *Session, kill func()) { kill() },
		"db closed": func(ctx context.Context, s *Session, _ func()) {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_ = s.db.Close(ended) // by force
		},
	} {
		for _, piece := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s in piece %d", name, piece), func(t *testing.T) {
				bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
					db, target := open(t, "&pool_sessions=1&cancel_timeout=100ms")
					target.MustQuery(t, "create table t (b bytea)")
					s, err := db.Acquire(ctx)
					require.NoError(t, err)
					defer s.Release()
					kill := func() {
						target.MustQuery(t, "select pg_terminate_backend(pid, 60000) from pg_stat_activity where query like 'copy%'")
					}
					_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"b"}, twoPieces(func(now int) {
						if now == piece {
							end(ctx, s, kill)
						}
					}))
					require.Error(t, err)
					require.Equal(t, "0", target.MustQuery(t, "select count(*) from t"))
				})
			})
		}
	}
}
