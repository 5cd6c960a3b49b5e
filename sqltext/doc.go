// Package sqltext reads SQL text as far as a driver must, without a grammar: where literals,
// quoted names and comments end, where :name parameters stand, where one statement of a text
// ends and the next begins, and what a statement does to the connection that executes it.
//
// It serves drivers and the authors of dialects. Packages pg and db take all that they know of a
// text from here, so that they never disagree.
//
// # Languages
//
// Databases disagree about all of this. [Rules] says how one of them writes SQL; a [Language] has
// its Rules, and knows its statements: [PostgreSQL], [SQLite], [MySQL]. A dialect for a database
// that speaks the SQL of one of them uses that Language; another one makes its own Rules.
//
// # Tokens
//
// [Rules.Next] reads one token, [Rules.Tokens] all of them. Tokens have no gaps, and where one
// begins depends on nothing but what stands before it.
//
// A comment that MySQL or MariaDB executes is code:
//
//	select * from t where a = 1 /*!40000 and b = :b */
//
// Its marks are tokens, [ExecBegin] and [ExecEnd], and so is what stands between them.
//
// # Parameters
//
// A parameter is a colon directly followed by a letter or an underscore:
//
//	select * from users where email = :email
//
// A colon is no parameter inside a literal, a quoted name or a comment, as part of the cast
// operator (total::text; but :total::text is a parameter and a cast), directly after a word or a
// number (numbers[1:n]), and after a backslash: \: stands for a plain colon.
//
// # Statements
//
// [Rules.Statements] cuts a text at its semicolons, and leaves every statement as it is written:
// the comments before and after it belong to it. A semicolon in the body of a trigger, a routine,
// a rule or a block ends no statement.
//
// The DELIMITER lines of MySQL's command line client aren't SQL: the client takes them out of a
// script before the server sees it. Leave them out; bodies are recognised without them.
//
// # Effects
//
// [Language.Classify] says what a statement does, as a set of [Effects]: whether it returns rows,
// writes, begins or ends a transaction, or leaves something on its connection. It looks at tokens:
// a table called temp is no temporary table, and a literal or comment means nothing. What a text
// doesn't show, such as what a function does, it doesn't know.
//
// # What it is not
//
// It is no parser: it knows no grammar, calls no statement right or wrong, and never changes text.
// A literal or a comment that isn't closed reaches to the end of the text; the server complains.
package sqltext
