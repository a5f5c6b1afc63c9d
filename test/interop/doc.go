// Package interop proves our replicator against real Swift: clusters of stock
// object servers and rsync daemons, trees written by Swift's own DiskFile classes,
// and Swift's own replicator, readers and tools as the judges. The tests need root,
// Swift's packages and rsync; without them they fail. UNDERSTUDY_BIN names another
// program to put to the test, for example Swift's own replicator.
package interop
