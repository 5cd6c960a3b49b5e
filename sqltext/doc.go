// Package sqltext reads as much of SQL text as a driver must, without a grammar. It finds where
// literals, quoted names and comments end, where :name parameters are, where one statement of a
// text ends and the next begins, and what a statement does to the connection that executes it.
//
// It serves drivers and authors of dialects. Packages pg and db take everything that they know
// about a text from here, so that they never disagree. Its functions keep no state, so any
// goroutine may call them.
//
// # Languages
//
// Databases disagree about all of this. [Rules] says how one database writes SQL. A [Language] has
// the Rules of a database and also knows its statements: [PostgreSQL], [SQLite], [MySQL]. A dialect
// for a database that speaks the SQL of one of these uses its Language. Any other dialect makes its
// own Rules.
//
// # Tokens
//
// [Rules.Next] reads one token, [Rules.Tokens] all of them. Tokens have no gaps. Where a token
// begins depends only on the text before it.
//
// MySQL and MariaDB execute some comments as code:
//
//	select * from t where a = 1 /*!40000 and b = :b */
//
// The marks of such a comment are tokens, [ExecBegin] and [ExecEnd], and the text between them is
// tokens as well.
//
// # Parameters
//
// A parameter is a colon directly followed by a letter or an underscore:
//
//	select * from users where email = :email
//
// Its name goes on after a dot that a letter or an underscore follows: :author.id is one parameter.
//
// A colon begins no parameter inside a literal, a quoted name or a comment, as part of the cast
// operator (total::text; but :total::text is a parameter and a cast), directly after a word or a
// number (numbers[1:n]), or after a backslash: \: means a plain colon.
//
// # Statements
//
// [Rules.Statements] splits a text at its semicolons and leaves every statement as it is written:
// the comments before and after a statement belong to it. A semicolon in the body of a trigger, a
// routine, a rule or a block doesn't end a statement.
//
// The DELIMITER lines of MySQL's command-line client aren't SQL: the client removes them from a
// script before the server sees it. Leave them out. Statements recognises bodies without them.
//
// # Effects
//
// [Language.Classify] says what a statement does, as a set of [Effects]: whether it returns rows,
// writes, begins or ends a transaction, or leaves something on its connection. It looks at tokens:
// a table named temp isn't a temporary table, and literals and comments count for nothing. It
// doesn't know what a text doesn't show, such as what a function does.
//
// # What it is not
//
// The package isn't a parser: it knows no grammar, never judges whether a statement is valid, and
// never changes text. An unclosed literal or comment reaches to the end of the text, and the server
// reports the error.
package sqltext
