// Package telling writes texts, types and values of a program as errors, events and logs show them:
// in a few words, and no more of them than the options of the Engine allow.
package telling
