package pg

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// A LogTracer is a Config.Tracer that writes to a log. Failed statements and connections have the
// level Error, slow statements Warn, all others Debug. It logs how long each took, and the text of
// the statement, shortened, but never its arguments. Set Logger before the first use, and change no
// field after it. Any goroutine may call its methods; a DB does.
type LogTracer struct {
	Logger *slog.Logger  // must not be nil
	Slow   time.Duration // a statement that takes at least as long is a warning; with 0 none is
}

var (
	_ pgx.QueryTracer    = (*LogTracer)(nil)
	_ pgx.BatchTracer    = (*LogTracer)(nil)
	_ pgx.CopyFromTracer = (*LogTracer)(nil)
	_ pgx.PrepareTracer  = (*LogTracer)(nil)
	_ pgx.ConnectTracer  = (*LogTracer)(nil)
	_ RoleTracer         = (*LogTracer)(nil)
)

// logged is what the context carries from a statement's start to its end.
type logged struct {
	what  string
	start time.Time
}

type loggedKey struct{}

func begin(ctx context.Context, what string) context.Context {
	return context.WithValue(ctx, loggedKey{}, logged{what, time.Now()})
}

func (l *LogTracer) end(ctx context.Context, message, tag string, err error) {
	one, _ := ctx.Value(loggedKey{}).(logged)
	took := time.Since(one.start)
	attrs := []slog.Attr{slog.Duration("took", took)}
	if one.what != "" {
		attrs = append(attrs, slog.String("sql", one.what))
	}
	if tag != "" {
		attrs = append(attrs, slog.String("tag", tag))
	}
	level := slog.LevelDebug
	switch {
	case err != nil:
		level = slog.LevelError
		attrs = append(attrs, slog.Any("err", err))
	case l.Slow > 0 && took >= l.Slow:
		level = slog.LevelWarn
	}
	l.Logger.LogAttrs(ctx, level, message, attrs...)
}

// TraceQueryStart implements pgx.QueryTracer.
func (l *LogTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return begin(ctx, shorten(data.SQL))
}

// TraceQueryEnd implements pgx.QueryTracer.
func (l *LogTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	l.end(ctx, "query", data.CommandTag.String(), data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (l *LogTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return begin(ctx, "")
}

// TraceBatchQuery implements pgx.BatchTracer.
func (l *LogTracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	l.Logger.LogAttrs(ctx, slog.LevelDebug, "query of a batch", slog.String("sql", shorten(data.SQL)), slog.String("tag", data.CommandTag.String()))
}

// TraceBatchEnd implements pgx.BatchTracer.
func (l *LogTracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	l.end(ctx, "batch", "", data.Err)
}

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (l *LogTracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	return begin(ctx, "copy "+data.TableName.Sanitize())
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (l *LogTracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	l.end(ctx, "copy", data.CommandTag.String(), data.Err)
}

// TracePrepareStart implements pgx.PrepareTracer.
func (l *LogTracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	return begin(ctx, shorten(data.SQL))
}

// TracePrepareEnd implements pgx.PrepareTracer.
func (l *LogTracer) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareEndData) {
	l.end(ctx, "prepare", "", data.Err)
}

// TraceConnectStart implements pgx.ConnectTracer.
func (l *LogTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return begin(ctx, "")
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (l *LogTracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	l.end(ctx, "connect", "", data.Err)
}
