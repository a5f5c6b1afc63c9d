package status

import "understudy/messages"

func settingsOf(c *messages.Course) Settings {
	s := Settings{
		Profile: c.Profile, Until: utc(c.Until), Limits: LimitsOf(c.Limits), Config: LimitsOf(c.Config), Differ: []string{}, Stored: c.Stored,
	}
	for _, one := range []struct {
		name   string
		differ bool
	}{
		{"jobs", s.Limits.Jobs != s.Config.Jobs},
		{"device_jobs", s.Limits.DeviceJobs != s.Config.DeviceJobs},
		{"bytes_per_second", s.Limits.Bytes != s.Config.Bytes},
		{"device_bytes_per_second", s.Limits.DeviceBytes != s.Config.DeviceBytes},
		{"hashes_per_second", s.Limits.Hashes != s.Config.Hashes},
		{"tranquility", s.Limits.Tranquility != s.Config.Tranquility},
		{"handoffs_first", s.Limits.HandoffsFirst != s.Config.HandoffsFirst},
	} {
		if one.differ {
			s.Differ = append(s.Differ, one.name)
		}
	}
	return s
}

// LimitsOf are limits as views show them.
func LimitsOf(l messages.Limits) Limits {
	return Limits{
		Jobs: l.Jobs, DeviceJobs: l.DeviceJobs, Bytes: l.Bytes, DeviceBytes: l.DeviceBytes,
		Hashes: l.Hashes, Tranquility: l.Tranquility, HandoffsFirst: l.HandoffsFirst,
	}
}

// Engine turns them back.
func (l Limits) Engine() messages.Limits {
	return messages.Limits{
		Jobs: l.Jobs, DeviceJobs: l.DeviceJobs, Bytes: l.Bytes, DeviceBytes: l.DeviceBytes,
		Hashes: l.Hashes, Tranquility: l.Tranquility, HandoffsFirst: l.HandoffsFirst,
	}
}
