// Package process puts the daemon's own process into the state that Swift's
// daemons run in: priorities, user, session, working directory, umask, standard
// streams, time zone, and the word to the service manager.
//
// The functions are meant to be called in Swift's order: SetPriority, UseUTC,
// then DropPrivileges, Hygiene, RedirectStdio, NotifyReady, Watchdog. All act on the whole
// process, which has more than one thread.
package process
