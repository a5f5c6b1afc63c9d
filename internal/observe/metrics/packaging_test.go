package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const packaging = "../../../packaging"

// promtool runs Prometheus' own checker. Without it the test fails in CI and is left
// out elsewhere, aloud.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no promtool: test/install.sh installs it")
		}
		t.Skip("NOT TESTED: no promtool: test/install.sh installs it")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// exist tells which words of a text look like metrics of ours and are none.
func exist(t *testing.T, text string) {
	t.Helper()
	all := []string{upName}
	for _, f := range families {
		all = append(all, f.Name)
	}
	found := regexp.MustCompile(`understudy_[a-z_]+`).FindAllString(text, -1)
	if len(found) < 5 {
		t.Errorf("only %d metrics are named", len(found))
	}
	for _, name := range found {
		if !slices.Contains(all, name) {
			t.Errorf("there is no metric %s", name)
		}
	}
}

func TestRules(t *testing.T) {
	file := filepath.Join(packaging, "prometheus/understudy.rules.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	exist(t, string(text))
	promtool(t, "check", "rules", file)
	promtool(t, "test", "rules", filepath.Join(packaging, "prometheus/understudy.rules_test.yml"))
}

// Each expression of the dashboard is one that Prometheus reads, of metrics there are.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(packaging, "grafana/understudy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	var expressions []string
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			expressions = append(expressions, target.Expr)
			rules = append(rules, rule{"panel:" + string(rune('a'+len(rules))), strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")})
		}
	}
	exist(t, strings.Join(expressions, "\n"))
	// JSON is YAML, so that promtool reads it as rules.
	file := filepath.Join(t.TempDir(), "panels.yml")
	content, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
