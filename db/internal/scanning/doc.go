// Package scanning has the rules by which a driver's value becomes a Go variable: [Columns.Row]
// fills one variable for each column, [Columns.Struct] the fields of a struct, and [For] a variable
// of a given type. The package knows nothing of connections and statements. Its errors say which
// column and which variable don't fit; package db adds the statement.
package scanning
