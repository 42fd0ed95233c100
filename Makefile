# Everything this project needs beyond Go, make, git and a C compiler is built from pinned Go modules.

SHELL := /usr/bin/env bash -euo pipefail
.DEFAULT_GOAL := help

MODULE  := github.com/unified-replication/kubectl-vgr
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS := -s -w -X $(MODULE)/pkg/version.version=$(VERSION) -X $(MODULE)/pkg/version.commit=$(COMMIT) -X $(MODULE)/pkg/version.date=$(DATE)

# One set of flags for build, vet and lint, so that they share what is compiled.
export CGO_ENABLED := 0

TOOL    := go tool -modfile=hack/tools/go.mod
TOOL_RELEASE := go tool -modfile=hack/tools/release/go.mod
MODULES := . hack hack/tools hack/tools/release hack/tools/vulnerabilities
GOTEST  := env CGO_ENABLED=1 go test -race -shuffle=on -parallel=4
ON_SERVERS = KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=2m KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT=2m KUBEBUILDER_ASSETS="$$(bin/lab assets)"

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: bin/kubectl-vgr bin/vgr-controller bin/lab ## Build the plugin, the controller and the lab into bin/

.PHONY: bin/kubectl-vgr bin/vgr-controller bin/lab
bin/kubectl-vgr bin/vgr-controller &: # both at once: while one is linked the other one is compiled
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/kubectl-vgr ./cmd/vgr-controller
bin/lab:
	cd hack && go build -o ../bin/lab ./lab/cmd

.PHONY: install-plugin
install-plugin: bin/kubectl-vgr ## Install the plugin into GOBIN, with its completion link
	dir=$$(go env GOBIN | grep . || echo "$$(go env GOPATH)/bin"); install -m 0755 bin/kubectl-vgr "$$dir/"; "$$dir/kubectl-vgr" completion install

##@ Release

# krew wants versions that begin with v; a commit without a tag is a snapshot.
RELEASE := $(if $(filter v%,$(VERSION)),$(VERSION),v0.0.0-snapshot.$(VERSION))

.PHONY: release-snapshot
release-snapshot: ## Build all archives, their bills of materials, a Helm chart, checksums and the krew manifest into dist/; IMAGE is where the image is published, PUSH=1 pushes it
	rm -rf dist
	cd hack && go run ./release -root .. -out ../dist -version '$(RELEASE)' -date '$(DATE)' -ldflags '$(LDFLAGS)' $(if $(PLATFORMS),-platforms '$(PLATFORMS)') $(if $(IMAGE),-image '$(IMAGE)') $(if $(PUSH),-push)
	$(TOOL_RELEASE) validate-krew-manifest -manifest dist/vgr.yaml -skip-install

.PHONY: krew-test
krew-test: assets ## Install this platform's archive with krew into a directory of its own, and run it through kubectl
	$(MAKE) release-snapshot PLATFORMS="$$(go env GOOS)/$$(go env GOARCH)"
	hack/krew-test.sh "$$(bin/lab assets)"

##@ Test

.PHONY: test
test: build assets ## Run all tests; the first run builds the servers they need
	$(MAKE) -j2 test-servers states

# One after the other: on two processors, each is busy enough to make the waits of the other long.
.PHONY: test-servers
test-servers:
	$(MAKE) e2e
	$(MAKE) test-unit

# What these leave out is slow, and make test runs it. Packages that have not changed since they passed are not run again.
SLOW := ^(TestExplore|TestFaults|TestHostile|TestHostileTerminal|TestBackendThatCannotBeWatched)$$

.PHONY: test-quick
test-quick: assets ## Run what takes less than two minutes, before each commit
	$(ON_SERVERS) go test -skip '$(SLOW)' ./...

.PHONY: test-unit
test-unit: assets ## Run the tests of the product against real API servers, but for make states
	$(ON_SERVERS) $(GOTEST) -timeout=30m ./...

.PHONY: states
states: ## Walk through the schedules of the planner, behind whatever else wants the processors
	GOMEMLIMIT=6GiB nice -n 19 go test -timeout=60m -run TestExplore -v ./pkg/recovery | grep -E 'states|---|^(ok|FAIL)'

.PHONY: explore
explore: ## Walk through every schedule of the planner that the model has; takes minutes
	go test -timeout=30m -run TestExplore -v ./pkg/recovery -thorough | grep -E ' states, |---|^(ok|FAIL)'

.PHONY: fuzz
fuzz: ## Give arbitrary input to parsers, adapters and screens, FUZZTIME for each target (30s)
	hack/fuzz.sh $(or $(FUZZTIME),30s)

.PHONY: e2e
e2e: build assets ## Run the tests of the lab, and end to end on its sites
	cd hack && $(GOTEST) -timeout=15m $$(go list ./... | grep -v /e2e)
	cd hack && go test -shuffle=on -timeout=60m -parallel=64 ./e2e # it decides itself how many, see labs_test.go

# One test of what each part of the product does, on the oldest Kubernetes that is supported.
OLDEST := TestFailover|TestFailoverTwice|TestUnplanned|TestSwitchRoles|TestDelete|TestMembership|TestUpgrade|TestMetrics|TestDellThereAndBack|TestTridentThereAndBack

.PHONY: e2e-oldest
e2e-oldest: build ## Run a part of e2e, and the controller's tests, on API servers of Kubernetes 1.29, which it builds
	assets="$$(bin/lab assets --oldest)"; export KUBEBUILDER_ASSETS="$$assets" KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=2m KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT=2m; \
	go test -count=1 ./pkg/controller ./cmd/vgr-controller && cd hack && go test ./e2e -run '^($(OLDEST))$$' -count=1 -parallel=16 -timeout=40m

.PHONY: e2e-ceph
e2e-ceph: build assets ceph ## Run end to end on two real Ceph clusters, where they can run; THOROUGH=1 runs all of it, which takes an hour
	cd hack && go test -count=1 -timeout=90m -parallel=16 ./e2e-ceph $(if $(RUN),-run '$(RUN)' -v) $(if $(THOROUGH),-args -thorough)

.PHONY: chaos
chaos: build assets ## Move groups of each backend while all around them breaks, for CHAOS_TIME (10m); CHAOS_SEED repeats one schedule
	cd hack && CHAOS_TIME=$(or $(CHAOS_TIME),10m) go test ./e2e -run 'TestChaos$$' -v -count=1 -timeout=90m

.PHONY: chaos-ceph
chaos-ceph: build assets ceph ## Do the same to volumes of two real Ceph clusters, where they can run
	cd hack && CHAOS_TIME=$(or $(CHAOS_TIME),10m) go test ./e2e-ceph -run 'TestChaos$$' -v -count=1 -timeout=90m

# What, together, has the controllers ask for all that they ever ask for.
BY_USE := TestOperatorRoles|TestSwitchRoles|TestDelete|TestMembership|TestNotReplicable|TestVolumeReplication|TestClassDeletedFirst|TestDeletionBlocked|TestManagerDown
BY_USE := $(BY_USE)|TestMetrics|TestDellThereAndBack|TestDellDelete|TestTridentThereAndBack|TestTridentGroupSnapshot|TestTridentJoin|TestTridentDelete|TestMigrateSingles

.PHONY: rbac-by-use
rbac-by-use: build assets ## Compare the shipped roles with what the API servers were asked for, over the tests that ask for all
	cd hack && RBAC_BY_USE=1 go test ./e2e -run '^($(BY_USE))$$' -count=1 -parallel=16 -timeout=40m

.PHONY: bench
bench: assets ## Measure plugin and controller beside kubectl, a shell script and csi-addons; ARGS=-help says what can be chosen
	cd hack && go run ./bench $(ARGS)

.PHONY: alerts-test
alerts-test: ## Test the alert rules with promtool, which takes minutes to build
	go tool -modfile=hack/tools/alerts/go.mod promtool test rules docs/monitoring/alerts_test.yaml

.PHONY: vulnerabilities
vulnerabilities: ## Report known vulnerabilities that our code reaches; asks the database of the Go project, or the one of GOVULNDB
	go tool -modfile=hack/tools/vulnerabilities/go.mod govulncheck ./cmd/...
	cd hack && go tool -modfile=tools/vulnerabilities/go.mod govulncheck ./...

.PHONY: golden
golden: assets ## Rewrite the golden files of the tests; read the diff
	KUBEBUILDER_ASSETS="$$(bin/lab assets)" go test ./pkg/backend/dell ./pkg/backend/trident ./pkg/controller ./pkg/migration ./pkg/recovery ./plugin ./plugin/gather ./plugin/present ./plugin/tui -update

.PHONY: assets
assets: bin/lab ## Build the servers that tests and lab need, once
	bin/lab assets >/dev/null

.PHONY: ceph
ceph: bin/lab ## Unpack the programs of real Ceph clusters, once; says so where Ceph cannot run, which needs root
	bin/lab assets --ceph

##@ Generate

.PHONY: generate
generate: ## Generate deepcopy, CRDs, RBAC and the reference
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt crd paths=./pkg/api/... output:crd:dir=pkg/manifests/crd
	$(TOOL) controller-gen rbac:roleName=vgr-controller paths=./pkg/controller/... output:rbac:dir=pkg/manifests/rbac
	cd hack && go run ./reference ../pkg/manifests/crd ../docs/reference

.PHONY: fmt
fmt: bin/golangci-lint ## Format the code
	for m in . hack; do (cd $$m && $(CURDIR)/bin/golangci-lint fmt); done

##@ Check

.PHONY: verify
verify: ## Fail when generated files, go.mod or go.sum are stale
	hack/verify.sh $(MODULES)

.PHONY: lint
lint: bin/golangci-lint ## Run the linters
	for m in . hack; do (cd $$m && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...); done

bin/golangci-lint: hack/tools/go.mod
	go build -modfile=hack/tools/go.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

##@ Demo

.PHONY: demo
demo: build ## Show a group on two sites, on BACKEND ceph, dell or trident, or on CEPH=real; ends in a live screen on a terminal
	CEPH=$(CEPH) hack/demo.sh $(or $(BACKEND),ceph)

.PHONY: demo-clean
demo-clean: bin/lab ## Stop the lab and remove what was cached for it
	bin/lab down
	bin/lab assets --clean

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
