module github.com/lib/pq

go 1.26

require github.com/seed1239206e/repaint v0.0.0
