// Package schema is what the code of package entstore is generated from.
package schema

import (
	"context"

	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"github.com/lib/pq"
)

// Author has posts.
type Author struct{ ent.Schema }

// Annotations names the table.
func (Author) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "authors"}}
}

// Fields are the columns.
func (Author) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("name").Unique(),
		field.Strings("tags"),
		field.Other("scores", pq.Int64Array{}).SchemaType(map[string]string{dialect.Postgres: "bigint[]", dialect.SQLite: "text", dialect.MySQL: "text"}),
	}
}

// Edges has the posts, which end with their author.
func (Author) Edges() []ent.Edge {
	return []ent.Edge{edge.To("posts", Post.Type).StorageKey(edge.Column("author_id")).Annotations(entsql.OnDelete(entsql.Cascade))}
}

// Post is one of an author's.
type Post struct{ ent.Schema }

// Annotations names the table.
func (Post) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "posts"}}
}

// Fields are the columns.
func (Post) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("title"), field.String("slug")}
}

// Edges has the author.
func (Post) Edges() []ent.Edge {
	return []ent.Edge{edge.From("author", Author.Type).Ref("posts").Unique().Required()}
}

// Hooks gives a post its slug.
func (Post) Hooks() []ent.Hook {
	return []ent.Hook{func(next ent.Mutator) ent.Mutator {
		return ent.MutateFunc(func(ctx context.Context, m ent.Mutation) (ent.Value, error) {
			if title, ok := m.Field("title"); ok {
				if err := m.SetField("slug", "post-"+title.(string)); err != nil {
					return nil, err
				}
			}
			return next.Mutate(ctx, m)
		})
	}}
}
