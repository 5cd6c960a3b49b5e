package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichServerItIs(t *testing.T) {
	for _, c := range []struct {
		text                    string
		mariadb                 bool
		major, minor            int
		insert, delete, replace bool
	}{
		{"8.4.3", false, 8, 4, false, false, false},
		{"8.0.36-28.1", false, 8, 0, false, false, false},
		{"5.7.44-log", false, 5, 7, false, false, false},
		{"10.11.6-MariaDB-0+deb12u1", true, 10, 11, true, true, true},
		{"5.5.5-10.4.32-MariaDB-log", true, 10, 4, false, true, false},
		{"12.0.2-mariadb", true, 12, 0, true, true, true},
		{"something else", false, 0, 0, false, false, false},
	} {
		var s server
		s.mariadb, s.major, s.minor = version(c.text)
		s.returning = s.mariadb
		require.Equal(t, server{mariadb: c.mariadb, major: c.major, minor: c.minor, returning: c.mariadb}, s, c.text)
		require.Equal(t, []bool{c.insert, c.delete, c.replace, false}, []bool{s.native("insert"), s.native("delete"), s.native("replace"), s.native("update")}, c.text)
	}
}
