// Package gmstest holds the MySQL dialect to the conformance suite on a server that only speaks
// MySQL's protocol: github.com/dolthub/go-mysql-server, in this process, with tables in memory.
// It is no InnoDB, and what it lacks Dolt, TiDB and Vitess may lack as well.
package gmstest
