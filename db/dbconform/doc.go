// Package dbconform is the conformance suite for dialects of package db, and for the drivers under
// them: some two hundred cases, each in both colours.
//
// Where databases differ, the [Capabilities] of the [Subject] say so. If a database can't do
// something, it must return a clear error, or the case skips with a reason. The suite uses only
// what package db exports, so dialects in other modules can run it:
//
//	func TestConformance(t *testing.T) {
//		dbconform.Run(t, dbconform.Subject{
//			Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
//				return db.Open(ctx, "mydb://localhost/test", opts...)
//			},
//			URL:          "mydb://localhost/test",
//			Lacks:        map[string]string{"Reader": "there are no users"},
//			Types:        dbconform.Types{…},
//			Capabilities: dbconform.Capabilities{…},
//		})
//	}
package dbconform
