# One command each. `make test` is the whole proof; .ci/run calls it.
GO       ?= go
FUZZTIME ?= 20s
BENCH    ?= --out docs/benchmarks.md

# A program with the race detector sleeps for a second at its end; the clusters start
# hundreds of them. What it has found it has told by then.
export GORACE ?= atexit_sleep_ms=100

.PHONY: build test tools lint unit clusters interop process faults package package-test bench bench-faults fuzz soak soak-daemon demo scenarios campaign nemesis crashpoints zoo zoo-sim

build:
	$(GO) build -o bin/ ./cmd/...

test: tools lint unit clusters

# What the tests run against: Swift's own packages and rsync.
tools:
	test/install.sh

# staticcheck and gofumpt are tools of this module, so their versions are fixed. Build tags
# are vetted in the folders whose files have them, of which internal/archtest knows.
lint:
	$(GO) vet ./...
	$(GO) vet -tags soak,failpoints,bugzoo ./bootstrap ./internal/zoo ./cmd/swift-object-replicator
	$(GO) vet -tags nofaults ./bootstrap ./cmd/understudy
	@unformatted=$$($(GO) tool gofumpt -l .); if [ -n "$$unformatted" ]; then echo "gofumpt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) tool staticcheck ./...

# Everything but the clusters; the import rules (internal/archtest) are among it. In
# simulations one thing happens at a time, in an order that the race detector would shuffle.
# Many tests wait for what they have made hang or be silent, so more of them run at once than
# there are cores. All has been vetted by lint.
unit:
	$(GO) test -vet=off -race -p 4 $$($(GO) list ./... | grep -v -E '/test/(interop|process|faults|package|crashpoints)(/sick)?$$|/internal/sim$$')
	$(GO) test -vet=off -p 3 ./internal/sim ./bootstrap/remoteapi ./bootstrap/fleet
	$(GO) test -vet=off -run TestPassesLeaveNothingBehind ./actors
	$(GO) test -vet=off -tags nofaults -run Faults ./bootstrap

# process, faults, packages and interop at once, for they wait more than they work; of
# interop what differs in its sync method or seed alone is left to "make interop".
clusters:
	$(GO) test -vet=off -short -parallel 4 -count=1 -timeout 20m ./test/process ./test/faults/... ./test/package ./test/crashpoints ./test/interop

# The program as a process: start, signals, service manager, swift-init, children.
process:
	$(GO) test -count=1 -timeout 10m ./test/process

# The daemon on disks that die, hang, fill up or go, and beside peers that are silent.
faults:
	$(GO) test -count=1 -timeout 10m ./test/faults/...

# dist/*.deb and dist/*.rpm.
package:
	packaging/build.sh dist

# The deb beside Debian's swift-object, in a root of its own: installed, switched, rolled back, purged.
package-test:
	$(GO) test -count=1 -timeout 10m ./test/package

# Our replicator, built with the race detector, against real Swift nodes.
interop:
	$(GO) test -parallel 4 -count=1 -timeout 20m ./test/interop

# Ours and Swift's in turn on the same trees; about fifty minutes on two cores. With
# BENCH='--full --profile --out docs/benchmarks.md' also a million partitions, and profiles
# (which need perf).
bench: tools
	$(GO) run ./cmd/understudy bench $(BENCH)

# What the seams of fault plans cost beside a build without them: RUNS of each, in turn.
bench-faults:
	test/faultcost.sh $(or $(RUNS),12)

# Every fuzz target for FUZZTIME.
fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

# Random clusters against real Swift, at length: as many seeds of each method.
soak: tools
	$(GO) run ./test/soak -seeds $(or $(SEEDS),1000)

# The daemon for half an hour, on disks and beside peers that fall ill, under operators
# who kill, reload and change rings. DAEMON="-minutes 5 -seed 1" says otherwise.
DAEMON ?= -minutes 30
soak-daemon: tools
	$(GO) run ./test/soakdaemon $(DAEMON)

# The same for two minutes a seed, in a network of its own, in which nodes are cut off.
nemesis: tools
	$(GO) run ./test/soakdaemon -apart -destroy -stock -minutes 2 -seeds $(or $(SEEDS),5) -seed $(or $(FROM),1)

# Our programs end at points drawn from all that a run comes by, with and without power cuts.
crashpoints: tools
	$(GO) run ./test/crashpoints -strikes $(or $(SEEDS),100) -from $(or $(FROM),1)

# Programs that are broken on purpose: a test must find each of them.
zoo: tools
	$(GO) run ./test/zoo

# The bugs of the zoo that simulated clusters show, by their campaigns.
zoo-sim:
	$(GO) run ./test/zoo -simulated

# Four nodes in one process lose a disk and get it back. Needs nothing but Go.
demo:
	$(GO) run ./cmd/understudy demo

# Clusters in virtual time, a seed each: make campaign SEEDS=1000 FROM=5000.
campaign:
	$(GO) test -count=1 -timeout 10h -v ./internal/sim -run TestCampaign -sim.seeds $(or $(SEEDS),100) -sim.from $(or $(FROM),1)

# Every scenario of the library, and that the verdict sees what is taken from its end state.
scenarios:
	$(GO) test -count=1 -timeout 20m ./internal/lab/stage -all
