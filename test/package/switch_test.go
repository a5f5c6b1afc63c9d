package package_test

import (
	"os/exec"
	"strings"
	"testing"
)

const (
	install = "dpkg -i /tmp/understudy_*.deb"
	program = "/usr/bin/swift-object-replicator"
	ours    = "/usr/lib/understudy/swift-object-replicator"
)

// runs tells whose replicator the name starts, by the file. TestNode starts them.
func (r *root) runs() string {
	r.t.Helper()
	switch head := r.sh("readlink -f " + program + "; head -c 4 " + program + " | od -An -c; tail -n1 " + program + "| tail -c 8 | tr -d '\\0'"); {
	case strings.HasPrefix(head, ours+"\n 177   E   L   F"):
		return "ours"
	case strings.HasPrefix(head, program+"\n") && strings.HasSuffix(head, "# newer"):
		return "newer"
	case strings.HasPrefix(head, program+"\n"):
		return "stock"
	default:
		return head
	}
}

func (r *root) expect(step, want string) {
	r.t.Helper()
	if got := r.runs(); got != want {
		r.t.Fatalf("after %s the replicator is %s, want %s", step, got, want)
	}
}

// same fails with the lines of files that are gone (-1) or new (+1).
func (r *root) same(step, before string) {
	r.t.Helper()
	differ := map[string]int{}
	for line := range strings.Lines(before) {
		differ[line]--
	}
	for line := range strings.Lines(r.files()) {
		differ[line]++
	}
	for line, n := range differ {
		if n != 0 {
			r.t.Errorf("%s: %+d: %s", step, n, line)
		}
	}
}

// TestInstallSwitchRollBackPurge is an operator's way with a node that runs Swift's
// replicator: nothing changes before the switch, the switch is undone to the byte, by
// off or by removing the package, and a purge leaves nothing.
func TestInstallSwitchRollBackPurge(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	clean := r.files()
	r.expect("nothing", "stock")

	r.sh(install)
	installed := r.files()
	r.expect("installing", "stock")
	if out := r.sh("dpkg-divert --list understudy; ls -A /etc/systemd/system | grep -i -e understudy -e swift-object-replicator.*d$ || true"); out != "" {
		t.Errorf("installing changed: %s", out)
	}

	for range 2 { // each may be repeated
		r.sh("understudy-switch on && understudy-switch status")
		r.expect("the switch", "ours")
	}
	if out := r.sh("systemd-analyze verify swift-object-replicator.service swift-object-replicator@1.service understudy-serve.service understudy-fleet.service 2>&1 | grep -i understudy || true"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	for _, state := range []string{"off", "off"} {
		r.sh("understudy-switch " + state)
		r.expect("the roll back", "stock")
		r.same("the roll back", installed)
	}

	r.sh("understudy-switch on && systemctl enable understudy-serve.service understudy-fleet.service && dpkg --remove understudy")
	r.expect("removing", "stock")
	r.same("removing", clean)
	r.sh(install + " && understudy-switch on && dpkg --purge understudy")
	r.expect("the purge", "stock")
	r.same("the purge", clean)
	if out := r.sh("dpkg-divert --list understudy"); out != "" {
		t.Errorf("the purge left: %s", out)
	}
}

// TestUpgradesOfSwift: while ours is switched on, Swift's package is upgraded, removed and installed again; ours goes on, and the roll back finds the
// program of the version that is installed by then.
func TestUpgradesOfSwift(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.sh(install + " && understudy-switch on")
	for _, step := range []struct{ script, now, rolledBack string }{
		{"dpkg -i /tmp/newer.deb", "ours", "newer"},
		{"dpkg --remove --force-depends swift-object && dpkg -i /tmp/stock.deb", "ours", "stock"},
		{install, "ours", "stock"}, // ours is upgraded: the switch stays
	} {
		r.sh(step.script)
		r.expect(step.script, step.now)
		r.sh("understudy-switch off")
		r.expect(step.script+" and the roll back", step.rolledBack)
		r.sh("understudy-switch on")
	}
	r.sh("dpkg --remove understudy")
	r.expect("removing", "stock")
}

// TestOursFirst: a node that gets Swift's package after ours and after the switch.
func TestOursFirst(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.sh("dpkg --purge --force-depends swift-object")
	before := r.files()
	r.sh(install + " && understudy-switch on && dpkg -i /tmp/stock.deb")
	r.expect("Swift's package", "ours")
	r.sh("understudy-switch off")
	r.expect("the roll back", "stock")
	r.sh("understudy-switch on && dpkg --purge --force-depends swift-object")
	r.expect("purging Swift's", "ours")
	r.sh("dpkg --purge understudy")
	r.same("purging both", before)
}

// TestHalfASwitch: a switch that was cut after any of its steps is told of, and is
// ended by on or by off.
func TestHalfASwitch(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.sh(install)
	installed := r.files()
	divert := "dpkg-divert --quiet --package understudy --divert " + program + ".stock --rename --add " + program
	for _, cut := range []string{
		"mv " + program + " " + program + ".stock", // dpkg-divert, before it noted it
		divert,
		divert + " && ln -s " + ours + " " + program,
	} {
		r.sh(cut + " && { understudy-switch status || true; } && understudy-switch on")
		r.expect(cut+" and on", "ours")
		r.sh("understudy-switch off")
		r.same(cut+", on and off", installed)
	}
	for _, cut := range []string{divert, divert + " && ln -s " + ours + " " + program} {
		r.sh(cut + " && understudy-switch off")
		r.expect(cut+" and off", "stock")
		r.same(cut+" and off", installed)
	}
}

// TestOthersDiversion: a program that another package or the operator has diverted
// already is left alone.
func TestOthersDiversion(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	r.sh(install + " && dpkg-divert --quiet --package other --rename --add " + program)
	before := r.files()
	if out, err := r.command("understudy-switch on").CombinedOutput(); err == nil || !strings.Contains(string(out), "already diverted by other") {
		t.Errorf("the switch: %v, %s", err, out)
	}
	r.same("a refused switch", before)
}

// TestRPM: the rpm holds the programs and the units where Red Hat's systems look.
func TestRPM(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("rpm", "-qp", "--list", ourRPM).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/usr/bin/understudy", ours, "/usr/lib/understudy/systemd/understudy.conf", "/usr/lib/systemd/system/understudy-serve.service", "/usr/lib/systemd/system/understudy-fleet.service"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("it lacks %s:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), program+"\n") {
		t.Error("it takes the name of Swift's program")
	}
}
