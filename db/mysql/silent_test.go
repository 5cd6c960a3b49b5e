package mysql_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/mysql"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestNetworkIsSilentFromAnyMessageOn(t *testing.T) {
	srv := testserver.MariaDB(t, testserver.Config("max_connections=500"))
	for name, open := range map[string]func(ctx context.Context, at testserver.Target, patience time.Duration, opts ...db.Option) (*db.Engine, func() error, error){
		"URL": func(ctx context.Context, at testserver.Target, patience time.Duration, opts ...db.Option) (*db.Engine, func() error, error) {
			e, err := db.Open(ctx, at.URL()+"?cancel_timeout="+patience.String(), opts...)
			return e, nil, err
		},
		"OpenDB": func(ctx context.Context, at testserver.Target, patience time.Duration, opts ...db.Option) (*db.Engine, func() error, error) {
			pool, err := sql.Open("mysql", at.DSN())
			if err != nil {
				return nil, nil, err
			}
			e, err := mysql.OpenDB(ctx, pool, opts...)
			if err != nil {
				_ = pool.Close()
			}
			return e, pool.Close, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Silent{At: srv.Database(t), Frames: faultproxy.MySQL, Open: open}.Test(t)
		})
	}
}
