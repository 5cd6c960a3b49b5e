package races_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/examples/races"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

func TestMain(m *testing.M) { testserver.Main(m) }

const schema = `
create table item (name text primary key, stock int not null);
create table voucher (code text primary key);
create table redemption (voucher text not null);
create table account (balance int not null);
create table cart (price int not null);
create table ordered (total int not null, items int not null);
create table member (name text not null);
create table member_unique (name text unique not null);
create table job (id int primary key, worker text, runs int not null);
create table work (id int primary key, done bool not null);
create table doctor (name text primary key, on_call bool not null);
create table visits (page text primary key, n int not null);
create table holding (holder text primary key, balance int not null);
create table product (price int not null);
create table schema_version (version int not null)`

// reset is the SQL with which each schedule begins.
const reset = `
delete from item; insert into item values ('lamp', 1);
delete from voucher; insert into voucher values ('XMAS'); delete from redemption;
delete from account; insert into account values (100);
delete from cart; insert into cart values (10); delete from ordered;
delete from member; delete from member_unique;
delete from job; insert into job values (1, null, 0), (2, null, 0);
delete from work; insert into work values (1, false);
delete from doctor; insert into doctor values ('ada', true), ('bob', true);
delete from visits;
delete from holding; insert into holding values ('ada', 100), ('bob', 100);
delete from product; insert into product values (10);
delete from schema_version; insert into schema_version values (0)`

// task is the work of one user.
type task func(ctx context.Context, e *db.Engine) error

var cases = []struct {
	name         string
	wrong, right [2]task
	check        string // a query that returns how many faults there are
	fine         error  // the error that one of the two may get
}{
	{"oversold stock",
		twice(func(ctx context.Context, e *db.Engine) error { return races.BuyWrong(ctx, e, "lamp") }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.BuyRight(ctx, e, "lamp") }),
		"select count(*) from item where stock < 0", races.ErrSoldOut},
	{"voucher used twice",
		twice(func(ctx context.Context, e *db.Engine) error { return races.RedeemWrong(ctx, e, "XMAS") }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.RedeemRight(ctx, e, "XMAS") }),
		"select count(*) - 1 from redemption", races.ErrUsed},
	{"lost update",
		twice(func(ctx context.Context, e *db.Engine) error { return races.WithdrawWrong(ctx, e, 10) }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.WithdrawRight(ctx, e, 10) }),
		"select count(*) from account where balance <> 80", nil},
	{"cart changed at checkout",
		[2]task{races.CheckoutWrong, races.AddToCart},
		[2]task{races.CheckoutRight, races.AddToCart},
		"select count(*) from ordered where total <> 10 * items", nil},
	{"duplicate name",
		twice(func(ctx context.Context, e *db.Engine) error { return races.RegisterWrong(ctx, e, "ada") }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.RegisterRight(ctx, e, "ada") }),
		"select greatest(count(*) - 1, 0) from member", races.ErrTaken},
	{"job taken twice",
		twice(func(ctx context.Context, e *db.Engine) error { return races.ClaimWrong(ctx, e, "w") }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.ClaimRight(ctx, e, "w") }),
		"select count(*) from job where runs > 1", nil},
	{"job left undone", // by a worker that skips a job whose own worker then fails
		[2]task{drains(races.DrainWrong, fails), drains(races.DrainWrong, works)},
		[2]task{drains(races.DrainRight, fails), drains(races.DrainRight, works)},
		"select count(*) from work where not done", errBroken},
	{"write skew",
		[2]task{leaves(races.LeaveWrong, "ada"), leaves(races.LeaveWrong, "bob")},
		[2]task{leaves(races.LeaveRight, "ada"), leaves(races.LeaveRight, "bob")},
		"select case when bool_or(on_call) then 0 else 1 end from doctor", races.ErrLastOnCall},
	{"upsert",
		twice(func(ctx context.Context, e *db.Engine) error { return races.CountVisitWrong(ctx, e, "/") }),
		twice(func(ctx context.Context, e *db.Engine) error { return races.CountVisitRight(ctx, e, "/") }),
		"select count(*) from visits where n <> 2", nil},
	{"deadlock of transfers",
		[2]task{moves(races.TransferWrong, "ada", "bob"), moves(races.TransferWrong, "bob", "ada")},
		[2]task{moves(races.TransferRight, "ada", "bob"), moves(races.TransferRight, "bob", "ada")},
		"select count(*) from holding where balance <> 100", nil},
	{"migrated twice",
		twice(races.MigrateWrong),
		twice(races.MigrateRight),
		"select count(*) from product where price <> 1000", nil},
}

func twice(t task) [2]task { return [2]task{t, t} }

var errBroken = errors.New("the worker is broken")

func works(context.Context, *db.Tx, int) error { return nil }
func fails(context.Context, *db.Tx, int) error { return errBroken }

func drains(drain func(ctx context.Context, e *db.Engine, do races.Job) error, do races.Job) task {
	return func(ctx context.Context, e *db.Engine) error { return drain(ctx, e, do) }
}

func leaves(leave func(ctx context.Context, e *db.Engine, doctor string) error, doctor string) task {
	return func(ctx context.Context, e *db.Engine) error { return leave(ctx, e, doctor) }
}

func moves(transfer func(ctx context.Context, e *db.Engine, from, to string, amount int) error, from, to string) task {
	return func(ctx context.Context, e *db.Engine) error { return transfer(ctx, e, from, to, 10) }
}

// faults explores two tasks. It returns in how many schedules one of them fails, or the database is
// wrong afterwards.
func faults(t *testing.T, e *db.Engine, both [2]task, check string, fine error) (wrong int) {
	t.Helper()
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		_, err := e.Exec(ctx, reset)
		require.NoError(t, err)
		failed := false
		g := repaint.NewGroup(ctx)
		for _, fn := range both {
			g.Go(func(ctx context.Context) error {
				if err := fn(ctx, e); err != nil && !errors.Is(err, fine) {
					t.Log(err)
					failed = true
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		n, err := db.Scalar[int](ctx, e, check)
		require.NoError(t, err)
		if n > 0 || failed {
			wrong++
		}
	})
	return wrong
}

func TestEachRaceIsFoundAndItsCureIsExploredWithoutAFault(t *testing.T) {
	ctx := t.Context()
	e, err := db.Open(ctx, testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	_, err = e.Exec(ctx, schema)
	require.NoError(t, err)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Positive(t, faults(t, e, c.wrong, c.check, c.fine), "a schedule in which it is wrong")
			require.Zero(t, faults(t, e, c.right, c.check, c.fine))
		})
	}
}
