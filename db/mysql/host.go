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

// host opens connections to one server. The server sets sql_mode from an expression, which saves a
// round trip. Some servers that speak MySQL's protocol take only a literal there. For those, host
// first reads the current value.
type host struct {
	driver.Connector
	literal driver.Connector // doesn't set sql_mode; nil if sql_mode is a literal anyway
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
		_ = c.Close() // the caller gets a more useful error
		return nil, errors.Join(why, fmt.Errorf("setting sql_mode: %w", err))
	}
	h.refuses.Store(true)
	return c, nil
}

// refusesExpression reports whether an error means that the server can't set a variable from an
// expression.
func refusesExpression(err error) bool {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return false
	}
	// In this order: a syntax error, the general error, an unknown variable, a wrong value, a wrong
	// type, an unsupported feature, an unknown function.
	return slices.Contains([]uint16{1064, 1105, 1193, 1231, 1232, 1235, 1305}, e.Number)
}

// setStrict reads sql_mode, and sets it to the value that the expression would have.
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

// strictOf returns the value of [strict] for the given current value.
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
