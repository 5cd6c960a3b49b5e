// Package races has typical races of programs that share a database. Each is a few lines of
// ordinary code, once wrong and once right. The test explores them with repainttest: it finds a
// schedule in which the wrong one fails, and none for the right one.
package races

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint/db"
)

// ErrSoldOut says that there is nothing left.
var ErrSoldOut = errors.New("sold out")

// BuyWrong sells an item, and may sell more than there are: two buyers see the last one.
func BuyWrong(ctx context.Context, e *db.Engine, item string) error {
	left, err := db.Scalar[int](ctx, e, "select stock from item where name = :item", db.Named("item", item))
	if err != nil {
		return err
	}
	if left < 1 {
		return ErrSoldOut
	}
	_, err = e.Exec(ctx, "update item set stock = stock - 1 where name = :item", db.Named("item", item))
	return err
}

// BuyRight decides and writes in one statement.
func BuyRight(ctx context.Context, e *db.Engine, item string) error {
	result, err := e.Exec(ctx, "update item set stock = stock - 1 where name = :item and stock > 0", db.Named("item", item))
	if err == nil && result.RowsAffected() == 0 {
		return ErrSoldOut
	}
	return err
}

// ErrUsed says that a voucher has been redeemed before.
var ErrUsed = errors.New("the voucher has been used")

// RedeemWrong redeems a voucher, and does so twice if two calls come at once. Its transaction
// changes nothing about that, because neither read locks the row that the other is about to insert.
func RedeemWrong(ctx context.Context, e *db.Engine, voucher string) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		used, err := db.Scalar[int](ctx, tx, "select count(*) from redemption where voucher = :v", db.Named("v", voucher))
		if err != nil {
			return err
		}
		if used > 0 {
			return ErrUsed
		}
		_, err = tx.Exec(ctx, "insert into redemption (voucher) values (:v)", db.Named("v", voucher))
		return err
	})
}

// RedeemRight locks the voucher first.
func RedeemRight(ctx context.Context, e *db.Engine, voucher string) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := db.Scalar[string](ctx, tx, "select code from voucher where code = :v for update", db.Named("v", voucher)); err != nil {
			return err
		}
		used, err := db.Scalar[int](ctx, tx, "select count(*) from redemption where voucher = :v", db.Named("v", voucher))
		if err != nil {
			return err
		}
		if used > 0 {
			return ErrUsed
		}
		_, err = tx.Exec(ctx, "insert into redemption (voucher) values (:v)", db.Named("v", voucher))
		return err
	})
}

// WithdrawWrong loses an update: the balance from which it computes may be old.
func WithdrawWrong(ctx context.Context, e *db.Engine, amount int) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		balance, err := db.Scalar[int](ctx, tx, "select balance from account")
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update account set balance = :b", db.Named("b", balance-amount))
		return err
	})
}

// WithdrawRight locks the row that it will write.
func WithdrawRight(ctx context.Context, e *db.Engine, amount int) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		balance, err := db.Scalar[int](ctx, tx, "select balance from account for update")
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update account set balance = :b", db.Named("b", balance-amount))
		return err
	})
}

// CheckoutWrong may charge another total than that of its order: the cart can change in between.
func CheckoutWrong(ctx context.Context, e *db.Engine) error {
	return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		total, err := db.Scalar[int](ctx, tx, "select coalesce(sum(price), 0) from cart")
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "insert into ordered (total, items) select :t, count(*) from cart", db.Named("t", total)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "delete from cart")
		return err
	})
}

// CheckoutRight takes the items that it charges out of the cart, in one statement.
func CheckoutRight(ctx context.Context, e *db.Engine) error {
	_, err := e.Exec(ctx, "with taken as (delete from cart returning price)"+
		" insert into ordered (total, items) select coalesce(sum(price), 0), count(*) from taken")
	return err
}

// AddToCart adds an item that costs 10.
func AddToCart(ctx context.Context, e *db.Engine) error {
	_, err := e.Exec(ctx, "insert into cart (price) values (10)")
	return err
}

// ErrTaken says that a name is in use.
var ErrTaken = errors.New("the name is taken")

// RegisterWrong checks whether a name is free, and then inserts it.
func RegisterWrong(ctx context.Context, e *db.Engine, name string) error {
	taken, err := db.Scalar[int](ctx, e, "select count(*) from member where name = :n", db.Named("n", name))
	if err != nil {
		return err
	}
	if taken > 0 {
		return ErrTaken
	}
	_, err = e.Exec(ctx, "insert into member (name) values (:n)", db.Named("n", name))
	return err
}

// RegisterRight lets a unique index decide.
func RegisterRight(ctx context.Context, e *db.Engine, name string) error {
	_, err := e.Exec(ctx, "insert into member_unique (name) values (:n)", db.Named("n", name))
	if errors.Is(err, db.ErrUnique) {
		return ErrTaken
	}
	return err
}
