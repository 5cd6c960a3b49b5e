// Package gmstest runs the conformance suite on the MySQL dialect with a server that only speaks
// MySQL's protocol: github.com/dolthub/go-mysql-server, in this process, with tables in memory. It
// has no InnoDB. Dolt, TiDB and Vitess may lack the same things as this server.
package gmstest
