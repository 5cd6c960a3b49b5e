package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	mysql "github.com/go-sql-driver/mysql"
)

// host opens connections to one server. It has the server set sql_mode by an expression, which saves
// a round trip. Some that speak MySQL's protocol take only a literal there; those are asked for
// the value first.
type host struct {
	driver.Connector
	literal driver.Connector // leaves sql_mode alone; nil if it is a literal anyway
	refuses atomic.Bool      // the server has refused the expression
}

func newHost(cfg *mysql.Config) (*host, error) {
	all, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	h := &host{Connector: all}
	if mode, ok := cfg.Params["sql_mode"]; ok && !strings.HasPrefix(mode, "'") {
		without := cfg.Clone()
		delete(without.Params, "sql_mode")
		if h.literal, err = mysql.NewConnector(without); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *host) Connect(ctx context.Context) (driver.Conn, error) {
	if h.literal == nil {
		return h.Connector.Connect(ctx)
	}
	var why error
	if !h.refuses.Load() {
		var c driver.Conn
		if c, why = h.Connector.Connect(ctx); why == nil || !refusesExpression(why) {
			return c, why
		}
	}
	c, err := h.literal.Connect(ctx)
	if err != nil {
		return nil, errors.Join(why, err)
	}
	if err := setStrict(ctx, c.(blocking)); err != nil {
		_ = c.Close() // there is a better error
		return nil, errors.Join(why, fmt.Errorf("setting sql_mode: %w", err))
	}
	h.refuses.Store(true)
	return c, nil
}

// refusesExpression tells of the errors by which a server says that it can't set a variable to
// what an expression makes.
func refusesExpression(err error) bool {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return false
	}
	// In their order: a syntax error, an error of no kind, an unknown variable, a wrong value and a
	// wrong type of one, something that isn't supported, a function that there isn't.
	return slices.Contains([]uint16{1064, 1105, 1193, 1231, 1232, 1235, 1305}, e.Number)
}

// setStrict sets sql_mode to what the expression makes of it.
func setStrict(ctx context.Context, c blocking) error {
	rows, err := c.QueryContext(ctx, "select @@sql_mode", nil)
	if err != nil {
		return err
	}
	value := make([]driver.Value, 1)
	err = rows.Next(value)
	if e := rows.Close(); err == nil || err == io.EOF {
		err = e
	}
	if err != nil {
		return err
	}
	current, _ := value[0].([]byte)
	_, err = c.ExecContext(ctx, "set sql_mode = '"+strictOf(string(current))+"'", nil)
	return err
}

// strictOf is [strict] for a value that is known.
func strictOf(current string) string {
	var modes []string
	for mode := range strings.SplitSeq(current, ",") {
		known := strings.Trim(strings.ToUpper(mode), "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == ""
		if mode != "" && known && !slices.Contains(literalModes, strings.ToUpper(mode)) {
			modes = append(modes, mode)
		}
	}
	return strings.Join(append(modes, "STRICT_ALL_TABLES"), ",")
}
