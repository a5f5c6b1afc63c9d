// Package sim runs whole clusters in one goroutine's time: the real engine, server,
// store and transports of several nodes over disks and a network in memory, in virtual
// time, in an order that a seed decides. A seed is a world, its faults and a schedule;
// the same seed is the same run.
package sim
