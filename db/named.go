package db

import "database/sql"

// Named returns an argument that gives the parameter :name its value. sql.Named does the same.
func Named(name string, value any) sql.NamedArg { return sql.Named(name, value) }

// Args are arguments by their names, the short form of several [Named] values:
//
//	db.One[User](ctx, q, "select * from users where name = :name and born > :year", db.Args{"name": "ada", "year": 1800})
//
// If author is a map or a struct, :author.id is its value id.
type Args = map[string]any
