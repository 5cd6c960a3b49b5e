package otel_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/otel"
)

// url is that of the example's server.
var url string

func Example() {
	fmt.Println(observed(context.Background()))
}

// docs/observe.md shows these lines.
func observed(ctx context.Context) error {
	watch, err := otel.New() // of repaint/pg/otel, with OpenTelemetry's global providers
	if err != nil {
		return err
	}
	config, err := pg.ParseConfig(url)
	if err != nil {
		return err
	}
	config.Tracer = watch // a span for each statement
	conn, err := pg.OpenConfig(config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	stop, err := watch.Pool(conn, "main") // the figures
	if err != nil {
		return err
	}
	defer stop()
	return conn.Ping(ctx)
}

// The example needs a server, so this test runs it.
func TestExample(t *testing.T) {
	url = testserver.Postgres(t).Database(t).URL()
	require.NoError(t, observed(t.Context()))
}
