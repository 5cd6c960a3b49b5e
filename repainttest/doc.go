// [Dialect] is the conformance suite for dialects of package db and for the drivers under them: some two hundred
// cases, each in both colours. Where databases differ, the [Capabilities] of the [Subject] say so; what a database can't do
// must then be a clear error. It uses nothing but what package db exports, so that dialects of other modules can be held to it:
//
//	func TestConformance(t *testing.T) {
//		repainttest.Dialect(t, repainttest.Subject{
//			Open: func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, error) {
//				return db.Open(ctx, "mydb://localhost/test", opts...)
//			},
//			Types:        repainttest.Types{…},
//			Capabilities: repainttest.Capabilities{…},
//		})
//	}
package repainttest
