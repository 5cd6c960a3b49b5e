package mysql_test

import (
	"context"
	"testing"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestWhatStatementsLeaveBehind(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t (id int)", "create table watched (id int)", "create table keyed (id int auto_increment primary key)",
			"create trigger watch after insert on watched for each row set @a = new.id",
			"create function leave_some() returns int begin set @a = 1; return get_lock('a', 0); end",
			"create procedure leave_all() begin set @a = 1; do get_lock('a', 0); end")
		dbtest.CheckLeftovers(t, ctx, e, "MySQL and MariaDB", func(ctx context.Context, q db.Querier) (string, error) {
			return db.Scalar[string](ctx, q, `select concat_ws(' ', found_rows(), last_insert_id(), @a, is_used_lock('a') = connection_id(),
				database() = 'mysql', @@sql_mode = '', @@time_zone, @@character_set_client, current_role())`)
		})
	}, db.PoolSize(1), db.MaxOverflow(0))
}
