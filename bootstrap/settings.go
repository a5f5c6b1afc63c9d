package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"understudy/config"
	"understudy/internal/observe/status"
	"understudy/messages"
)

// settingsFile keeps live settings over a restart, beside the cursors.
const settingsFile = "settings.json"

// kept is what the file holds.
type kept struct {
	Profile string        `json:"profile"`
	Until   time.Time     `json:"until,omitzero"`
	Limits  status.Limits `json:"limits"`
}

func settingsPath(cfg *config.Config) string {
	return filepath.Join(cfg.ReconCachePath, cursorDir, settingsFile)
}

// keepSettings writes what is to outlive a restart, or removes it.
func keepSettings(path string, c *messages.Course) error {
	if !c.Stored {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget settings: %w", err)
		}
		return nil
	}
	text, err := json.MarshalIndent(kept{Profile: c.Profile, Until: c.Until, Limits: status.LimitsOf(c.Limits)}, "", "  ")
	if err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	draft := path + ".tmp"
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	return nil
}

// keptCourse is the course to begin with: that of the configuration, changed as an
// earlier process was told to remember. A file that makes no sense is told and left.
func (e *Engine) keptCourse(cfg *config.Config, limits messages.Limits) *messages.Course {
	c := &messages.Course{Limits: limits, Config: limits, Profile: messages.ProfileBalanced}
	path := settingsPath(cfg)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil {
		err = sensibleLimits(k.Limits)
	}
	if err != nil {
		e.log.Error().Err(err).Str("path", path).Msg("kept settings cannot be used, the configuration is")
		return c
	}
	if !k.Until.IsZero() && !k.Until.After(time.Now()) {
		return c
	}
	c.Limits, c.Profile, c.Until, c.Stored = k.Limits.Engine(), k.Profile, k.Until, true
	e.log.Warn().Str("profile", c.Profile).Str("path", path).Msg("kept settings are in force")
	return c
}

func sensibleLimits(l status.Limits) error {
	return sensible(status.SetLimits{
		Jobs: &l.Jobs, DeviceJobs: &l.DeviceJobs, Bytes: &l.Bytes, DeviceBytes: &l.DeviceBytes,
		Hashes: &l.Hashes, Tranquility: &l.Tranquility,
	})
}
