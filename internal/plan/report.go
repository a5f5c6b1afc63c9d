package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"understudy/messages"
)

// Progress is where a round stands, as the stats lines tell it.
type Progress struct {
	Stats messages.Stats
	Jobs  int           // jobs of the round so far
	Spent time.Duration // since the round began
	Times *Times        // of the jobs that ended
}

// StatsLines are the lines that Swift logs at each heartbeat and at the end of a
// pass. moved tells whether a job was attempted since the last lines.
// Swift: obj/replicator.py stats_line.
func StatsLines(p Progress, moved bool) []string {
	spent := p.Spent.Seconds()
	if !moved || p.Stats.Attempted == 0 {
		return []string{"Nothing replicated for " + PyFloat(spent) + " seconds."}
	}
	if spent == 0 {
		spent = 0.000001
	}
	done, total := p.Stats.Attempted, max(p.Jobs, 1)
	lines := []string{
		fmt.Sprintf("%d/%d (%.2f%%) partitions replicated in %.2fs (%.2f/sec, %s remaining)",
			done, p.Jobs, float64(done)*100/float64(total), spent, float64(done)/spent, eta(spent, done, p.Jobs)),
		fmt.Sprintf("%d successes, %d failures", p.Stats.Success, p.Stats.Failure),
	}
	if n := float64(p.Stats.SuffixCount); n > 0 && p.Times.n > 0 {
		lines = append(lines,
			fmt.Sprintf("%d suffixes checked - %.2f%% hashed, %.2f%% synced", p.Stats.SuffixCount,
				float64(p.Stats.SuffixHash)*100/n, float64(p.Stats.SuffixSync)*100/n),
			fmt.Sprintf("Partition times: max %.4fs, min %.4fs, med %.4fs", p.Times.most.Seconds(),
				p.Times.least.Seconds(), p.Times.median().Seconds()))
	}
	return lines
}

// eta is the time that the rest will take at the rate so far, in the largest
// unit that is not zero. Swift: common/utils.py compute_eta.
func eta(spent float64, done, total int) string {
	left := 0.0
	if done < total {
		left = spent/(float64(done)/float64(total)) - spent
	}
	switch {
	case left <= 60:
		return fmt.Sprintf("%ds", int(left))
	case left <= 3600:
		return fmt.Sprintf("%dm", int(left/60))
	}
	return fmt.Sprintf("%dh", int(left/3600))
}

// PyFloat writes a float as Python's repr does.
func PyFloat(f float64) string {
	if f != 0 && (f < 1e-4 && f > -1e-4 || f >= 1e16 || f <= -1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
