package actors

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/internal/plan"
	"understudy/messages"
)

// Supervisor is the root of the engine's tree. It owns the daemon's life: it
// gives birth to the budget, the recorder, the ring watcher and one device actor
// a disk, replaces those that crash, follows ring changes, and tells when a run
// in script mode is over.
type Supervisor struct {
	life
	e        *engine
	log      zerolog.Logger
	view     *messages.View
	wiring   messages.Wiring
	course   *messages.Course
	expiry   alarm // looks for what ends by itself
	watcher  *actor.PID
	devices  map[string]*actor.PID  // by device name; nil while backing off
	names    map[string]string      // PID → device name
	crashes  map[string]int         // in a row, by role or device name
	restarts map[string]int         // ever, by device name
	timers   map[string]func() bool // stops the wait of what is backing off
	deaf     func()                 // ends the hearing of the system's events
	seen     map[string]int         // supervision events by kind, for the log
}

// The names of the supervisor's own helpers, as crash keys; a device cannot have
// them, for its name is a plain file name.
const (
	roleBudget   = "/budget"
	roleRecorder = "/recorder"
	roleWatcher  = "/rings"
)

// rebirth brings a crashed actor back. Sender: the timer of the supervisor's incarnation
// that by is the life of: one that comes after its end brings nobody.
type rebirth struct {
	who string
	by  *Supervisor
}

// IgnoreDeadLetterLogging: the supervisor may have ended meanwhile.
func (*rebirth) IgnoreDeadLetterLogging() {}

func newSupervisor(e *engine, first *messages.View) *Supervisor {
	return &Supervisor{
		life: newLife(), e: e, log: e.deps.Log, view: first, course: firstCourse(e.opts),
		devices: map[string]*actor.PID{}, names: map[string]string{},
		crashes: map[string]int{}, restarts: map[string]int{}, timers: map[string]func() bool{},
		seen: map[string]int{},
	}
}

// Receive implements actor.Actor.
func (s *Supervisor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		s.start(c)
	case *messages.RingsChanged:
		s.ringsChanged(c, m)
	case *messages.RoundDone:
		s.roundDone(c, m)
	case *messages.GetSnapshot:
		c.Forward(s.wiring.Recorder)
	case *messages.Alive:
		c.Respond(&messages.Living{})
	case *messages.Steer:
		s.steer(c, m)
	case *messages.ToDevice:
		s.toDevice(c, m)
	case *courseDue:
		s.expire(c)
	case *Reload:
		s.reload(c, m)
	case *messages.SupervisionEvent:
		s.happened(c, m)
	case *actor.Terminated:
		s.gone(c, m.Who)
	case *rebirth:
		if m.by == s {
			s.bear(c, m.who)
		}
	case *actor.Stopping, *actor.Restarting:
		s.leave()
	}
}

// leave lets nothing reach this incarnation any more. A successor in its place starts
// its own devices: a birth that was still due would be a second one.
func (s *Supervisor) leave() {
	if s.deaf != nil { // it has never started
		s.deaf()
	}
	s.expiry.stop()
	for _, stop := range s.timers {
		stop()
	}
}

func (s *Supervisor) start(c actor.Context) {
	s.listen(c)
	s.wiring.Budget = c.SpawnPrefix(budgetProps(s.e, s.course), "budget-")
	s.wiring.Recorder = c.SpawnPrefix(recorderProps(s.e, s.view, s.course), "recorder-")
	s.watcher = c.SpawnPrefix(ringWatcherProps(s.e, s.view), "rings-")
	s.settle(c)
	s.follow(c, s.course)
	if s.e.opts.Ready != nil {
		s.e.opts.Ready()
	}
	publish(c, &messages.EngineStarted{Engine: c.Self()})
}

// settle makes the device actors match the rings.
func (s *Supervisor) settle(c actor.Context) {
	var names []string
	for _, name := range plan.LocalDevices(s.view) {
		if s.e.opts.Only.device(name) {
			names = append(names, name)
		}
	}
	c.Request(s.wiring.Recorder, &messages.DevicesChanged{Devices: names})
	for name := range s.devices {
		if !slices.Contains(names, name) {
			s.dismiss(c, name)
		}
	}
	for _, name := range names {
		if _, known := s.devices[name]; !known {
			s.spawnDevice(c, name)
		}
	}
}

func (s *Supervisor) spawnDevice(c actor.Context, name string) {
	pid := c.SpawnPrefix(deviceProps(s.e, name, s.view, s.wiring, s.course), "device-"+name+"-")
	s.devices[name], s.names[pid.Id] = pid, name
	c.Request(pid, &messages.StartPass{})
}

// dismiss lets a device go that no ring names any more.
func (s *Supervisor) dismiss(c actor.Context, name string) {
	if pid := s.devices[name]; pid != nil {
		delete(s.names, pid.Id)
		c.Stop(pid)
	}
	delete(s.devices, name)
	if stop := s.timers[name]; stop != nil {
		stop()
		delete(s.timers, name)
	}
	s.log.Info().Str("device", name).Msg("device left the ring")
}

// ringsChanged follows a new view of the rings. One that differs only in what is the
// matter with a file is told, and changes nothing.
func (s *Supervisor) ringsChanged(c actor.Context, m *messages.RingsChanged) {
	before := s.view
	s.view = m.View
	s.tellRings(before)
	c.Request(s.wiring.Recorder, m)
	s.settle(c)
	for _, pid := range s.devices {
		if pid != nil {
			c.Request(pid, m)
		}
	}
}

// tellRings logs which ring files have become of no use or of use again, and whether
// any ring in use is another than before.
func (s *Supervisor) tellRings(before *messages.View) {
	for _, p := range s.view.Policies {
		was := before.Policy(p.Policy.Index)
		switch {
		case p.Err != nil && (was.Err == nil || was.Err.Error() != p.Err.Error()):
			s.log.Error().Err(p.Err).Int("policy", p.Policy.Index).Msg("ring file cannot be used, the earlier one is kept")
		case p.Err == nil && was.Err != nil:
			s.log.Warn().Int("policy", p.Policy.Index).Msg("ring file can be used again")
		}
	}
	if s.view.Differs(before) {
		s.log.Info().Uint64("version", s.view.Version).Msg("rings changed: jobs take their roles from the new ones")
	}
}

// roundDone forgives those that did not crash again, and ends a run in script
// mode.
func (s *Supervisor) roundDone(c actor.Context, m *messages.RoundDone) {
	for who := range s.crashes {
		if !slices.Contains(m.Cut, who) {
			delete(s.crashes, who)
		}
	}
	publish(c, &messages.RoundEnded{Engine: c.Self(), Stats: m.Stats, Cut: m.Cut})
	if s.e.opts.Once {
		c.ActorSystem().EventStream.Publish(&messages.RunDone{Engine: c.Self(), Stats: m.Stats})
	}
}

// gone sees one of the children end. Its successor is born after a wait that
// grows with each crash in a row.
func (s *Supervisor) gone(c actor.Context, who *actor.PID) {
	if s.stopping {
		return
	}
	name, device := s.names[who.Id]
	switch {
	case device:
		delete(s.names, who.Id)
		s.devices[name] = nil
		s.restarts[name]++
		c.Request(s.wiring.Recorder, &messages.DeviceState{Device: name, State: messages.StateBackingOff})
		c.Request(s.wiring.Recorder, &messages.PassDone{Device: name, Cut: "device actor crashed"})
	case who.Equal(s.wiring.Budget):
		name = roleBudget
	case who.Equal(s.wiring.Recorder):
		if s.e.opts.Once {
			panic(Fatal{errRecorderLost}) // nobody would notice the end of the run
		}
		name = roleRecorder
	case who.Equal(s.watcher):
		name = roleWatcher
	default:
		return // a dismissed device
	}
	if device && s.e.opts.Once {
		return // its pass is over; script mode gives no second one
	}
	s.crashes[name]++
	wait := plan.Backoff(s.crashes[name], rebirthLeast, rebirthMost, float64(s.e.deps.Rand.IntN(1000))/1000)
	s.log.Error().Str("actor", who.Id).Int("crashes", s.crashes[name]).Dur("wait", wait).Msg("actor crashed, a successor will be born")
	self, root := c.Self(), c.ActorSystem().Root
	s.timers[name] = s.e.deps.Clock.AfterFunc(wait, func() { root.Send(self, &rebirth{name, s}) })
}

// reload goes on with another engine. The ring watcher is replaced: it is bound to
// the rings that it looks at.
func (s *Supervisor) reload(c actor.Context, m *Reload) {
	opts := m.Options
	opts.Once, opts.Only, opts.Ready, opts.Course = s.e.opts.Once, s.e.opts.Only, s.e.opts.Ready, nil
	s.e = newEngine(m.Deps, opts)
	s.log = s.e.deps.Log
	change := &adopted{s.e}
	c.Request(s.wiring.Recorder, change)
	for _, pid := range s.devices {
		if pid != nil {
			c.Request(pid, change)
		}
	}
	s.follow(c, reconfigured(s.course, s.e.opts))
	if stop := s.timers[roleWatcher]; stop != nil { // it has just crashed
		stop()
		delete(s.timers, roleWatcher)
	}
	old := s.watcher
	s.watcher = c.SpawnPrefix(ringWatcherProps(s.e, m.View), "rings-")
	c.Stop(old)
	s.ringsChanged(c, &messages.RingsChanged{View: m.View})
}

// bear brings a successor into the world and tells it and the others about it.
func (s *Supervisor) bear(c actor.Context, who string) {
	delete(s.timers, who)
	if s.stopping {
		return
	}
	s.happened(c, &messages.SupervisionEvent{Kind: messages.EventBirth, Actor: who})
	switch who {
	case roleBudget:
		s.wiring.Budget = c.SpawnPrefix(budgetProps(s.e, s.course), "budget-")
		s.rewire(c)
	case roleRecorder:
		s.wiring.Recorder = c.SpawnPrefix(recorderProps(s.e, s.view, s.course), "recorder-")
		s.settle(c)
		s.rewire(c)
	case roleWatcher:
		s.watcher = c.SpawnPrefix(ringWatcherProps(s.e, s.view), "rings-")
	default:
		if _, wanted := s.devices[who]; wanted {
			s.spawnDevice(c, who)
		}
	}
}

func (s *Supervisor) rewire(c actor.Context) {
	for _, pid := range s.devices {
		if pid != nil {
			w := s.wiring
			c.Request(pid, &w)
		}
	}
}
