// Package entstore is the code that ent generates from package schema.
package entstore

//go:generate go run -mod=mod entgo.io/ent/cmd/ent@v0.14.5 generate --target . ./schema
