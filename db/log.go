package db

import (
	"context"
	"log/slog"

	"github.com/seed1239206e/repaint/db/internal/telling"
)

// Log writes statements and the steps of transactions to a logger: with level Debug, or Warn if they
// failed. The attributes include the parameters, with their Go types or, with [ShowParameters], their
// values, and the [LogToken] if there is one. A level that the logger doesn't want costs next to
// nothing.
func Log(l *slog.Logger) Option {
	level := func(err error) slog.Level {
		if err != nil {
			return slog.LevelWarn
		}
		return slog.LevelDebug
	}
	step := func(what string) func(ctx context.Context, x TxEvent) {
		return func(ctx context.Context, x TxEvent) {
			if !l.Enabled(ctx, level(x.Err)) {
				return
			}
			attrs := tokenAttr(nil, x.Token)
			if x.Savepoint != "" {
				attrs = append(attrs, slog.String("savepoint", x.Savepoint))
			}
			l.LogAttrs(ctx, level(x.Err), "db "+what, errAttr(attrs, x.Err)...)
		}
	}
	return OnEvents(Events{
		AfterExecute: func(ctx context.Context, x *Execution) {
			if !l.Enabled(ctx, level(x.Err)) {
				return
			}
			attrs := tokenAttr(nil, x.Token)
			attrs = append(attrs, slog.String("sql", telling.Short(x.Statement, 1000)), slog.Duration("took", x.Duration))
			if x.Op == "exec" {
				attrs = append(attrs, slog.Int64("affected", x.Affected))
			} else {
				attrs = append(attrs, slog.Int("rows", x.Rows))
			}
			if len(x.Params) > 0 {
				group := make([]any, 0, len(x.Params))
				for _, p := range x.Params {
					group = append(group, slog.String(p.Name, telling.Param(p.Value, x.telling)))
				}
				attrs = append(attrs, slog.Group("params", group...))
			}
			l.LogAttrs(ctx, level(x.Err), "db "+x.Op, errAttr(attrs, x.Err)...)
		},
		Begin: step("begin"), Savepoint: step("savepoint"), Commit: step("commit"), Rollback: step("rollback"),
	})
}

func tokenAttr(attrs []slog.Attr, token string) []slog.Attr {
	if token == "" {
		return attrs
	}
	return append(attrs, slog.String("token", token))
}

func errAttr(attrs []slog.Attr, err error) []slog.Attr {
	if err == nil {
		return attrs
	}
	return append(attrs, slog.String("err", err.Error()))
}
