// Package admission decides who may push to a disk, and when. Each node keeps one
// Ledger of its own disks: a node that wants to push takes a lease of its own disk
// first (Out), then one of the disk that receives (In), and gives both back at the
// end. Nothing waits while it holds: a ledger answers at once, with a lease or with
// the time after which to ask again, so that there is no circle to wait in.
//
// A reservation is a courtesy. Whoever gets no answer goes ahead, and a push whose lease
// was lost goes on: no correctness rests on it, only the load of disks.
//
// The ledger is pure: the caller tells the time and keeps calls apart. The idea of a
// local and then a remote reservation is Ceph's (doc/dev/osd_internals/backfill_reservation).
package admission
