package dbconform

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var connecting = []test{
	{"an engine that is open has connected", func(c *run) {
		require.Positive(c, c.engine().Stats().Open)
	}},
	{"its dialect is registered under its name", func(c *run) {
		if c.can("URL") {
			require.Contains(c, db.Dialects(), c.engine().Dialect().Name())
		}
	}},
	{"placeholders are different texts or all the same", func(c *run) {
		d := c.engine().Dialect()
		require.NotEmpty(c, d.Placeholder(1))
		if d.Placeholder(1) != d.Placeholder(2) {
			require.NotEqual(c, d.Placeholder(2), d.Placeholder(12))
		}
	}},
	{"the password isn't printed", func(c *run) {
		if u := c.url(); u != nil && u.Password != "" {
			e := c.openURL(u)
			require.NotContains(c, e.URL().String(), ":"+u.Password+"@")
			require.Contains(c, e.URL().Reveal(), ":"+u.Password+"@")
		}
	}},
	{"an unknown option is an error that lists the known ones", func(c *run) {
		c.refused("nosuchoption", "1", db.ErrUnknownOption, "nosuchoption", "pool_size")
	}},
	{"an unknown driver is an error that names it", func(c *run) {
		if u := c.url(); u != nil {
			u.Driver = "nosuchdriver"
			_, err := db.OpenURL(c.ctx, u)
			require.ErrorContains(c, err, "nosuchdriver")
		}
	}},
	{"an unknown dialect is an error that lists the known ones", func(c *run) {
		name := c.engine().Dialect().Name()
		_, err := db.Open(c.ctx, "nosuchdialect://host")
		require.ErrorIs(c, err, db.ErrUnknownDialect)
		if c.can("URL") {
			require.ErrorContains(c, err, name)
		}
	}},
	{"an option's value that can't be is an error", func(c *run) {
		c.refused("pool_size", "many", nil, "pool_size", "many")
		c.refused("pool_timeout", "soon", nil, "pool_timeout", "soon")
		c.refused("isolation", "chaos", nil, "isolation", "read_committed")
		c.refused("read_only", "perhaps", nil, "read_only")
	}},
	{"options of the URL hold", func(c *run) {
		u := c.url()
		c.unless("OneConn")
		u.Options.Set("pool_size", "1")
		u.Options.Set("max_overflow", "0")
		u.Options.Set("pool_timeout", "1ms")
		e := c.openURL(u)
		first := c.conn(e)
		_, err := e.Connect(c.ctx)
		c.is(err, db.ErrPoolTimeout)
		c.close(first)
	}},
	{"an Option holds against the URL's", func(c *run) {
		u := c.url()
		u.Options.Set("hide_parameters", "off")
		e := c.openURL(u, db.HideParameters())
		_, err := e.Exec(c.ctx, "select :secret from dbconform_nothing", named("secret", "tell nobody"))
		require.Nil(c, c.is(err, db.ErrUndefinedTable).Params)
	}},
	{"read_only makes every write an error", func(c *run) {
		table := c.items(1)
		e := c.engine()
		if c.can("URL") && !c.can("OneConn") {
			u := c.url()
			u.Options.Set("read_only", "on")
			_ = c.openURL(u) // a database of its own has nothing to check but that it opens
		}
		conn := c.conn(e, db.ReadOnly())
		defer c.close(conn)
		_, err := conn.Exec(c.ctx, "delete from "+table)
		c.is(err, db.ErrReadOnly)
		require.Equal(c, 1, c.count(conn, table))
	}},
	{"a context that has ended opens nothing", func(c *run) {
		ctx, cancel := context.WithCancelCause(c.ctx)
		why := errors.New("no longer wanted")
		cancel(why)
		e, err := c.Open(c.T, ctx)
		if err == nil {
			c.opened = append(c.opened, e)
		}
		require.ErrorIs(c, err, context.Canceled)
		require.ErrorIs(c, err, why)
	}},
	{"negative sizes and times are refused", func(c *run) {
		_, err := c.Open(c.T, c.ctx, db.PoolTimeout(-time.Second))
		c.is(err, db.ErrMisuse)
	}},
	{"a connection that an event refuses is none", func(c *run) {
		why := errors.New("not like this")
		_, err := c.Open(c.T, c.ctx, db.OnEvents(db.Events{Connect: func(context.Context, *db.Conn) error { return why }}))
		require.ErrorIs(c, err, why)
	}},
}

// url returns the subject's URL.
func (c *run) url() *db.URL {
	c.Helper()
	c.needs("URL")
	u, err := db.ParseURL(c.URL)
	require.NoError(c, err)
	return u
}

func (c *run) openURL(u *db.URL, opts ...db.Option) *db.Engine {
	c.Helper()
	e, err := db.OpenURL(c.ctx, u, opts...)
	require.NoError(c, err)
	c.opened = append(c.opened, e)
	return e
}

// refused opens the URL with an option that must make it fail.
func (c *run) refused(option, value string, condition error, says ...string) {
	c.Helper()
	u := c.url()
	u.Options.Set(option, value)
	_, err := db.OpenURL(c.ctx, u)
	require.Error(c, err)
	if condition != nil {
		require.ErrorIs(c, err, condition)
	}
	for _, text := range says {
		require.ErrorContains(c, err, text)
	}
}
