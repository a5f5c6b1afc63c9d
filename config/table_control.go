package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strconv"
)

const controlGroup = "Seeing and steering"

// NoSocket is the control_socket of an engine that cannot be steered.
const NoSocket = "none"

// Control is where operators see and steer the engine.
type Control struct {
	Socket string // path of the unix socket; empty: none
	Mode   string // its permissions, octal
	Listen string // address:port where the status is shown; empty: none
}

// FileMode is the permissions of the socket.
func (c Control) FileMode() fs.FileMode {
	mode, _ := strconv.ParseUint(c.Mode, 8, 9) // the table has checked it
	return fs.FileMode(mode)
}

var controlOptions = []Option{
	{
		Name: "control_socket", Group: controlGroup, Scope: Replicator, Kind: Path, Effect: Own, emptyIsDefault: true,
		Unset: "control.sock in the folder understudy of recon_cache_path",
		Meaning: "Unix socket on which the daemon is seen and steered by `understudy status`, `pause` and others; none is none. " +
			"Made as user. A pass in script mode has none.",
		form:  socketForm,
		field: func(c *Config) any { return &c.Control.Socket },
	},
	{
		Name: "control_socket_mode", Group: controlGroup, Scope: Replicator, Kind: Text, Default: "0600", Effect: Own, emptyIsDefault: true,
		Meaning: "Permissions of control_socket, octal. Who may write to it may steer.",
		form:    modeForm,
		field:   func(c *Config) any { return &c.Control.Mode },
	},
	{
		Name: "status_listen", Group: controlGroup, Scope: Replicator, Kind: Text, Unset: "unset", Effect: Own, emptyIsDefault: true,
		Meaning: "Address and port, as 127.0.0.1:6205, where the status, its page and metrics are shown to whoever asks. Nothing can be changed there.",
		form:    statusForm,
		field:   func(c *Config) any { return &c.Control.Listen },
	},
	{
		Name: "faults_allowed", Group: controlGroup, Scope: Both, Kind: Bool, Default: "no", Effect: Own,
		Meaning: "Let a fault plan make things go wrong on purpose: that of the file in the environment's UNDERSTUDY_FAULTS, and those of " +
			"`understudy faults`. Not for a node with data that matters. With no, a plan is refused and nothing of it costs anything.",
		field: func(c *Config) any { return &c.FaultsAllowed },
	},
}

func socketForm(text string) error {
	if text != NoSocket && !filepath.IsAbs(text) {
		return errors.New("must be an absolute path, or none")
	}
	return nil
}

func agentForm(text string) error {
	if !filepath.IsAbs(text) {
		return errors.New("must be an absolute path")
	}
	return nil
}

func modeForm(text string) error {
	if mode, err := strconv.ParseUint(text, 8, 32); err != nil || mode > 0o777 {
		return errors.New("must be permissions in octal, as 0660")
	}
	return nil
}

// statusForm: a name would have to be looked up, which can hang.
func statusForm(text string) error {
	if at, err := netip.ParseAddrPort(text); err != nil || at.Port() == 0 {
		return errors.New("must be an address and a port, as 127.0.0.1:6205")
	}
	return nil
}

// controlRule: the socket is beside the other files of ours, unless it is elsewhere
// or nowhere.
func (l *loader) controlRule() {
	c := &l.c.Control
	if c.Socket == "" {
		c.Socket = filepath.Join(l.c.ReconCachePath, "understudy", "control.sock")
		l.show("control_socket", l.value("recon_cache_path").Origin)
	}
	if c.Socket == NoSocket {
		c.Socket = ""
	}
}

// ControlSocket is where the engine of a configuration is steered, whatever else is
// wrong with the file; empty: nowhere. swift.conf need not be readable.
func ControlSocket(path string) (string, error) {
	l := &loader{c: &Config{Path: path, Section: ReplicatorSection}, scope: Replicator}
	l.readDaemon(path)
	if l.s == nil {
		return "", l.problems
	}
	for _, err := range l.problems {
		if bad := (*ValueError)(nil); errors.As(err, &bad) && bad.Option == "control_socket" {
			return "", bad
		}
	}
	return l.c.Control.Socket, nil
}
