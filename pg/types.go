package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// LoadTypes asks the server about types that the database defines, and makes them known to the DB:
// composites (also the rows of tables), enums, domains, ranges and multiranges, with their arrays
// and all types that they consist of. Names are as in SQL: "mood", "shop.address". Call it once,
// after Open. Then values of these types can be arguments and results on all lanes and sessions,
// present and future. It needs PostgreSQL 14 or newer.
//
// In Go a composite is a struct whose exported fields have the composite's order, or a
// pgx.CompositeFields; an enum is a kind of string, a range a pgtype.Range, an array a slice. A
// base type that is read as text, such as citext, is text, and so are ltree, lquery and ltxtquery;
// hstore is a pgtype.Hstore. Another type of an extension, such as cube, works if
// Config.RegisterTypes has registered a type of that name, with any OID, or if [DB.RegisterTypes]
// or Config.AfterConnect has registered the type itself.
//
// Call it again after a type has changed or was created anew. For an unknown name it returns the
// server's error 42704 and changes nothing. Any goroutine and task may call it.
func (db *DB) LoadTypes(ctx context.Context, names ...string) error {
	found, err := readTypes(ctx, db, names)
	if err == nil {
		err = db.addTypes(found, nil)
	}
	if err != nil {
		return &callError{"loading types", false, err}
	}
	return nil
}

// codecsOf are the codecs of types by their OID.
type codecsOf map[uint32]pgtype.Codec

// readTypes asks the server, through a DB or a pgx.Conn, for types and all that they are made of.
func readTypes(ctx context.Context, on interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, names []string) ([]typeDef, error) {
	rows, err := on.Query(ctx, loadTypesSQL, names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[typeDef])
}

// addTypes makes types known.
func (db *DB) addTypes(found []typeDef, codecs codecsOf) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	all := &typeDefs{byOID: map[uint32]typeDef{}}
	if before := db.types.Load(); before != nil {
		maps.Copy(all.byOID, before.byOID)
	}
	for _, d := range found {
		d.Known = codecs[d.OID]
		all.byOID[d.OID] = d
	}
	if err := all.register(db.newMap()); err != nil { // a trial on a map of its own
		return err
	}
	db.types.Store(all)
	db.lanes.descs.forget() // values of these types may travel in another format now
	return nil
}

// loadTypesSQL finds types by name, and all types that they consist of, except those that every
// database has. Before PostgreSQL 14, which brought multiranges, pg_range has no column for them.
const loadTypesSQL = `
with recursive need(oid) as (
	select n::regtype::oid from unnest($1::text[]) n
	union
	select part.oid from need cross join lateral (
		select typelem as oid from pg_catalog.pg_type where oid = need.oid and typtype = 'b' and typcategory = 'A'
		union all select typarray from pg_catalog.pg_type where oid = need.oid
		union all select typbasetype from pg_catalog.pg_type where oid = need.oid
		union all select rngsubtype from pg_catalog.pg_range where rngtypid = need.oid
		union all select (pg_catalog.to_jsonb(r)->>'rngmultitypid')::oid from pg_catalog.pg_range r where rngtypid = need.oid
		union all select rngtypid from pg_catalog.pg_range r where (pg_catalog.to_jsonb(r)->>'rngmultitypid')::oid = need.oid
		union all select a.atttypid from pg_catalog.pg_type t join pg_catalog.pg_attribute a on a.attrelid = t.typrelid
			where t.oid = need.oid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
	) part where part.oid >= 16384
)
select t.oid,
	case when pg_catalog.pg_type_is_visible(t.oid) then '' else n.nspname || '.' end || t.typname,
	t.typtype::text, t.typtype = 'b' and t.typcategory = 'A', t.typdelim::text,
	case t.typtype when 'b' then t.typelem when 'd' then t.typbasetype else coalesce(r.rngsubtype, m.rngtypid, 0) end,
	coalesce((select array_agg(attname::text order by attnum) from pg_catalog.pg_attribute
		where attrelid = t.typrelid and attnum > 0 and not attisdropped), '{}'),
	coalesce((select array_agg(atttypid order by attnum) from pg_catalog.pg_attribute
		where attrelid = t.typrelid and attnum > 0 and not attisdropped), '{}'),
	t.typcategory = 'S' or coalesce(reads.prosrc, '') in ('textin', 'varcharin', 'bpcharin', 'namein'),
	coalesce(receives.prosrc, '') in ('textrecv', 'varcharrecv', 'bpcharrecv', 'namerecv'),
	coalesce(reads.prosrc, '')
from need join pg_catalog.pg_type t on t.oid = need.oid
	join pg_catalog.pg_namespace n on n.oid = t.typnamespace
	left join pg_catalog.pg_range r on r.rngtypid = t.oid
	left join pg_catalog.pg_range m on (pg_catalog.to_jsonb(m)->>'rngmultitypid')::oid = t.oid
	left join pg_catalog.pg_proc reads on reads.oid = t.typinput
	left join pg_catalog.pg_proc receives on receives.oid = t.typreceive
where t.oid >= 16384`

// A typeDef is the server's description of a type. Each map gets types of its own, because some
// remember what they have seen.
type typeDef struct {
	OID        uint32
	Name       string
	Kind       string // pg_type's typtype
	IsArray    bool
	Delimiter  string
	Of         uint32 // of an array, a domain, a range, a multirange: what it is made of
	FieldNames []string
	FieldTypes []uint32
	IsText     bool   // a base type that is read as text is
	InBinary   bool   // and its binary form is text, too
	Reads      string // what reads it, in the code of the server or of an extension

	Known pgtype.Codec `db:"-"` // of a base type that has been registered; nil if none has
}

// typeDefs are the loaded types. They are replaced, never changed.
type typeDefs struct{ byOID map[uint32]typeDef }

func (d *typeDefs) have(oid uint32) bool {
	if d == nil {
		return false
	}
	_, loaded := d.byOID[oid]
	return loaded
}

// register makes the types known to a map.
func (d *typeDefs) register(m *pgtype.Map) error {
	var errs []error
	done := map[uint32]*pgtype.Type{}
	for oid := range d.byOID {
		if _, err := d.make(m, oid, done); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// make returns the type. If it isn't registered yet, make registers it, after the types that it
// consists of.
func (d *typeDefs) make(m *pgtype.Map, oid uint32, done map[uint32]*pgtype.Type) (*pgtype.Type, error) {
	def, loaded := d.byOID[oid]
	if !loaded {
		if t, ok := m.TypeForOID(oid); ok {
			return t, nil
		}
		return nil, fmt.Errorf("the type with OID %d isn't known", oid)
	}
	if t := done[oid]; t != nil {
		return t, nil
	}
	codec, err := d.codec(m, def, done)
	if err != nil {
		return nil, err
	}
	t := &pgtype.Type{Name: def.Name, OID: oid, Codec: codec}
	m.RegisterType(t)
	done[oid] = t
	return t, nil
}

func (d *typeDefs) codec(m *pgtype.Map, def typeDef, done map[uint32]*pgtype.Type) (pgtype.Codec, error) {
	switch {
	case def.Kind == "e":
		return &pgtype.EnumCodec{}, nil
	case def.Kind == "c":
		fields := make([]pgtype.CompositeCodecField, len(def.FieldNames))
		for i, name := range def.FieldNames {
			t, err := d.make(m, def.FieldTypes[i], done)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", def.Name, name, err)
			}
			fields[i] = pgtype.CompositeCodecField{Name: name, Type: t}
		}
		return &pgtype.CompositeCodec{Fields: fields}, nil
	case def.IsArray, def.Kind == "d", def.Kind == "r", def.Kind == "m":
		of, err := d.make(m, def.Of, done)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", def.Name, err)
		}
		switch {
		case def.IsArray:
			return &pgtype.ArrayCodec{ElementType: of, Delimiter: def.Delimiter[0]}, nil
		case def.Kind == "d":
			return of.Codec, nil
		case def.Kind == "r":
			return &pgtype.RangeCodec{ElementType: of}, nil
		}
		return &pgtype.MultirangeCodec{ElementType: of}, nil
	}
	if def.Known != nil {
		return def.Known, nil
	}
	if t, ok := m.TypeForName(def.Name); ok {
		return t.Codec, nil
	}
	if codec := ofExtensions[def.Reads]; codec != nil {
		return codec, nil
	}
	switch {
	case def.IsText && def.InBinary:
		return pgtype.TextCodec{}, nil
	case def.IsText:
		return &pgtype.TextFormatOnlyCodec{Codec: pgtype.TextCodec{}}, nil
	}
	return nil, fmt.Errorf("%s is a base type that has no codec: register a type of this name in Config.RegisterTypes", def.Name)
}

// ofExtensions are pgx's codecs of base types whose binary form isn't text, by what reads these.
var ofExtensions = map[string]pgtype.Codec{
	"ltree_in":  pgtype.LtreeCodec{},
	"lquery_in": pgtype.LtreeCodec{}, // all three are a version and the text
	"ltxtq_in":  pgtype.LtreeCodec{},
	"hstore_in": pgtype.HstoreCodec{},
}

// unknownType adds advice to an error that may come from a type that the map doesn't know.
func unknownType(m *pgtype.Map, oid uint32, err error) error {
	if _, known := m.TypeForOID(oid); known || oid < 16384 {
		return err
	}
	return fmt.Errorf("%w (type %d is defined by this database: load it with DB.LoadTypes; select %[2]d::regtype shows its name)", err, oid)
}
