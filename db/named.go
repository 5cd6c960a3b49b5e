package db

import "database/sql"

// Named gives the parameter :name its value. sql.Named does the same.
func Named(name string, value any) sql.NamedArg { return sql.Named(name, value) }
