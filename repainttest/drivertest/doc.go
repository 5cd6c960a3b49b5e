// Package drivertest holds repainttest.Driver against drivers of database/sql, on real databases:
//
//	cd repainttest/drivertest && go test .
package drivertest
