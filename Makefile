# Every target does its own set-up. What was set up once is kept in .venv*/ and build/, so a second run starts at once.
# PYTHON=/path/to/python chooses the interpreter the virtual environments are made from.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
OLD_WORKER := .venv-celery53/.ready
STACK := .venv-stack/.ready
DOCS := .venv-docs/.ready
PACKAGES := autoscaler providers policies bootstrap
DEBIAN_PACKAGES := rabbitmq-server
STACK_PACKAGES := $(DEBIAN_PACKAGES) nginx
TEST_PACKAGES := $(STACK_PACKAGES) postgresql prometheus chromium
MACHINE_PACKAGES := $(DEBIAN_PACKAGES) qemu-system-x86 qemu-utils mmdebstrap debian-archive-keyring uidmap fakeroot e2fsprogs genisoimage
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet --require-hashes
PYTEST := $(BIN)/python -m pytest
QUICK_TESTS := $(wildcard tests/unit tests/property)
STEADY_TESTS := $(QUICK_TESTS) $(wildcard tests/fuzz tests/contract tests/simulation tests/tidy tests/docs)

export AUTOSCALER_CLOUD_INIT_SCHEMA := $(CURDIR)/build/cloud-init/schema-cloud-config-v1.json

.PHONY: help setup debian run stack stack-load check fuzz fuzz-atheris lint soak soak-real test e2e bench-decisions decisions-page bench-backtest bench-overview bench-web bench-forecast bench-startup bench-events bench-scale bench-sharded crashes lock pages screenshots docs deb image clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## the virtual environment in .venv, with everything pinned and the project itself, editable

run: $(READY) debian ## the quickstart on real parts; Ctrl-C ends all of it
	@$(BIN)/python examples/quickstart/run.py

stack: $(READY) $(STACK) stack-servers ## nginx, a web application, RabbitMQ, the daemon and workers: examples/stack; HTTPS_PORT=8443, or a free one
	@$(BIN)/python examples/stack/run.py $(if $(HTTPS_PORT),--port $(HTTPS_PORT))

stack-load: $(READY) $(STACK) stack-servers ## the same under 200 uploads a second, one process killed: build/stack.json, build/stack.png; RATE=200 SECONDS_OF_LOAD=120
	@$(BIN)/python examples/stack/run.py --load --directory .run/stack-load --rate $(or $(RATE),200) --seconds $(or $(SECONDS_OF_LOAD),120)

check: lint test-servers ## lint, types, import rules, unit and property tests: under a minute
	@$(PYTEST) -q -n 2 $(QUICK_TESTS) $(wildcard tests/tidy)

test: lint test-servers $(OLD_WORKER) $(STACK) $(DOCS) $(AUTOSCALER_CLOUD_INIT_SCHEMA) ## everything, against real servers: about 35 minutes on 2 cores
	@$(PYTEST) -q -n 2 --dist worksteal $(STEADY_TESTS)
	@$(BIN)/autoscaler soak --seeds 200 --output build/soak-200.json
	@$(PYTEST) -q -n 3 --dist loadfile tests/integration tests/browser  # they wait for servers more than they compute

e2e: $(READY) ## virtual machines behind a cloud on loopback, from order to destroy: build/e2e.json
	@scripts/debian-packages.sh $(MACHINE_PACKAGES)
	@$(BIN)/python -m testbed.endtoend

fuzz: $(READY) ## hostile input for as long as one likes: EXAMPLES=20000 of each kind (2000)
	@EXAMPLES=$(EXAMPLES) $(PYTEST) -q -n 2 --timeout 0 --hypothesis-profile=fuzz tests/fuzz

fuzz-atheris: $(READY) ## parsers steered by coverage: TARGET=configuration|scanner|events|replies|row, TIME_S=60
	@test -d build/atheris || $(BIN)/python $(PIP_INSTALL) --no-deps --target build/atheris -r tests/fuzz/atheris.txt
	@PYTHONPATH=$(CURDIR):build/atheris $(BIN)/python -m tests.fuzz.guided $(or $(TARGET),configuration) \
	  build/fuzz/$(or $(TARGET),configuration) -max_total_time=$(or $(TIME_S),60) -timeout=10

soak: $(READY) ## simulated lives full of faults, then every rule broken in turn: SEEDS=2000 (200)
	@$(BIN)/autoscaler soak --seeds $(or $(SEEDS),200) --sabotage all --output build/soak.json

soak-real: $(READY) debian ## the real daemon in real time, HOURS=2, its memory, handles and connections flat; build/soak-real.json
	@$(BIN)/python -m tests.integration.longrun --hours $(or $(HOURS),2)

bench-decisions: $(READY) ## ours, the peers' rules and the bound on each scenario: SCENARIOS=FILE; build/decisions.json, build/decisions/
	@$(BIN)/python -m benchmarks.decisions $(SCENARIOS)

bench-forecast: $(READY) ## what the policy forecast is worth beside wait: SCENARIOS=FILE; build/forecast.json
	@$(BIN)/python -m benchmarks.forecast $(SCENARIOS)

bench-overview: $(READY) ## the dashboard's overview of 200 pools and 2,000 machines, under 200 ms and 300 kB; build/overview.json
	@$(BIN)/python -m benchmarks.overview

bench-web: bench-overview ## besides, what fifty browsers cost that keep it open, under 5 % of a core; build/web.json
	@$(BIN)/python -m benchmarks.live

bench-startup: $(READY) debian ## help under 300 ms, the first tick over 10,000 machines under 2 s, an idle daemon under 1 % of a core and 120 MB; build/startup.json
	@$(BIN)/python -m benchmarks.startup

bench-events: $(READY) ## what hearing 10,000 Celery workers costs, under 30 % of a core, nothing falling behind; needs RabbitMQ; build/events.json
	@$(BIN)/python -m benchmarks.events

bench-scale: $(READY) debian ## a tick of 1,000 pools, 10,000 machines and 10,000 real queues, and how its cost grows: TICKS=360; build/scale.json
	@$(BIN)/python -m benchmarks.scale $(if $(TICKS),--ticks $(TICKS))

bench-sharded: $(READY) ## ten daemons and their standbys on virtual time, 100,000 machines, one account; needs PostgreSQL; DAEMONS=10 NODES=100000; build/sharded.json
	@scripts/debian-packages.sh postgresql
	@$(BIN)/python -m benchmarks.sharded $(if $(DAEMONS),--daemons $(DAEMONS)) $(if $(NODES),--nodes $(NODES))

bench-backtest: $(READY) ## a backtest of a week's own journal at a tick of 10 s, under 20 seconds; build/backtest.json
	@$(BIN)/python -m benchmarks.backtest

decisions-page: $(READY) ## docs/deciding.md anew: its tables from build/decisions.json, its plots from our own scenarios
	@$(BIN)/python -m benchmarks.report --table docs/deciding.md
	@$(BIN)/python -m benchmarks.decisions --only waves:3600,bursts:60 \
	  --peers "keda V=1c,keda,keda V=3c" --output build/pictured.json
	@mkdir -p docs/images && cp build/pictured/waves-3600s.png build/pictured/bursts-60s.png docs/images/

crashes: $(READY) test-servers ## the whole crash matrix: the daemon killed at every step, compared; records in build/crashes.json
	@$(BIN)/python -m tests.integration.crashes $(ONLY)

lint: $(READY)
	@mkdir -p build
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >build/imports.txt || { cat build/imports.txt; exit 1; }
	@$(PYTEST) -q --collect-only tests >build/collected.txt || { tail -n 40 build/collected.txt; exit 1; }  # a broken import: now, not in half an hour

debian:
	@scripts/debian-packages.sh $(DEBIAN_PACKAGES)

.PHONY: stack-servers test-servers
stack-servers:
	@scripts/debian-packages.sh $(STACK_PACKAGES)

test-servers:
	@scripts/debian-packages.sh $(TEST_PACKAGES)

# An environment whose interpreter is gone is made anew; one that is only out of date is brought up to date.
define make_venv
	@python=$$(scripts/find-python.sh 2>/dev/null || { scripts/debian-packages.sh python3 python3-venv; scripts/find-python.sh; }); \
	  $(1)/bin/python -c '' 2>/dev/null || { echo "Making $(1) with $$python"; "$$python" -m venv --clear $(1); }
	@echo "Installing $(2) into $(1)"
	@$(1)/bin/python $(PIP_INSTALL) -r $(2)
endef

$(READY): requirements/dev.txt pyproject.toml
	$(call make_venv,.venv,requirements/dev.txt)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(OLD_WORKER): requirements/worker-celery53.txt
	$(call make_venv,.venv-celery53,requirements/worker-celery53.txt)
	@touch $@

$(STACK): requirements/stack.txt
	$(call make_venv,.venv-stack,requirements/stack.txt)
	@touch $@

$(DOCS): requirements/docs.txt
	$(call make_venv,.venv-docs,requirements/docs.txt)
	@touch $@

$(AUTOSCALER_CLOUD_INIT_SCHEMA):
	@scripts/cloud-init-schema.sh $@

lock: $(READY) ## new pins in requirements/, from pyproject.toml (UPGRADE=1 takes newer releases)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

pages: $(READY) ## docs/ pages that are made from code
	@$(BIN)/python scripts/pages.py

screenshots: $(READY) ## docs/images/dashboard-*.png: pages of the demo, the same on each run
	@scripts/debian-packages.sh chromium
	@$(BIN)/python scripts/screenshots.py

docs: $(DOCS) ## the documentation site: build/site/index.html
	@.venv-docs/bin/python scripts/site/build.py build/site

deb: $(READY) ## the Debian package, for this computer's release and architecture: build/autoscaler_VERSION_ARCH.deb
	@scripts/debian-packages.sh python3
	@scripts/deb.sh build

image: $(READY) ## the container image `autoscaler`, with podman, docker or buildah
	@BASE=$(BASE) scripts/image.sh

clean: ## removes everything the other targets made
	rm -rf .venv .venv-celery53 .venv-docs .venv-stack .run build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) testbed tests examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
