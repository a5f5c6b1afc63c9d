package bootstrap

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/fault"
)

// FaultsEnv names the file of a fault plan in the environment.
const FaultsEnv = "UNDERSTUDY_FAULTS"

var errNoFaults = errors.New("use a fault plan: this program is built without faults (tag nofaults)")

// ReadFaults makes the injector of a process from its configuration and environment, with
// the plan that FaultsEnv names, if any. It is nil, and nothing is asked, unless
// faults_allowed is set. A plan that is not allowed, cannot be read or makes no sense is
// an error: a process that was meant to fail must not look as if it held.
func ReadFaults(cfg *config.Config) (*fault.Injector, error) {
	path := os.Getenv(FaultsEnv)
	switch {
	case !FaultsBuilt && (path != "" || cfg.FaultsAllowed):
		return nil, errNoFaults
	case path != "" && !cfg.FaultsAllowed:
		return nil, fmt.Errorf("use the fault plan %s (%s): faults_allowed is no in %s", path, FaultsEnv, cfg.Path)
	case !cfg.FaultsAllowed:
		return nil, nil
	}
	var plan fault.Plan
	if path != "" {
		var err error
		if plan, err = readPlan(path); err != nil {
			return nil, err
		}
	}
	host, _ := os.Hostname()
	return fault.NewInjector(plan, nil).Seat(cmp.Or(host, "localhost"), nil), nil
}

func readPlan(path string) (fault.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("read fault plan: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, fault.MaxText+1))
	if err != nil {
		return fault.Plan{}, fmt.Errorf("read fault plan: %w", err)
	}
	plan, err := fault.Parse(string(text))
	if err != nil {
		return plan, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

// TellFaults says aloud at the start what is to go wrong, if anything may.
func TellFaults(log zerolog.Logger, faults *fault.Injector) {
	if faults == nil {
		return
	}
	log.Warn().Msg("FAULTS ARE ALLOWED: things may go wrong on purpose in this process")
	for _, f := range faults.Plan().Faults {
		log.Warn().Str("fault", f.String()).Msg("FAULT PLAN IN FORCE")
	}
	warnOfStalls(log, faults.Plan())
}

// TellInjected says at the end what has gone wrong on purpose.
func TellInjected(log zerolog.Logger, faults *fault.Injector) {
	for _, c := range faults.Counts() {
		log.Warn().Str("fault", c.Fault).Int("fired", c.Fired).Int("seen", c.Seen).Msg("faults injected")
	}
}
