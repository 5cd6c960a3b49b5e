package compat

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
)

// A jsonOf is a list of strings that is stored as JSON. Programs write such types for database/sql.
type jsonOf []string

func asJSON(tags []string) jsonOf { return tags }

// Value implements driver.Valuer.
func (j jsonOf) Value() (driver.Value, error) {
	text, err := json.Marshal([]string(j))
	return string(text), err
}

// Scan implements sql.Scanner.
func (j *jsonOf) Scan(src any) error {
	switch src := src.(type) {
	case []byte:
		return json.Unmarshal(src, (*[]string)(j))
	case string:
		return json.Unmarshal([]byte(src), (*[]string)(j))
	}
	return fmt.Errorf("JSON from a %T", src)
}

// tagged maps each dialect to the condition that a column of JSON has a tag, with a placeholder for
// the tag.
var tagged = map[string]string{
	"postgres": "jsonb_exists(tags, ?)",
	"mysql":    "json_contains(tags, json_quote(?))",
	"sqlite":   "exists (select 1 from json_each(tags) where value = ?)",
}

// hasTag is the same condition for ent.
func hasTag(name, column, tag string) *entsql.Predicate {
	return entsql.P(func(b *entsql.Builder) {
		switch name {
		case dialect.Postgres:
			b.WriteString("jsonb_exists(").WriteString(column).WriteString(", ").Arg(tag).WriteString(")")
		case dialect.MySQL:
			b.WriteString("json_contains(").WriteString(column).WriteString(", json_quote(").Arg(tag).WriteString("))")
		default:
			b.WriteString("exists (select 1 from json_each(").WriteString(column).WriteString(") where value = ").Arg(tag).WriteString(")")
		}
	})
}
