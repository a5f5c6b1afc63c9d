package metrics

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"understudy/internal/observe/status"
	"understudy/internal/observe/status/statustest"
)

var (
	noon   = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	update = flag.Bool("update", false, "rewrite docs/metrics.md")
)

func scrape(t testing.TB, e status.Engine) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(e).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestNames(t *testing.T) {
	problems, err := testutil.CollectAndLint(collector{statustest.Node(3, noon)})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// How many series a node has follows from its devices, whatever they do and however
// many peers are silent.
func TestCardinality(t *testing.T) {
	lines := func(r *status.Report) int { return testutil.CollectAndCount(collector{r}) }
	r := statustest.Node(100, noon)
	for i := range 5000 {
		r.Peers = append(r.Peers, status.Peer{Name: fmt.Sprintf("10.0.%d.%d:6200", i/250, i%250), Lane: "sync", Breaker: "open", Since: noon})
		r.Devices[0].InFlight = append(r.Devices[0].InFlight, status.Job{Kind: "update", Phase: fmt.Sprint("phase", i), Partition: uint32(i)})
		r.Devices[0].Failures = append(r.Devices[0].Failures, status.Cause{Why: fmt.Sprint("cause", i), Count: 1})
	}
	if n := lines(r); n > 100*55+120 {
		t.Errorf("%d series of 100 devices", n)
	}
	if text := scrape(t, statustest.NewEngine(r)); strings.Contains(text, "10.0.") || strings.Contains(text, "partition=") {
		t.Error("a peer or a partition is a label")
	}
}

// Each number of a report is shown: another value makes another scrape.
func TestEveryNumberIsShown(t *testing.T) {
	left := map[string]string{ // and why
		"Version": "of the document", "PID": "the process collector's", "History": "the past is Prometheus' own",
		"JobRate": "rate() of a counter", "ByteRate": "rate() of a counter", "Plot": "rate() of a counter",
		"Partition": "never a label", "LastError": "a partition and a text", "Policy": "of a job or an error", "Events": "a list",
		"Index": "a label",
	}
	base := statustest.Node(12, noon)
	seen := 0
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), path)
			}
		case reflect.Slice:
			if v.Len() > 0 {
				walk(v.Index(0), path+"[0]")
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				if name := v.Type().Field(i).Name; left[name] == "" {
					walk(v.Field(i), path+"."+name)
				}
			}
		case reflect.Int, reflect.Int64, reflect.Float64:
			seen++
			old, before := reflect.ValueOf(v.Interface()), text(t, base)
			v.Set(reflect.ValueOf(98765).Convert(v.Type()))
			if text(t, base) == before {
				t.Errorf("%s is not shown", path)
			}
			v.Set(old)
		}
	}
	walk(reflect.ValueOf(base).Elem(), "")
	if seen < 50 {
		t.Errorf("only %d numbers seen", seen)
	}
}

func text(t *testing.T, r *status.Report) string {
	t.Helper()
	names := []string{upName}
	for _, f := range families {
		names = append(names, f.Name)
	}
	b, err := testutil.CollectAndFormat(collector{r}, expfmt.TypeTextPlain, names...)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSilentEngineAndHostileNames(t *testing.T) {
	r := statustest.Node(3, noon)
	r.Devices[0].Name, r.Devices[1].Name, r.Devices[2].Name = "a\xff", "a\xfe", "\"}\n"
	r.Devices[0].State = "\xff"
	e := statustest.NewEngine(r)
	if got := scrape(t, e); !strings.Contains(got, `understudy_device_in_service{device="\"a\\xff\""} 1`) || !strings.Contains(got, "understudy_engine_up 1\n") {
		t.Error(got)
	}
	e.Fail(errors.New("silent"))
	got := scrape(t, e)
	if !strings.Contains(got, "understudy_engine_up 0\n") || strings.Contains(got, "understudy_jobs_total") || !strings.Contains(got, "process_cpu_seconds_total") {
		t.Error(got)
	}
}

// docs/metrics.md says what the code does.
func TestDocs(t *testing.T) {
	const file = "../../../docs/metrics.md"
	var b bytes.Buffer
	b.WriteString(intro)
	fmt.Fprintf(&b, "| `%s` | gauge | | %s |\n", upName, upHelp)
	for _, f := range families {
		kind := "gauge"
		if f.Type == counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, kind, strings.Join(f.Labels, ", "), f.Help)
	}
	b.WriteString(outro)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("docs/metrics.md is out of date: go test ./internal/observe/metrics -run TestDocs -update")
	}
}

const intro = "# Metrics\n\n" + `GET /metrics of the status listener answers in Prometheus' format. All numbers of one scrape are of one report. Labels are devices,
policies and words of the list below, never a partition or a peer; a node with 100 disks has some 5,500 series. Beside them are client_golang's
collectors of the process and of the Go runtime (` + "`process_*`, `go_*`" + `). Rates are ` + "`rate()`" + ` of the counters. Times are seconds since 1970.

` + "`packaging/prometheus/understudy.rules.yml`" + ` has alerts, ` + "`packaging/grafana/understudy.json`" + ` a dashboard.

| name | type | labels | what it is |
|---|---|---|---|
`

const outro = `
## statsd

Swift's own metrics are sent as ever, where log_statsd_host says so, under its names and prefix: ` + "`partition.update.count.<device>`,\n`partition.delete.count.<device>`, `partition.update.timing`, `partition.delete.timing`, `suffix.hashes`, `suffix.syncs`, `partition.lock-failure.count`" + `.
`

func BenchmarkMetrics(b *testing.B) {
	h, w := Handler(statustest.NewEngine(statustest.Node(100, noon))), httptest.NewRecorder()
	for b.Loop() {
		w.Body.Reset()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	}
}
