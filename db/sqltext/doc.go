// Package sqltext reads SQL text as far as a database library must: it finds
// where literals, quoted names and comments end, where :name parameters stand,
// where one statement of a script ends and the next begins, and which keyword
// says what a statement does.
//
// Databases disagree about all of these, so the differences are data, see
// [Rules]. A dialect has one Rules value and hands it to package db.
//
// # Parameters
//
// A parameter is a colon directly followed by a letter or an underscore:
//
//	select * from users where email = :email
//
// A colon is no parameter inside a literal, a quoted name or a comment, as part
// of the cast operator (total::text; but :total::text is a parameter and a
// cast), directly after a word or a number (numbers[1:n]), and after a
// backslash: \: stands for a plain colon.
//
// # What it is not
//
// It is not a parser: it knows no grammar, judges no statement to be right or
// wrong, and never changes text. What isn't closed, a literal or a comment,
// reaches to the end of the text; to complain is the server's business.
package sqltext
