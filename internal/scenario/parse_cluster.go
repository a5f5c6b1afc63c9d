package scenario

import (
	"errors"
	"fmt"
	"strings"

	"understudy/internal/fault"
)

// cluster reads a line of [cluster].
func (p *parser) cluster(w *list) (err error) {
	c := &p.s.Cluster
	switch key := w.next(); key {
	case "nodes":
		c.Nodes, err = w.number(key, 1, 16)
	case "devices":
		c.Devices, err = w.number(key, 1, 16)
	case "replicas":
		c.Replicas, err = w.decimal(key, 1, 16)
	case "part-power":
		c.PartPower, err = w.number(key, 0, 10)
	case "policies":
		c.Policies, err = w.number(key, 1, 3)
	case "method":
		if c.Method = w.next(); c.Method != "ssync" && c.Method != "rsync" {
			return fmt.Errorf("method: %q is neither ssync nor rsync", c.Method)
		}
	case "region":
		err = p.region(w)
	case "weight":
		err = p.weight(w)
	case "set":
		return p.option(w)
	default:
		return fmt.Errorf("unknown word %q in [cluster]; there are nodes, devices, replicas, part-power, policies, method, region, weight, set", key)
	}
	if err != nil {
		return err
	}
	return w.end()
}

// region reads: region 2 of n3|n4
func (p *parser) region(w *list) (err error) {
	r := Region{}
	if r.Region, err = w.number("region", 1, 99); err != nil {
		return err
	}
	if !w.has("of") {
		return errors.New("region: it is written \"region 2 of n3|n4\"")
	}
	if r.Nodes, err = w.pattern("region"); err != nil {
		return err
	}
	p.s.Cluster.Regions = append(p.s.Cluster.Regions, r)
	return nil
}

// weight reads: weight n1/d1 0, or out in place of a number
func (p *parser) weight(w *list) (err error) {
	one := Weight{}
	if one.Devices, err = w.pattern("weight"); err != nil {
		return err
	}
	if one.Weight, err = w.load(); err != nil {
		return err
	}
	p.s.Cluster.Weights = append(p.s.Cluster.Weights, one)
	return nil
}

func (w *list) load() (float64, error) {
	if w.has("out") {
		return Out, nil
	}
	return w.decimal("weight", 0, 1e6)
}

// option reads: set name = value
func (p *parser) option(w *list) error {
	o := Option{Name: w.next()}
	if !w.has("=") || len(w.words) == 0 || !optionName(o.Name) {
		return errors.New("set: it is written \"set name = value\"")
	}
	o.Value = strings.Join(w.words, " ")
	again, err := words(o.Value)
	if err != nil || strings.Join(again.words, " ") != o.Value || strings.ContainsAny(o.Value, "\n\r\"%\\") {
		return fmt.Errorf("set %s: a value without quotes and %%, words with one space between them", o.Name)
	}
	if reserved[o.Name] {
		return fmt.Errorf("set %s: this belongs to the cluster itself", o.Name)
	}
	p.s.Cluster.Options = append(p.s.Cluster.Options, o)
	return nil
}

// reserved options are what a cluster says itself.
var reserved = map[string]bool{
	"sync_method": true, "devices": true, "swift_dir": true, "bind_ip": true, "bind_port": true, "mount_check": true,
	"rsync_module": true, "recon_cache_path": true,
}

func optionName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_') })
}

// check tells what only the whole can say.
func (s *Scenario) check() error {
	c := s.Cluster
	switch {
	case s.Title == "":
		return errors.New("there is no title")
	case len(s.Steps) == 0:
		return errors.New("there are no steps")
	case float64(c.Nodes*c.Devices) < c.Replicas:
		return fmt.Errorf("[cluster]: %g replicas on %d devices", c.Replicas, c.Nodes*c.Devices)
	}
	for _, o := range s.Data {
		if o.Policy >= c.Policies {
			return fmt.Errorf("[data]: there is no policy %d", o.Policy)
		}
	}
	plans := map[string]bool{}
	for _, f := range s.Faults {
		if _, err := fault.Parse(f.Text); err != nil {
			return fmt.Errorf("[%s]: %w", strings.TrimSpace("faults "+f.Name), err)
		}
		plans[f.Name] = true
	}
	for _, step := range s.Steps {
		if step.Verb == "faults" && step.What != "clear" && !plans[step.What] {
			return fmt.Errorf("[steps]: there is no section [faults %s]", step.What)
		}
	}
	return nil
}
