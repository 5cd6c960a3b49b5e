# repaint: what contributors and CI run. `make help` lists it.

GO ?= go
# The newest release that knows Go 1.26. It is built by `go run`, so there is nothing to install.
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Some checkouts belong to another user than the one who builds; git then refuses to describe them.
GOFLAGS ?= -buildvcs=false
# Per package. A hanging test should say so within the twenty minutes that all may take; pg takes eight and a half under the
# race detector, beside the others on two processors.
TEST_FLAGS ?= -timeout 15m
# The targets whose packages `make check` vets, with all of vet's analyses, needn't do a part of that again.
UNVETTED = -vet=off
# The longest first, so that none of them is left over at the end. Much of their time they wait for a server or a
# deadline, so one more runs at once than there are processors.
PACKAGES = ./pg ./db/postgres ./db/mysql ./db ./db/sqlite ./...
AT_ONCE ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))
BENCH ?= .

# Packages without dependencies, which promise to build everywhere, as far as they exist.
PORTABLE = $(addprefix ./,$(addsuffix /...,$(wildcard greenlet loop coop))) $(if $(wildcard *.go),.)
PLATFORMS = linux/arm64 linux/386 linux/riscv64 js/wasm
# Everything must build here, its tests too.
SYSTEMS = darwin/arm64 windows/amd64
NESTED = $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './.*' | sort))
GOFMT = $(shell $(GO) env GOROOT)/bin/gofmt
SOURCES = find . -name '*.go' -not -path './.*' -not -path '*/testdata/*' -print0

export GO GOFLAGS

.DEFAULT_GOAL := help
.PHONY: help replays test check fmt-check vet vet-portable staticcheck race plain portable slowpath arm64 nested test-versions test-galera test-pages test-failover stills bench bench-smoke benchmarks examples fmt install-servers

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

test: ## everything that must pass; installs missing database servers on Debian where it may
	@scripts/test.sh

check: fmt-check vet vet-portable staticcheck ## formatting, vet (here and on other platforms), staticcheck

fmt-check:
	@unformatted=$$($(SOURCES) | xargs -0 -r $(GOFMT) -l) && \
	if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run make fmt:\n%s\n' "$$unformatted"; exit 1; \
	fi

vet:
	$(GO) vet ./...

vet-portable:
	@set -e; for platform in $(PLATFORMS); do \
		echo "vet for $$platform: $(PORTABLE)"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) vet $(PORTABLE); \
	done
	@set -e; for system in $(SYSTEMS); do \
		echo "vet for $$system: all packages"; \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) vet ./...; \
	done

staticcheck:
	$(STATICCHECK) ./...

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -p $(AT_ONCE) $(UNVETTED) $(TEST_FLAGS) $(PACKAGES)

plain: ## all tests without it: other timing, and allocations that can be counted
	$(GO) test -p $(AT_ONCE) $(UNVETTED) $(TEST_FLAGS) $(PACKAGES)

portable: ## all tests of the packages that promise to work on every platform
	$(GO) test $(TEST_FLAGS) $(PORTABLE)

slowpath: ## the tests of greenlet and bridge with the portable goroutine identity
	$(GO) test $(TEST_FLAGS) -tags repaint_slowgoid $(PORTABLE)

arm64: ## the tests of greenlet, which has assembly, for arm64 under emulation (needs qemu-aarch64)
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test $(TEST_FLAGS) -short -exec qemu-aarch64 ./greenlet

# Without C: GORM's SQLite dialect imports a SQLite in C, which nothing here uses and which takes a minute to compile.
nested: ## vet and test of the modules in subdirectories
	@CGO_ENABLED=0 scripts/each.sh $(AT_ONCE) '$(GO) vet ./... && $(GO) test -vet=off $(TEST_FLAGS) ./...' $(NESTED)

test-versions: ## pg and db/postgres on PostgreSQL 13 to 18 (fetched with npm), the bridge on the next Go; VERSIONS='13 go' selects
	@scripts/test-versions.sh $(VERSIONS)

test-galera: ## three MariaDB nodes as a Galera cluster (needs galera-4; make install-servers)
	CGO_ENABLED=1 REPAINT_GALERA=1 $(GO) test -race $(TEST_FLAGS) -count=1 -run TestGalera ./internal/testserver ./db/mysql

test-pages: ## what a browser shows of the pages (needs Chromium); SHOTS=DIR keeps pictures of them
	cd internal/pagetest && $(GO) vet . && $(GO) test $(TEST_FLAGS) -count=1 . $(if $(SHOTS),-args -shots=$(abspath $(SHOTS)))

replays: ## a seed of repainttest.Explore a hundred times on each database, under the race detector
	CGO_ENABLED=1 REPAINT_REPLAYS=100 $(GO) test -race -timeout 30m -count=1 -run TestReplaysOfASeedAreIdentical ./db

test-failover: ## a cluster of PostgreSQL that fails in every way under load, under the race detector, for some minutes
	CGO_ENABLED=1 REPAINT_FAILOVER=1 $(GO) test -race -timeout 15m -count=1 -v ./pg/rolestest

stills: ## the pictures in docs/images, from real runs (needs Chromium)
	cd internal/pagetest && $(GO) test -count=1 -run TestStills . -args -stills=$(abspath docs/images)

bench: ## every table and picture of docs/performance.md and README, in 25 minutes; PARTS='pg http' selects
	@scripts/bench.sh $(PARTS)

bench-smoke: ## each part of make bench for a moment
	@scripts/bench.sh --smoke $(PARTS)

benchmarks: ## Go's benchmarks, with peers beside them; BENCH=regexp selects
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	@set -e; for module in $(wildcard bench); do ( cd "$$module" && $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./... ); done

examples: ## run the examples, one after the other; without the services, which don't end
	@set -e; for main in $(filter-out examples/service-%,$(sort $(wildcard examples/*/main.go))); do \
		dir=$${main%/main.go}; printf '\n== %s\n' "$$dir"; $(GO) run "./$$dir"; \
	done

fmt: ## format all Go files
	@$(SOURCES) | xargs -0 -r $(GOFMT) -w

install-servers: ## PostgreSQL, PgBouncer, MariaDB, Chromium from Debian's packages, for the tests
	@scripts/install-servers.sh
