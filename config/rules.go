package config

import (
	"fmt"
	"strconv"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

// applyRules does what one row of the table cannot say: options that depend on
// each other, and Swift's own warnings about them.
func (l *loader) applyRules() {
	c := l.c
	if _, _, ok := l.lookupQuietly("log_name"); !ok {
		c.Log.Name = sectionLogName(c.Section)
		l.show("log_name", Origin{})
	}
	if _, _, ok := l.lookupQuietly("ring_ip"); !ok {
		c.RingIP = c.BindIP
		l.show("ring_ip", l.value("bind_ip").Origin)
	}
	c.Log.MaxLineLength = max(0, c.Log.MaxLineLength)
	l.show("log_max_line_length", l.value("log_max_line_length").Origin)
	c.Priority = l.priority()
	l.onePerDevice()
	if l.scope == ObjServer {
		l.listening()
	} else {
		l.intervalRule()
		l.rsyncModule()
		l.controlRule()
		c.ReplicatorWorkers = max(0, c.ReplicatorWorkers)
		l.show("replicator_workers", l.value("replicator_workers").Origin)
		if c.HandoffsFirst || c.HandoffDelete != 0 {
			l.warn("Handoff only mode is not intended for normal operation, please disable handoffs_first and " +
				"handoff_delete before the next normal rebalance")
		}
	}
}

// intervalRule: Swift: obj/replicator.py ObjectReplicator.__init__.
func (l *loader) intervalRule() {
	interval, _, hasInterval := l.lookupQuietly("interval")
	pause, origin, hasPause := l.lookupQuietly("run_pause")
	switch {
	case hasPause && hasInterval:
		l.warn("Option object-replicator/run_pause is deprecated and object-replicator/interval is already configured. " +
			"You can safely remove run_pause; it is now ignored and will be removed in a future version.")
	case hasPause:
		l.warn("Option object-replicator/run_pause is deprecated and will be removed in a future version. " +
			"Update your configuration to use option object-replicator/interval.")
	}
	if interval != "" || pause == "" {
		return // read already, or the default
	}
	o := l.value("interval").Option
	if _, err := o.read(l.c, pause); err != nil {
		l.problem(&ValueError{Option: "run_pause", Value: pause, Origin: origin, Text: err.Error()})
		return
	}
	l.show("interval", origin)
}

// rsyncModule: Swift: obj/replicator.py ObjectReplicator.__init__.
func (l *loader) rsyncModule() {
	v := l.value("rsync_module")
	l.c.Rsync.Module = strings.TrimRight(l.c.Rsync.Module, "/")
	if l.c.Rsync.Module == "" {
		l.c.Rsync.Module, v.Origin = v.Option.Default, Origin{}
	}
	l.show("rsync_module", v.Origin)
}

// onePerDevice: Swift: obj/diskfile.py BaseDiskFileManager.__init__, which says
// it once for every policy.
func (l *loader) onePerDevice() {
	text, origin, ok := l.lookupQuietly("replication_one_per_device")
	if !ok {
		return
	}
	if _, _, both := l.lookupQuietly("replication_concurrency_per_device"); both {
		l.warn("Option replication_one_per_device ignored as replication_concurrency_per_device is defined.")
		return
	}
	l.warn("Option replication_one_per_device is deprecated and will be removed in a future version. " +
		"Update your configuration to use option replication_concurrency_per_device.")
	l.c.DiskFile.ConcurrencyPerDevice = 0
	if pytext.True(text) {
		l.c.DiskFile.ConcurrencyPerDevice = 1
	}
	l.show("replication_concurrency_per_device", origin)
}

// priority: Swift: common/utils.py modify_priority. A bad value is not an error.
func (l *loader) priority() (p Priority) {
	if text, _, ok := l.lookupQuietly("nice_priority"); ok {
		n, err := pytext.Int(text)
		if err != nil {
			l.warn("WARNING: Unable to modify scheduling priority of process. Keeping unchanged! Check logs for more info. (%s)", err)
		} else {
			nice := int(max(-1000, min(n, 1000))) // the kernel clamps further
			p.Nice = &nice
		}
	}
	class, _, ok := l.lookupQuietly("ionice_class")
	if !ok {
		return p
	}
	text, _, ok := l.lookupQuietly("ionice_priority")
	if !ok {
		text = "0"
	}
	number := map[string]int{"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}[class]
	level, err := pytext.Int(text)
	if err == nil && (level < 0 || level > 1<<13-1) {
		err = fmt.Errorf("ionice_priority %s is out of range", strconv.FormatInt(level, 10))
	}
	if number == 0 {
		err = fmt.Errorf("unknown ionice_class %s", pytext.Repr(class))
	}
	if err != nil {
		l.warn("WARNING: Unable to modify I/O scheduling class and priority of process. Keeping unchanged! Check logs for more info. (%s)", err)
		return p
	}
	p.IO = &IOPriority{Class: number, Level: int(level)}
	return p
}

// warnOfEffects says which options are set and will not do what Swift does.
func (l *loader) warnOfEffects() {
	for _, v := range l.c.values {
		if !v.changed {
			continue
		}
		switch v.Option.Effect {
		case Unsupported:
			l.warn("%s: option %s is not supported", v.Origin, v.Option.Name)
		case AsSwift, NoEffect, Differs, Own:
		}
	}
}

// lookupQuietly is lookup for an option that the table has read already.
func (l *loader) lookupQuietly(name string) (text string, origin Origin, ok bool) {
	key, ok := l.s.match(name)
	if !ok {
		return "", Origin{}, false
	}
	return l.s.values[key], l.s.origins[key], true
}
