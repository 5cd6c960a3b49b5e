package pg

import (
	"fmt"
	"math"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// A codec converts values. Its type map isn't safe for several goroutines, so each user takes a
// codec out of the DB's pool.
type codec struct {
	types   *pgtype.Map
	loaded  *typeDefs // that types knows
	builder pgx.ExtendedQueryBuilder
	plans   []scanPlan // by column, of the last rows that were read with this codec; as a rule the next ones are like them
}

// A scanPlan is how a column gets into a destination of a type.
type scanPlan struct {
	plan   pgtype.ScanPlan
	into   reflect.Type
	oid    uint32
	format int16
}

// scanPlan returns how column i gets into the destination.
func (c *codec) scanPlan(i int, field *pgconn.FieldDescription, dest any) pgtype.ScanPlan {
	for i >= len(c.plans) {
		c.plans = append(c.plans, scanPlan{})
	}
	p, into := &c.plans[i], reflect.TypeOf(dest)
	if p.into != into || p.oid != field.DataTypeOID || p.format != field.Format {
		*p = scanPlan{c.types.PlanScan(field.DataTypeOID, field.Format, dest), into, field.DataTypeOID, field.Format}
	}
	return p.plan
}

func (db *DB) codec() *codec {
	one := db.codecs.Get().(*codec)
	if now := db.types.Load(); now != one.loaded {
		one.loaded, one.plans = now, nil
		_ = now.register(one.types) // LoadTypes has tried it
	}
	return one
}

func (db *DB) release(one *codec) { db.codecs.Put(one) }

func (db *DB) newCodec() any { return &codec{types: db.newMap()} }

func (db *DB) newMap() *pgtype.Map {
	m := pgtype.NewMap()
	if fn := db.config.RegisterTypes; fn != nil {
		fn(m)
	}
	checkTimes(m)
	return m
}

// build encodes the arguments: with a nil shape as text.
func (c *codec) build(s *shape, args []any) error {
	var types *pgconn.StatementDescription
	if s != nil {
		types = &s.sd
	}
	if err := c.builder.Build(c.types, types, args); err != nil {
		return c.notEncoded(s, args, err)
	}
	return nil
}

// bindNamed appends what executes a prepared statement: Bind and Execute.
func (c *codec) bindNamed(buf []byte, name string, s *shape, formats []int16, args []any) ([]byte, error) {
	if len(args) != len(s.params) {
		return nil, fmt.Errorf("expected %d arguments, got %d", len(s.params), len(args))
	}
	if err := c.build(s, args); err != nil {
		return nil, err
	}
	return c.bind(buf, name, formats)
}

// bindUnnamed appends what executes a text once. With a nil shape the server is left to find the
// types, and values are text. With describe the result is described.
func (c *codec) bindUnnamed(buf []byte, sql string, s *shape, formats []int16, args []any, describe bool) (_ []byte, err error) {
	parse := pgproto3.Parse{Query: sql}
	if s != nil {
		if len(args) != len(s.params) {
			return nil, fmt.Errorf("expected %d arguments, got %d", len(s.params), len(args))
		}
		parse.ParameterOIDs = s.params
	}
	if err = c.build(s, args); err != nil {
		return nil, err
	}
	if buf, err = parse.Encode(buf); err != nil {
		return nil, err
	}
	if !describe {
		return c.bind(buf, "", formats)
	}
	if buf, err = c.bindOnly(buf, "", formats); err != nil {
		return nil, err
	}
	if buf, err = (&pgproto3.Describe{ObjectType: 'P'}).Encode(buf); err != nil {
		return nil, err
	}
	return append(buf, executeMessage...), nil
}

// executeMessage executes the unnamed portal, without a limit of rows.
var executeMessage = []byte{'E', 0, 0, 0, 9, 0, 0, 0, 0, 0}

func (c *codec) bind(buf []byte, name string, formats []int16) ([]byte, error) {
	buf, err := c.bindOnly(buf, name, formats)
	if err != nil {
		return nil, err
	}
	return append(buf, executeMessage...), nil
}

func (c *codec) bindOnly(buf []byte, name string, formats []int16) ([]byte, error) {
	if len(c.builder.ParamValues) > math.MaxUint16 {
		return nil, fmt.Errorf("%d parameters: there can be %d", len(c.builder.ParamValues), math.MaxUint16)
	}
	bind := pgproto3.Bind{
		PreparedStatement:    name,
		ParameterFormatCodes: c.builder.ParamFormats,
		Parameters:           c.builder.ParamValues,
		ResultFormatCodes:    formats,
	}
	return bind.Encode(buf)
}

// describeUnnamed is what asks for the types of a statement.
func describeUnnamed(buf []byte, sql string) ([]byte, error) {
	buf, err := (&pgproto3.Parse{Query: sql}).Encode(buf)
	if err != nil {
		return nil, err
	}
	return (&pgproto3.Describe{ObjectType: 'S'}).Encode(buf)
}
