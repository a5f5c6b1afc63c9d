package main

import (
	"understudy/config"
	"understudy/internal/observe/logs"
	"understudy/internal/process"
)

func openLogs(cfg *config.Config, verbose bool) (*logs.Logs, error) {
	return logs.New(logs.Config{
		Format: cfg.Log.Format, Name: cfg.Log.Name, Level: cfg.Log.Level, Facility: cfg.Log.Facility,
		Address: cfg.Log.Address, UDPHost: cfg.Log.UDPHost, UDPPort: cfg.Log.UDPPort,
		MaxLineLength: cfg.Log.MaxLineLength, Verbose: verbose, FlushTimeout: flushLimit,
	})
}

// ioClasses are the names of ioprio_set(2)'s classes, by number.
var ioClasses = []string{1: "IOPRIO_CLASS_RT", 2: "IOPRIO_CLASS_BE", 3: "IOPRIO_CLASS_IDLE"}

func priority(cfg *config.Config) process.Priority {
	p := process.Priority{Nice: cfg.Priority.Nice}
	if io := cfg.Priority.IO; io != nil {
		p.IOClass, p.IOPriority = ioClasses[io.Class], io.Level
	}
	return p
}
