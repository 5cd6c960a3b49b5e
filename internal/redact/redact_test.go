package redact_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/redact"
)

func TestValuesAreRemovedFromMessages(t *testing.T) {
	const sql = "insert into users (email, pin) values (:email, 'x')"
	for _, c := range []struct {
		text  string
		names []string
		args  []any
		want  string
	}{
		{"Duplicate entry 'hunter2' for key 'users.email'", []string{"users", "email"}, nil, "Duplicate entry '…' for key 'users.email'"},
		{"Duplicate entry 'hunter2' for key 'other'", nil, nil, "Duplicate entry '…'"},
		{"Duplicate entry 'it's hunter2' for key 'email'", []string{"email"}, nil, "Duplicate entry '…' for key 'email'"},
		{"Duplicate entry 'a' b 'hunter2' for key 'email'", []string{"email"}, nil, "Duplicate entry '…' for key 'email'"},
		{"Duplicate entry 'email' hunter2' for key 'email'", []string{"email"}, []any{"email' hunter2"}, "Duplicate entry '…' for key 'email'"},
		{`ERROR: invalid input syntax for type integer: "hunter2" (SQLSTATE 22P02)`, nil, nil, `ERROR: invalid input syntax for type integer: "…" (SQLSTATE 22P02)`},
		{`ERROR: invalid input syntax for type integer: "say "hunter2"" (SQLSTATE 22P02)`, nil, nil, `ERROR: invalid input syntax for type integer: "…" (SQLSTATE 22P02)`},
		{`ERROR: duplicate key value violates unique constraint "users_email" (SQLSTATE 23505)`, []string{"users_email"}, nil,
			`ERROR: duplicate key value violates unique constraint "users_email" (SQLSTATE 23505)`},
		{`syntax error at or near "email"`, nil, nil, `syntax error at or near "email"`},
		{`syntax error at or near "mail"`, nil, nil, `syntax error at or near "…"`},
		{"error near ', pin) values (:em' at line 1", nil, nil, "error near ', pin) values (:em' at line 1"},
		{"Unknown column 'email' in 'field list'", nil, nil, "Unknown column 'email' in 'field list'"},
		{"Table 'app.users' doesn't exist", []string{"users"}, nil, "Table 'app.users' doesn't exist"},
		{"a child row fails (`app`.`users`, CONSTRAINT `c` FOREIGN KEY (`p`))", nil, nil, "a child row fails (`app`.`users`, CONSTRAINT `c` FOREIGN KEY (`p`))"},
		{"Incorrect value: 'a`b' for column `app`.`users`.`pin` at row 1", nil, nil, "Incorrect value: '…' for column `app`.`users`.`pin` at row 1"},
		{"unterminated 'hunter2", nil, nil, "unterminated '…"},
		{"no card Hunter2 of 4711", nil, []any{"hunter2", 4711}, "no card … of …"},
		{"no card hunter2", nil, []any{[]any{new(int), &[]string{"hunter2"}[0]}}, "no card …"},
		{"no card hunter2", nil, []any{[]byte("hunter2")}, "no card …"},
		{"a value of type text", nil, []any{"te", nil, (*string)(nil)}, "a value of type text"},
		{"a value of type text", nil, []any{"ext"}, "a value of type text"},
		{"can't say 'users' to 'email'", nil, []any{"email"}, "can't say 'users' to '…'"},
	} {
		got := redact.Message{Text: c.text, SQL: []string{sql}, Names: c.names, Values: c.args}.String()
		require.Equal(t, c.want, got)
	}
}
