// Package telling writes the statements, types and values of a program for errors, events and logs:
// in a few words, and only as far as the options of the Engine allow.
package telling
