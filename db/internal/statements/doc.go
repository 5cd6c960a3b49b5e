// Package statements reads texts with :name parameters and writes them as a database wants them: it
// turns a text and arguments into a text with placeholders and their values. It knows nothing of
// connections. [Language.Parse] reads a statement, [Statement.Bind] finds the parameters' values,
// [Language.Expand] writes lists out, [Language.Tuple] repeats the row of an INSERT.
//
// Its errors say what is wrong; package db adds the statement. A [Language] and a [Statement] are
// safe for use by several goroutines.
package statements
