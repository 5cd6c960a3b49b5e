// Package oteltest has only tests: OpenTelemetry's adapter for pgx, github.com/exaring/otelpgx, as
// the tracer of package pg.
package oteltest
