package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
)

// fleetProgram is a program of its own: it carries what it takes to talk to other
// machines, and this one does not.
const fleetProgram = "understudy-fleet"

func newFleet() *cobra.Command {
	return &cobra.Command{
		Use:   "fleet",
		Short: "Look at and steer many nodes, if understudy-fleet is installed",
		Long: `Look at and steer many nodes: runs understudy-fleet, which is installed beside this
program or found in PATH, with the same arguments. "understudy fleet --help" is its help.

Exit codes: those of understudy-fleet; 1 it is not installed.`,
		Example:            "  understudy fleet status\n  understudy fleet pause --rolling --for 30s",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := findFleet()
			if err != nil {
				return err
			}
			if err := syscall.Exec(path, append([]string{fleetProgram}, args...), os.Environ()); err != nil {
				return fmt.Errorf("run %s: %w", path, err)
			}
			return nil // never
		},
	}
}

func findFleet() (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), fleetProgram)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(fleetProgram)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in PATH: it is not installed", fleetProgram)
	}
	return path, nil
}
