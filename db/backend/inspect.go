package backend

import "context"

// Inspector is a [Dialect] that can describe what its database contains, for db.Inspect. The
// methods get the name of an existing schema. They query through ask, with :name parameters. They
// return the error of ask as it is.
type Inspector interface {
	Dialect
	// Schemas returns the names of the schemas, without the database's own.
	Schemas(ctx context.Context, ask Ask) ([]string, error)
	// DefaultSchema returns the name of the schema in which the database first looks for a name
	// without one.
	DefaultSchema(ctx context.Context, ask Ask) (string, error)
	// Tables returns the names of a schema's tables, without its views, in order.
	Tables(ctx context.Context, ask Ask, schema string) ([]string, error)
	// Views returns a schema's views, in the order of their names.
	Views(ctx context.Context, ask Ask, schema string) ([]View, error)
	// Table describes a table or view, or returns nil if there is none of that name.
	Table(ctx context.Context, ask Ask, schema, name string) (*Table, error)
}

// Ask runs a query and returns its rows, as maps from the columns' names in lower case to the
// values of db.Rows.Values, with a string in place of a []byte.
type Ask func(ctx context.Context, query string, args map[string]any) ([]Facts, error)

// Facts is a row of a query of an [Inspector].
type Facts map[string]any

// Text returns a text; "" for NULL and for a missing column.
func (f Facts) Text(name string) string {
	s, _ := f[name].(string)
	return s
}

// Int returns an integer; 0 for NULL and for a missing column. A bool is 1 or 0.
func (f Facts) Int(name string) int64 {
	switch v := f[name].(type) {
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

// Is reports whether a bool or an integer is neither false, nor 0, nor NULL.
func (f Facts) Is(name string) bool { return f.Int(name) != 0 }

// Texts returns the elements of an array of text.
func (f Facts) Texts(name string) []string {
	list, _ := f[name].([]any)
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i], _ = v.(string)
	}
	return texts
}

// Names returns the column name of each row.
func Names(rows []Facts) []string {
	all := make([]string, len(rows))
	for i, r := range rows {
		all[i] = r.Text("name")
	}
	return all
}

// Table is what a database says about a table, or a view. Texts of SQL, such as types and
// expressions, are as the database shows them.
type Table struct {
	Schema, Name string
	Columns      []TableColumn // in their order
	PrimaryKey   *Key          // nil if there is none
	ForeignKeys  []ForeignKey  // in the order of their names, and of their columns
	Unique       []Key         // unique constraints, in the order of their names
	Checks       []Check       // in the order of their names
	Indexes      []Index       // in the order of their names, without the primary key's
	Comment      string
}

// Column returns the column of a name, or nil.
func (t *Table) Column(name string) *TableColumn {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// TableColumn is a column of a [Table].
type TableColumn struct {
	Name     string
	Type     string // with its length and the like: "character varying(20)", "varchar(20)"
	Nullable bool
	Default  string // an expression; "" if there is none
	// AutoIncrement says that the database takes a missing value from a counter.
	AutoIncrement bool
	// Identity is "always" or "by default" for an identity column, else "".
	Identity string
	// Generated is the expression of a generated column. Stored says whether its value is stored.
	Generated string
	Stored    bool
	Comment   string
}

// Key is a primary key or a unique constraint.
type Key struct {
	Name    string // "" if it has none
	Columns []string
}

// ForeignKey refers to a key of a table.
type ForeignKey struct {
	Name                string // "" if it has none
	Columns             []string
	RefSchema, RefTable string
	RefColumns          []string // one for each of Columns
	// OnUpdate and OnDelete are "NO ACTION", "RESTRICT", "CASCADE", "SET NULL" or "SET DEFAULT".
	OnUpdate, OnDelete string
}

// Check is a check constraint.
type Check struct {
	Name       string // "" if it has none
	Expression string
}

// Index is an index of a table.
type Index struct {
	Name   string
	Unique bool
	Parts  []IndexPart
	// Where is the condition of a partial index; "" for one of all rows.
	Where string
	// Constraint says that the index implements a unique constraint, which is among the table's.
	Constraint bool
}

// IndexPart is a column, or an expression, of an [Index].
type IndexPart struct {
	Column     string // "" for an expression
	Expression string
	Desc       bool
}

// View is a view and its query, as the database shows it.
type View struct {
	Schema, Name string
	Definition   string
	Materialized bool
}
