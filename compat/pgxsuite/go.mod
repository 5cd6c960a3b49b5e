// A module of its own, because the tests of pgx need more modules than the package under test does.
module github.com/seed1239206e/repaint/compat/pgxsuite

go 1.26.0

replace github.com/seed1239206e/repaint => ../..

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/seed1239206e/repaint v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
