package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// A dialect's functions run on the same goroutine as the driver.
func TestAPanicOfADialectCostsNoPlaceInThePool(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for ending, leaves := range leave {
			var at string
			now := func(place string) {
				if place == at {
					at = ""
					leaves()
				}
			}
			s := &scripted{do: func(ctx context.Context, sc *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
				now("driver")
				if strings.Contains(text, "fail") {
					return nil, errors.New("it failed")
				}
				return &scriptedRows{left: 1, column: "text"}, nil
			}}
			d := db.SQLDriver{
				Connector: s,
				Init:      func(context.Context, *sqlbackend.Conn) error { now("init"); return nil },
				BeginText: func(db.TxOptions) []string { now("begin text"); return []string{"begin"} },
				TxOpen:    func(context.Context, *sqlbackend.Conn, error) bool { now("tx open"); return true },
				FailsTx:   func(error) bool { now("fails tx"); return false },
				Stale:     func(error) bool { now("stale"); return false },
				Convert:   func(v any) (driver.Value, error) { now("convert"); return v, nil },
				Column: func(string) func(driver.Value) (driver.Value, error) {
					now("column")
					return nil
				},
			}
			url := registerSQL(d, func(error) db.Fault { now("fault"); return db.Fault{} })
			e, err := db.Open(ctx, url, db.PoolSize(1), db.MaxOverflow(0), db.MaxLifetime(time.Nanosecond))
			require.NoError(t, err)
			for _, place := range []string{"driver", "init", "begin text", "tx open", "fails tx", "stale", "convert", "column", "fault"} {
				for name, call := range map[string]func(ctx context.Context) error{
					"engine": func(ctx context.Context) error {
						_, err := e.Query(ctx, "select :v", db.Named("v", "x"))
						return err
					},
					"failing": func(ctx context.Context) error {
						_, err := e.Exec(ctx, "fail :v", db.Named("v", "x"))
						return err
					},
					"tx": func(ctx context.Context) error {
						return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
							_, err := tx.Exec(ctx, "fail :v", db.Named("v", "x"))
							return err
						})
					},
					"conn": func(ctx context.Context) error {
						conn, err := e.Connect(ctx)
						if err != nil {
							return err
						}
						defer conn.Close()
						_, err = conn.Query(ctx, "select :v", db.Named("v", "x"))
						return err
					},
				} {
					at = place
					got := unwound(ctx, c, func(ctx context.Context) { _ = call(ctx) })
					if at == "" {
						require.Equal(t, ending, got, "%s, %s", place, name)
					}
					at = ""
					short, cancel := context.WithTimeout(ctx, 20*time.Second)
					_, err := e.Query(short, "select 1")
					cancel()
					require.NoError(t, err, "%s, %s", place, name)
				}
			}
			require.NoError(t, e.Close(ctx))
			for s.open.Load() != 0 { // a goroutine closes the connection that couldn't be set up
				require.NoError(t, repaint.Sleep(ctx, time.Millisecond))
			}
			require.Zero(t, s.overlap.Load())
		}
	})
}

func TestAPanicOfInterruptReachesWhoIsInterrupted(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for ending, leaves := range leave {
			for name, call := range map[string]func(ctx context.Context, e *db.Engine){
				"call": func(ctx context.Context, e *db.Engine) {
					_, _ = e.Query(ctx, "select 1")
				},
				"stream that is closed": func(ctx context.Context, e *db.Engine) {
					rows, err := e.Stream(context.WithoutCancel(ctx), "rows")
					if err == nil {
						rows.Next()
						_ = rows.Close()
					}
				},
			} {
				ctx, cancel := context.WithCancel(ctx)
				interrupted := make(chan struct{})
				s := &scripted{do: func(ctx context.Context, _ *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
					if text == "rows" {
						return &scriptedRows{left: 1 << 20, column: "text", closing: interrupted}, nil
					}
					if ctx.Done() == nil && text == "select 1" {
						cancel()
						<-interrupted
					}
					return nil, nil
				}}
				e, err := db.Open(ctx, registerSQL(db.SQLDriver{
					Connector: s,
					Interrupt: func(context.Context, *sqlbackend.Conn) {
						defer close(interrupted)
						leaves()
					},
					Interrupted: func(error) bool { return false },
					Recover:     func(context.Context, *sqlbackend.Conn) error { return nil },
				}, nil), db.PoolSize(1), db.MaxOverflow(0))
				require.NoError(t, err)
				got := unwound(ctx, c, func(ctx context.Context) { call(ctx, e) })
				if ending == "panic" { // Goexit ends only the goroutine that interrupts
					require.Equal(t, ending, got, name)
				} else {
					require.Equal(t, "returned", got, name)
				}
				cancel()
				lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
				_, err = e.Query(lasting, "select 2")
				require.NoError(t, err, name)
				require.NoError(t, e.Close(lasting))
				cancel()
				require.Zero(t, s.open.Load())
				require.Zero(t, s.overlap.Load())
			}
		}
	})
}

// registerSQL registers a dialect for the driver and returns its URL.
func registerSQL(d db.SQLDriver, fault func(error) db.Fault) string {
	dialect := sqlDialect{scriptedDialect{name: fmt.Sprint("scripted", scripts.Add(1))}, d, fault}
	backend.Register(dialect)
	return dialect.name + "://"
}

type sqlDialect struct {
	scriptedDialect
	driver db.SQLDriver
	fault  func(error) db.Fault
}

func (d sqlDialect) Connector(*db.URL) (backend.Connector, error) {
	return db.SQLConnector(d.driver), nil
}
func (d sqlDialect) Fault(err error) db.Fault {
	if d.fault == nil {
		return db.Fault{}
	}
	return d.fault(err)
}

// scriptedRows are a given number of rows of a column with the given type.
type scriptedRows struct {
	left    int
	column  string
	closing chan struct{} // Close waits for this channel; may be nil
}

func (r *scriptedRows) Columns() []string                     { return []string{"c"} }
func (r *scriptedRows) ColumnTypeDatabaseTypeName(int) string { return r.column }
func (r *scriptedRows) Close() error {
	if r.closing != nil {
		<-r.closing
	}
	return nil
}
func (r *scriptedRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0] = "x"
	return nil
}
