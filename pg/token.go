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

// A Token is a position in the database's log of changes, the WAL. What was committed before the
// token was taken is before that position, so a standby that has replayed the log up to there shows
// it. See [DB.Token] and [WaitFor].
//
// A position alone isn't enough. After a failover another log continues the old one, from the
// position that the new primary had come to: so the token has the number of its log, the timeline,
// too.
//
// A Token is a comparable value, and is a text in a cookie, a header or in JSON: "1:0/16B3748". The
// zero Token stands for nothing, and is "".
type Token struct {
	Timeline uint32 // 0: whichever log is continued at present
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

// UnmarshalText reads what MarshalText has written.
func (t *Token) UnmarshalText(text []byte) error {
	read, err := ParseToken(string(text))
	if err == nil {
		*t = read
	}
	return err
}

// ParseToken reads a token's text. A position as PostgreSQL writes it, "0/16B3748", is one without
// a timeline. The text "" is the zero Token.
//
// A text that comes from a browser may be anything. The worst that an invented one does is to make
// its own reads wait for Config.TokenWait, or fail.
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

// ErrTokenLost says that what a [Token] stands for isn't in the database any more, or may not be:
// the log that it was taken from ended before it, in a failover, and the changes after that end are
// lost. The token says nothing about the present database: drop it, and take another one after the
// next write.
var ErrTokenLost = errors.New("pg: what the token stands for is lost")

type tokenKey struct{}

// WaitFor returns a context for what must see a write of before: a [Reader] that reads from a
// standby does so under this context only where the standby has replayed the log up to the token.
// It waits for that for Config.TokenWait at most. Then it reads from the primary, or fails with
// [ErrNoStandby] if it may not.
//
// What runs on the primary has nothing to wait for. Of two tokens the later one counts; the zero
// Token adds nothing.
func WaitFor(ctx context.Context, t Token) context.Context {
	if was := tokenOf(ctx); t == (Token{}) || was.Timeline == t.Timeline && was.LSN >= t.LSN {
		return ctx
	}
	return context.WithValue(ctx, tokenKey{}, t)
}

// tokenOf returns the token of a context, the zero one if it has none.
func tokenOf(ctx context.Context) Token {
	t, _ := ctx.Value(tokenKey{}).(Token)
	return t
}

// tokenSQL asks for the position where the next change would be put. Only that is beyond each
// commit that was acknowledged: with synchronous_commit=off a commit is acknowledged before it is
// written, so the positions that were written and flushed may be before it.
const tokenSQL = `select (pg_current_wal_insert_lsn() - '0/0')::text, pg_walfile_name(pg_current_wal_insert_lsn()),
 current_setting('wal_block_size'), pg_size_bytes(current_setting('wal_segment_size'))::text`

// Token returns a position after everything that was committed, and acknowledged, before the call:
// by this DB, or by any other client of the server. Call it after a write, and give what it returns
// to [WaitFor], here or in the process that serves the next request. It is a short query on a lane,
// so it has a server with a primary's rights: on a standby it fails.
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

// beforeHeader takes off the header of a page that has nothing else. The next change would be put
// after the header, but a standby that has replayed all there is stands before it, until there is
// another change.
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

// isRecoveryConflict reports whether a standby has cancelled a statement since it was in the way of
// the replay. Functions of the application can raise such codes, too, but not in the server's own
// voice.
func isRecoveryConflict(e *pgconn.PgError) bool {
	if e.Code != "40001" && e.Code != "40P01" {
		return false
	}
	return strings.HasPrefix(e.Routine, "Process") || strings.Contains(e.Message, "conflict with recovery")
}
