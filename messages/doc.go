// Package messages is the vocabulary of the engine: the values that travel
// between its actors and the messages that carry them.
//
// Everything here is plain data. A value that has been sent is never changed
// again by its sender, so no message needs a lock or a copy. The package does no
// I/O and starts no goroutine; wire forms for other processes live elsewhere.
package messages
