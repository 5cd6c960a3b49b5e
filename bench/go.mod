module github.com/seed1239206e/repaint/bench

go 1.26.0

require github.com/seed1239206e/repaint v0.0.0

require golang.org/x/sync v0.24.0

replace github.com/seed1239206e/repaint => ../
