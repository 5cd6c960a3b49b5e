package otel_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/otel"
)

// url is that of the example's server.
var url string

func Example() {
	ctx := context.Background()
	watch, err := otel.New(otel.Metrics(metric.NewMeterProvider())) // or the global providers
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := pg.ParseConfig(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Tracer = watch
	conn, err := pg.OpenConfig(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)
	stop, err := watch.Pool(conn, "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	var greeting string
	fmt.Println(conn.QueryRow(ctx, "select 'hello'").Scan(&greeting), greeting)
}

// The example needs a server, so this test runs it.
func TestExample(t *testing.T) {
	url = testserver.Postgres(t).Database(t).URL()
	require.NotPanics(t, Example)
}
