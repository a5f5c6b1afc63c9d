// Package metrics shows a node to Prometheus. All numbers of one scrape are of one
// report. Labels are devices, policies and words of ours: never a partition, never a
// peer.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"understudy/internal/observe/status"
)

// patience is how long an engine may take for its report. One that takes longer is
// told of by understudy_engine_up 0, beside the numbers of the process.
const patience = 4 * time.Second

const (
	upName = "understudy_engine_up"
	upHelp = "1 if the engine has answered this scrape. All other understudy_ metrics are left out while it does not."
)

// Handler answers GET and HEAD with all metrics in the format that the scraper asks
// for.
func Handler(engine status.Engine) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics can be read only", http.StatusMethodNotAllowed)
			return
		}
		engineOnly := prometheus.NewRegistry()
		engineOnly.MustRegister(collector{ask(r.Context(), engine)})
		gatherers := prometheus.Gatherers{process, engineOnly}
		promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	})
}

// Collector gives the metrics of an engine to whatever registry it is in, with nothing of
// the process. An engine is asked at each scrape.
func Collector(engine status.Engine) prometheus.Collector { return live{engine} }

type live struct{ engine status.Engine }

// Describe implements prometheus.Collector.
func (l live) Describe(out chan<- *prometheus.Desc) { collector{}.Describe(out) }

// Collect implements prometheus.Collector.
func (l live) Collect(out chan<- prometheus.Metric) {
	collector{ask(context.Background(), l.engine)}.Collect(out)
}

// ask is an engine's report, or nil when it has none in time.
func ask(ctx context.Context, engine status.Engine) *status.Report {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	report, err := engine.Report(ctx)
	if err != nil {
		return nil
	}
	return report
}

// collector gives the metrics of one report; of none if there is none.
type collector struct{ report *status.Report }

var up = prometheus.NewDesc(upName, upHelp, nil, nil)

var descs = func() []*prometheus.Desc {
	var all []*prometheus.Desc
	for _, f := range families {
		all = append(all, prometheus.NewDesc(f.Name, f.Help, f.Labels, nil))
	}
	return all
}()

// Describe names all families.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	out <- up
	for _, d := range descs {
		out <- d
	}
}

// Collect gives their samples.
func (c collector) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(up, gauge, truth(c.report != nil))
	if c.report == nil {
		return
	}
	for i, f := range families {
		f.samples(c.report, func(value float64, labels ...string) {
			for j, l := range labels {
				labels[j] = label(l)
			}
			m, err := prometheus.NewConstMetric(descs[i], f.Type, value, labels...)
			if err != nil {
				m = prometheus.NewInvalidMetric(descs[i], err)
			}
			out <- m
		})
	}
}

// label makes a name from a ring fit for a label: Prometheus takes UTF-8 only.
func label(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strconv.Quote(s)
}
