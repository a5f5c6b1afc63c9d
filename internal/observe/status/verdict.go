package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"understudy/messages"
)

// judge says how a node stands, from the worst on, and what to do.
func judge(r *Report) Verdict {
	out, held := outOfService(r), pausedThings(r)
	silent := slices.DeleteFunc(slices.Clone(r.Peers), func(p Peer) bool { return p.Breaker == "paused" })
	noRing := slices.ContainsFunc(r.Policies, func(p Policy) bool { return p.State == "no ring" || p.State == "not in the ring" })
	v := Verdict{State: Healthy, Action: firstAction(r)}
	switch {
	case len(r.Devices) > 0 && len(out) == len(r.Devices):
		v.State, v.Summary = Failing, fmt.Sprintf("none of %s is in service", count(len(r.Devices), "device"))
	case len(r.Devices) == 0:
		v.State, v.Summary = Failing, "no ring names a device of this node"
		v.Action = "Check ring_ip, bind_ip and bind_port against the ring."
	case len(out) > 0:
		v.State, v.Summary = Degraded, fmt.Sprintf("%d of %s out of service: %s", len(out), count(len(r.Devices), "device"), few(out))
	case noRing:
		v.State, v.Summary = Degraded, "a policy has no usable ring here"
		v.Action = "Look at the policies below and at the ring files."
	case len(names(silent)) > 0:
		v.State, v.Summary = Degraded, fmt.Sprintf("%s not asked at the moment: %s", count(len(names(silent)), "peer"), few(names(silent)))
		v.Action = cmp.Or(v.Action, "Look at these nodes; they are asked again by themselves.")
	case v.Action != "": // a disk is full or read-only
		v.State, v.Summary = Degraded, "every device is in service, with trouble"
	case len(held) > 0:
		v.State, v.Summary = Paused, "paused: "+few(held)
		v.Action = "Resume when the reason is gone."
		return v
	default:
		v.Summary = summary(r)
	}
	if len(held) > 0 {
		v.Summary += "; paused: " + few(held)
	}
	return v
}

func summary(r *Report) string {
	if r.Round.Begun.IsZero() {
		return fmt.Sprintf("all is well: %s, %s", count(len(r.Devices), "device"), rests(r))
	}
	return fmt.Sprintf("all is well: %s, %s at work", count(len(r.Devices), "device"), count(working(r), "device"))
}

func rests(r *Report) string { return count(r.Round.Complete, "round") + " complete" }

func working(r *Report) (n int) {
	for _, d := range r.Devices {
		if d.Pass.Running {
			n++
		}
	}
	return n
}

func outOfService(r *Report) (out []string) {
	for _, d := range r.Devices {
		if !d.InService {
			out = append(out, d.Name+" is "+d.State)
		}
	}
	return out
}

func pausedThings(r *Report) (held []string) {
	if r.Paused != nil {
		held = append(held, "the node")
	}
	for _, d := range r.Devices {
		if d.Paused != nil {
			held = append(held, "device "+d.Name)
		}
	}
	for _, p := range r.Policies {
		if p.Paused != nil {
			held = append(held, fmt.Sprintf("policy %d", p.Index))
		}
	}
	for _, p := range r.Peers {
		if p.Breaker == "paused" {
			held = append(held, "peer "+p.Name)
		}
	}
	return held
}

func names(peers []Peer) (out []string) {
	for _, p := range peers {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// firstAction is that of the device in the worst trouble.
func firstAction(r *Report) string {
	for _, out := range []bool{true, false} {
		for _, d := range r.Devices {
			if d.InService != out && d.Action != "" {
				return d.Name + ": " + d.Action
			}
		}
	}
	return ""
}

// actionOf says what to do about a device, or nothing.
func actionOf(d Device) string {
	switch d.State {
	case messages.StateUnmounted:
		return "mount it, or set its weight to 0 in the ring; it comes back by itself."
	case messages.StateFailing:
		return "look at the kernel log; replace the disk if its errors go on."
	case messages.StateStalled:
		return "a call on it hangs: look at the kernel log and the controller; it comes back when the call returns."
	case messages.StateBackingOff:
		return "its actor crashed and comes back by itself; report the crash in the log."
	}
	switch d.Disk {
	case string(messages.DiskReadOnly):
		return "it is read-only, which a file system becomes after errors: check and remount it."
	case string(messages.DiskFull):
		return "it is full: add capacity or lower its weight; its handoffs can still be drained."
	}
	return ""
}

// few names the first things of a list.
func few(things []string) string {
	const most = 3
	if len(things) <= most {
		return strings.Join(things, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(things[:most], ", "), len(things)-most)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
