package pg

import (
	"reflect"
	"unsafe"

	"github.com/jackc/pgx/v5"
)

// LargeObjects returns pgx's methods for large objects, which run in the transaction. A large
// object that is open ends with it.
func (tx *Tx) LargeObjects() pgx.LargeObjects {
	// pgx makes them only for a transaction of its own. A failed batch has one, which is over.
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{})
	objects := pgx.FailedBatchResults(&b, errNoMore).Tx().LargeObjects()
	if at := largeObjectsTx; at.Index != nil {
		*(*pgx.Tx)(unsafe.Add(unsafe.Pointer(&objects), at.Offset)) = tx
	}
	return objects
}

// largeObjectsTx is where pgx.LargeObjects keeps its transaction. Index is nil if this pgx keeps it
// elsewhere: then the methods say that the transaction is closed.
var largeObjectsTx = func() reflect.StructField {
	f, ok := reflect.TypeFor[pgx.LargeObjects]().FieldByName("tx")
	if !ok || f.Type != reflect.TypeFor[pgx.Tx]() {
		return reflect.StructField{}
	}
	return f
}()
