package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/internal/red"
	"github.com/seed1239206e/repaint/loop"
)

// A Token is a position in the database's log of changes, the WAL. Everything that was committed
// before the token was taken is before that position, so a standby that has replayed the log up to
// there shows it. See [DB.Token] and [WaitFor].
//
// A position alone isn't enough. After a failover another log continues the old one, from the
// position that the new primary had reached. So the token also has the number of its log, the
// timeline.
//
// A Token is comparable. Its text, such as "1:0/16B3748", fits into a cookie, a header or JSON. The
// zero Token stands for nothing, and its text is "".
type Token struct {
	Timeline uint32 // 0: the log that is continued at present
	LSN      uint64
}

// String returns the token's text, which [ParseToken] reads.
func (t Token) String() string {
	switch lsn := fmt.Sprintf("%X/%X", t.LSN>>32, uint32(t.LSN)); {
	case t == Token{}:
		return ""
	case t.Timeline == 0:
		return lsn
	default:
		return strconv.FormatUint(uint64(t.Timeline), 10) + ":" + lsn
	}
}

// MarshalText returns the token's text.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText has written. If the text is no token, it returns an error
// and leaves t unchanged.
func (t *Token) UnmarshalText(text []byte) error {
	read, err := ParseToken(string(text))
	if err == nil {
		*t = read
	}
	return err
}

// ParseToken reads a token's text. A position as PostgreSQL writes it, "0/16B3748", is a token
// without a timeline. The text "" is the zero Token. Any other text is an error.
//
// A text that comes from a browser may be anything. An invented token can only make its own reads
// wait for Config.TokenWait, or fail.
func ParseToken(text string) (Token, error) {
	if text == "" {
		return Token{}, nil
	}
	var t Token
	timeline, lsn, has := strings.Cut(text, ":")
	if !has {
		timeline, lsn = "0", text
	}
	high, low, has := strings.Cut(lsn, "/")
	n, err := strconv.ParseUint(timeline, 10, 32)
	h, errHigh := strconv.ParseUint(high, 16, 32)
	l, errLow := strconv.ParseUint(low, 16, 32)
	if !has || errors.Join(err, errHigh, errLow) != nil {
		return t, fmt.Errorf("pg: %.40q is no token: it is what Token.String returns, such as 1:0/16B3748", text)
	}
	return Token{Timeline: uint32(n), LSN: h<<32 | l}, nil
}

// ErrTokenLost says that the database doesn't have what a [Token] stands for any more, or may not
// have it: in a failover, the log that the token was taken from ended before the token's position,
// and the changes after that end are lost. The token says nothing about the present database: drop
// it, and take another one after the next write.
var ErrTokenLost = errors.New("pg: what the token stands for is lost")

type tokenKey struct{}

// WaitFor returns a context for reads that must see an earlier write. Under it, a [Reader] uses a
// standby only once that has replayed the log up to the token. The read waits for that for
// Config.TokenWait at most. Then it uses the primary, or fails with [ErrNoStandby] if it may not.
//
// Statements on the primary needn't wait. If ctx already has a token of the same timeline, the
// later of the two counts; a token of another timeline replaces it. The zero Token changes nothing.
func WaitFor(ctx context.Context, t Token) context.Context {
	if was := tokenOf(ctx); t == (Token{}) || was.Timeline == t.Timeline && was.LSN >= t.LSN {
		return ctx
	}
	return context.WithValue(ctx, tokenKey{}, t)
}

// tokenOf returns the context's token, or the zero Token if it has none.
func tokenOf(ctx context.Context) Token {
	t, _ := ctx.Value(tokenKey{}).(Token)
	return t
}

// tokenSQL asks for the position at which the next change would be inserted. Only that one is
// certainly after every acknowledged commit: with synchronous_commit=off the server acknowledges a
// commit before it writes it, so the positions that are written and flushed may be before the
// commit.
const tokenSQL = `select (pg_current_wal_insert_lsn() - '0/0')::text, pg_walfile_name(pg_current_wal_insert_lsn()),
 current_setting('wal_block_size'), pg_size_bytes(current_setting('wal_segment_size'))::text`

// Token returns a position after everything that was committed and acknowledged before the call, by
// this DB or by any other client of the server. Call it after a write, and give the token to
// [WaitFor], here or in the process that serves the next request. It executes a short query on a
// lane. Only a primary can answer that: on a standby it fails. Any goroutine may call it.
func (db *DB) Token(ctx context.Context) (Token, error) {
	var position, file, block, segment string
	if err := db.QueryRow(ctx, tokenSQL).Scan(&position, &file, &block, &segment); err != nil {
		return Token{}, fmt.Errorf("pg: taking a token: %w", err)
	}
	var n [4]uint64
	var errs [4]error
	n[0], errs[0] = strconv.ParseUint(position, 10, 64)
	n[1], errs[1] = strconv.ParseUint(file[:min(8, len(file))], 16, 32)
	n[2], errs[2] = strconv.ParseUint(block, 10, 32)
	n[3], errs[3] = strconv.ParseUint(segment, 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return Token{}, fmt.Errorf("pg: taking a token: %w", err)
	}
	return Token{Timeline: uint32(n[1]), LSN: beforeHeader(n[0], n[2], n[3])}, nil
}

// Sizes of the headers of the log's pages: of the first one in a file, and of the others.
const (
	longHeader  = 40
	shortHeader = 24
)

// beforeHeader subtracts the header of a page that contains nothing else. The next change would be
// put after the header. A standby that has replayed everything stands before the header until there
// is another change.
func beforeHeader(lsn, block, segment uint64) uint64 {
	switch {
	case block == 0 || segment == 0:
	case lsn%segment == longHeader:
		return lsn - longHeader
	case lsn%block == shortHeader:
		return lsn - shortHeader
	}
	return lsn
}

// Token is [DB.Token].
func (a Async) Token(ctx context.Context) *loop.Future[Token] {
	return red.Call(ctx, func(ctx context.Context) (Token, error) { return a.db.Token(ctx) })
}

// isRecoveryConflict reports whether a standby has cancelled a statement because it was in the way
// of the replay. Functions of the application can raise the same codes, but without the server's
// own routine or message.
func isRecoveryConflict(e *pgconn.PgError) bool {
	if e.Code != "40001" && e.Code != "40P01" {
		return false
	}
	return strings.HasPrefix(e.Routine, "Process") || strings.Contains(e.Message, "conflict with recovery")
}
