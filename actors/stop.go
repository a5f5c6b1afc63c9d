package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// StopWithin stops an actor and everything below it, and waits for the end at
// most d: actor.ErrTimeout after that. The library's own StopFuture always
// waits ten seconds.
func StopWithin(system *actor.ActorSystem, pid *actor.PID, d time.Duration) error {
	end := actor.NewFuture(system, d)
	process, _ := system.ProcessRegistry.Get(pid) // for a dead PID the dead letters, which answer a Watch
	process.SendSystemMessage(pid, &actor.Watch{Watcher: end.PID()})
	system.Root.Stop(pid)
	return end.Wait()
}
