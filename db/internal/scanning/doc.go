// Package scanning has the rules by which a driver's value becomes a Go variable: [Columns.Row] for
// destinations one by one, [Columns.Struct] for the fields of a struct, [For] for a type. It knows
// nothing of connections and statements. Its errors say which column and which variable don't fit;
// package db says which statement it was.
package scanning
