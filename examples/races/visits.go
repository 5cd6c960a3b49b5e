package races

import (
	"context"

	"github.com/seed1239206e/repaint/db"
)

// CountVisitWrong counts a visit of a page. If the first two visitors come at once, it fails for
// one: both find no row to update, and both insert one.
func CountVisitWrong(ctx context.Context, e *db.Engine, page string) error {
	result, err := e.Exec(ctx, "update visits set n = n + 1 where page = :page", db.Named("page", page))
	if err != nil || result.RowsAffected() > 0 {
		return err
	}
	_, err = e.Exec(ctx, "insert into visits (page, n) values (:page, 1)", db.Named("page", page))
	return err
}

// CountVisitRight lets the database decide whether to insert or to update.
func CountVisitRight(ctx context.Context, e *db.Engine, page string) error {
	_, err := e.Exec(ctx, "insert into visits (page, n) values (:page, 1)"+
		" on conflict (page) do update set n = visits.n + 1", db.Named("page", page))
	return err
}
