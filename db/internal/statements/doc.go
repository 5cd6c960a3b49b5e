// Package statements reads texts with :name parameters and writes them as a database wants them: a
// text and arguments go in, a text with placeholders and their values come out. It knows nothing of
// connections. [Language.Parse] reads a statement, [Statement.Bind] finds the parameters' values,
// [Language.Expand] writes lists out, [Language.Tuple] repeats the row of an INSERT.
//
// Its errors say what is wrong; package db says which statement it was.
package statements
