package db

import "database/sql"

// Named gives the parameter :name its value. sql.Named does the same.
func Named(name string, value any) sql.NamedArg { return sql.Named(name, value) }

// Args are arguments by their names, the short form of several [Named] values:
//
//	db.One[User](ctx, q, "select * from users where name = :name and born > :year", db.Args{"name": "ada", "year": 1800})
//
// A parameter :author.id takes the value id of the map or struct that is the value author.
type Args = map[string]any
