package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"understudy/config"
)

func TestReload(t *testing.T) {
	read := &config.Config{Warnings: []string{"a warning"}}
	for _, c := range []struct {
		name   string
		load   error
		refuse error
		lines  []string
	}{
		{"taken", nil, nil, []string{"a warning", "configuration reloaded"}},
		{"unreadable", errors.New("bad syntax"), nil, []string{"configuration not reloaded: the old one stays in force"}},
		{"refused", nil, errors.New("no such device"), []string{"configuration not reloaded: the old one stays in force"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, &fakeEngine{refuse: c.refuse}, func(s *served) {
					s.load = func() (*config.Config, error) { return read, c.load }
				})
				s.signals <- syscall.SIGHUP
				synctest.Wait()
				if got := s.record.lines(t); !slices.Equal(got, c.lines) {
					t.Errorf("logged %q", got)
				}
				if got := s.record.words(); !slices.Equal(got, []string{"ready", "reloading", "ready"}) {
					t.Errorf("told %q", got)
				}
				want := 1
				if why := errors.Join(c.load, c.refuse); why != nil {
					want = 0
					if !strings.Contains(s.record.log.String(), why.Error()) {
						t.Errorf("%q is not in the log", why)
					}
				}
				if len(s.engine.configs) != want {
					t.Errorf("the engine got %d configurations", len(s.engine.configs))
				}
				s.signals <- syscall.SIGTERM
				s.wait(t, time.Now())
			})
		})
	}
}

// A configuration on a disk that hangs: many more signals are one more reload, and
// a stop does not wait for it.
func TestReloadThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		loads := 0
		s := serve(t, &fakeEngine{}, func(s *served) {
			s.load = func() (*config.Config, error) {
				loads++
				<-hang
				return &config.Config{}, nil
			}
		})
		for range 5 {
			s.signals <- syscall.SIGHUP
			synctest.Wait()
		}
		if loads != 1 {
			t.Errorf("%d at once", loads)
		}
		hang <- struct{}{}
		synctest.Wait()
		if loads != 2 {
			t.Errorf("%d after five signals", loads)
		}
		begin := time.Now()
		s.signals <- syscall.SIGTERM
		if took := s.wait(t, begin); took != 0 {
			t.Errorf("the stop took %s", took)
		}
		close(hang)
		synctest.Wait()
	})
}

// A signal before the tree stands is served when it does.
func TestReloadBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stands := make(chan struct{})
		s := serve(t, &fakeEngine{}, func(s *served) { s.daemon.stands = stands })
		s.signals <- syscall.SIGHUP
		synctest.Wait()
		if got := s.record.lines(t); got != nil {
			t.Errorf("logged %q", got)
		}
		close(stands)
		synctest.Wait()
		if got := s.record.lines(t); !slices.Equal(got, []string{"configuration reloaded"}) {
			t.Errorf("logged %q", got)
		}
		s.signals <- syscall.SIGTERM
		s.wait(t, time.Now())
	})
}

// Each option of the list is told when it differs, and no other is.
func TestNeedRestart(t *testing.T) {
	values := map[string]string{
		"daemonize": "no", "nice_priority": "3", "ionice_class": "IOPRIO_CLASS_IDLE", "log_format": "json",
		"log_level": "DEBUG", "log_facility": "LOG_LOCAL3", "log_udp_port": "5514", "log_max_line_length": "200",
		"control_socket": "none", "control_socket_mode": "0660", "status_listen": "127.0.0.1:6205", "serve_peers": "yes\n[app:object-server]", "faults_allowed": "yes",
	}
	always := "log_udp_host = 127.0.0.1\nionice_class = IOPRIO_CLASS_BE\n"
	started := loadConf(t, always)
	if late := needRestart(started, loadConf(t, always+"concurrency = 7\ninterval = 9\nhandoffs_first = yes\n")); late != nil {
		t.Errorf("other options: %q", late)
	}
	for _, name := range atStart {
		if !slices.ContainsFunc(config.Table(), func(o *config.Option) bool { return o.Name == name }) {
			t.Errorf("there is no option %s", name)
		}
		value := values[name]
		if value == "" {
			value = "5"
		}
		text := strings.ReplaceAll(always, name+" = ", "# ") + name + " = " + value + "\n"
		if late := needRestart(started, loadConf(t, text)); !slices.Contains(late, name) {
			t.Errorf("%s: %q", name, late)
		}
	}
}

func loadConf(t *testing.T, replicator string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	swift, conf := filepath.Join(dir, "swift.conf"), filepath.Join(dir, "object-server.conf")
	for path, text := range map[string]string{
		swift: "[swift-hash]\nswift_hash_path_suffix = b\n",
		conf:  "[object-replicator]\n" + replicator,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(conf, config.Options{SwiftConf: swift})
	if err != nil {
		t.Fatalf("%v in\n%s", err, replicator)
	}
	return cfg
}
