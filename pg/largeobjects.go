package pg

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// LargeObjects returns an object whose methods fail with [ErrUnsupported]. Call the server's own
// functions for large objects (lo_create, lo_get and so on), or use [Session.Pgx].
func (tx *Tx) LargeObjects() pgx.LargeObjects {
	// pgx makes large objects only for a transaction of its own. A failed batch has one, which is
	// over; its methods say so.
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{})
	over := pgx.FailedBatchResults(&b, errNoMore).Tx()
	objects := over.LargeObjects()
	if at := reflect.ValueOf(&objects).Elem().FieldByName("tx"); at.IsValid() && at.Type() == reflect.TypeFor[pgx.Tx]() {
		*(*pgx.Tx)(unsafe.Pointer(at.UnsafeAddr())) = noLargeObjects{over}
	}
	return objects
}

var errLargeObjects = fmt.Errorf("%w: large objects", ErrUnsupported)

// noLargeObjects is the transaction of large objects.
type noLargeObjects struct{ pgx.Tx }

func (noLargeObjects) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errLargeObjects
}

func (noLargeObjects) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return &Rows{err: errLargeObjects, closed: true}, errLargeObjects
}

func (noLargeObjects) QueryRow(context.Context, string, ...any) pgx.Row {
	return &row{err: errLargeObjects, closed: true}
}
