# Two commands do all the set-up: `make up` and `make test`. `make help` lists the rest.

CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/istio-sandbox
UV      := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
PYTHON  := .venv/bin/python
sandbox := $(PYTHON) -m sandbox
inside  := $(sandbox) exec --
STACK   := sandbox
# Of the two ACME servers; the shell inside expands it.
ROOTS   := /run/sandbox/acme/*-root.pem
testers := test-1 test-2 test-3 test-4
# The options of pytest-xdist with which workers run in sandboxes.
in       = $(foreach name,$(1),--tx "popen//python=$(sandbox) --name $(name) exec -- python")
# A shell that Ctrl-C ends runs no EXIT trap of its own accord.
at_end   = trap '$(1)' EXIT; trap 'exit 130' INT TERM
# Each test on a line of its own: how many of how many, and the time so far.
long    := $(PYTHON) -m pytest -v --log-cli-level=INFO -o console_output_style=count
space   := $() $()
# Pytest's -k takes an expression, and names of tests have underscores.
any_of   = $(subst $(space), or ,$(strip $(1)))
figures := $(call any_of,$(subst -,_,$(filter-out --%,$(BENCH))))
scenarios := $(call any_of,$(SCENARIOS:all=test_scenarios) $(if $(ROUNDS),test_rounds))
faulty  := faults-1 $(if $(ONLY)$(SCENARIOS),,faults-2)

# Images often set it. Every command would compile its imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up forecast audit bench faults down check types unit test test-one pictures format .venv $(testers)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: forecast .venv ## start a sandbox, preview and apply the program in it, request a page over HTTPS
	@$(sandbox) doctor --fix
	@$(sandbox) up
	@$(inside) pulumi stack select --create $(STACK)
	$(inside) pulumi preview --stack $(STACK)
	$(inside) pulumi up --stack $(STACK) --yes --skip-preview
	@$(inside) sh -c 'pulumi stack output --stack $(STACK) --json urls | python -m sandbox.summary - --ca $(ROOTS)'
	@$(sandbox) timings

# With the machine's Python: it says how long the environment takes, too.
forecast:
	@python3 -m sandbox.forecast 2>/dev/null || true

down: .venv ## stop the sandbox
	@$(sandbox) down

check: .venv ## format, lint, types, unit and property tests: under a minute, no network
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	@$(MAKE) --no-print-directory --jobs 2 --output-sync types unit

types unit: .venv
types:
	@# Beside the tools, so that a new clone is checked in a second: a file counts by its content, not by its path.
	MYPY_CACHE_DIR=$(CACHE)/mypy .venv/bin/mypy
unit:
	$(PYTHON) -m pytest -q -n 2 -m "not sandbox and not bench and not readme and not network"

# GOGC: of what three control planes ask of two cores, a fifth was to collect garbage; there is memory for it.
test: .venv ## make check, then every test against the real parts, in four sandboxes side by side: SEED=1 shuffles the files
	@$(sandbox) doctor --fix --tests
	@$(MAKE) --no-print-directory check
	@export GOGC=400; $(call at_end,for name in $(testers); do $(sandbox) --name $$name down; done); \
	$(MAKE) --no-print-directory --jobs --output-sync $(testers) || exit; \
	$(PYTHON) -m pytest -v -m sandbox --dist loadfile --no-loadscope-reorder --durations 40 \
	$(if $(SEED),--random-order-bucket module --random-order-seed $(SEED)) \
	$(call in,$(testers)) tests/faults tests/sandbox
	@# The longest first.
	$(PYTHON) -m pytest -v -n 2 -m "readme or network" tests/test_readme_commands.py tests/test_unprivileged.py tests/network tests/unit

$(testers):
	@$(sandbox) --name $@ up

test-one: .venv ## the sandbox tests that K picks, as pytest -k does, in a sandbox of their own: make test-one K=drift
	@test -n "$$K" || { echo "Which? For instance: make test-one K=drift" >&2; exit 2; }
	@$(sandbox) doctor --fix --tests
	@$(call at_end,$(sandbox) --name test-one down); $(sandbox) --name test-one up && \
	$(sandbox) --name test-one exec -- python -m pytest -v -m sandbox -k "$$K" tests/sandbox tests/faults

audit: .venv ## look for known vulnerabilities of the pinned Python packages and the built Go programs
	@$(sandbox) doctor --fix --tests
	$(UV) export --quiet --frozen --all-groups --no-emit-project --no-header --output-file $(CACHE)/pinned.txt
	@# Strict: a package that is missing from the database fails.
	.venv/bin/pip-audit --strict --disable-pip --require-hashes --requirement $(CACHE)/pinned.txt
	.venv/bin/pip-audit --strict --disable-pip --require-hashes --requirement plugin/requirements.txt
	@set -e; for program in $$(find $(wildcard $(CACHE)/tools $(CACHE)/releases) -mindepth 2 -maxdepth 2 -type f -perm -u+x ! -name '*-exec' \
	-printf '%i %p\n' | sort -u -k 1,1 | cut -d ' ' -f 2); do \
	echo "govulncheck $$(basename $$program)"; go -C tests/tools tool govulncheck -mode binary $$program; done

bench: .venv ## measure speed and scale, each figure beside its floor, and upgrade every kind of stack: docs/numbers.md is made from it
	@$(sandbox) doctor --fix
	@rm -f $(CACHE)/bench.jsonl; $(call at_end,$(sandbox) --name bench down); $(sandbox) --name bench up && \
	BENCH_VEGETA=$$(go -C tests/tools tool -n vegeta) $(sandbox) --name bench exec -- $(long) -m bench tests/bench tests/sandbox/test_upgrade.py \
	$(filter --%,$(BENCH)) $(if $(figures),-k "$(figures)") --report-log=$(CACHE)/bench.jsonl; code=$$?; \
	$(if $(filter --quick,$(BENCH)),,test $$code -gt 1 || $(PYTHON) -m tests.bench.page $(if $(figures),--keep) $(CACHE)/bench.jsonl;) exit $$code

faults: .venv ## stage faults, kill parts at random, try hostile configs: SEED=1, SCENARIOS=disk-full, ONLY=17
	@$(sandbox) doctor --fix --tests
	@$(call at_end,for name in $(faulty); do $(sandbox) --name $$name down; done); \
	for name in $(faulty); do $(sandbox) --name $$name up || exit; done; \
	$(long) -m faults --seed=$(or $(SEED),$(shell shuf -i 1-999999 -n 1)) --dist loadgroup $(call in,$(faulty)) \
	$(if $(ONLY),--rounds=$(ONLY) "tests/faults/test_rounds.py::test_a_stack_outlives_the_kill_of_a_part[$(ONLY)]",tests/faults) \
	$(if $(ROUNDS),--rounds=$(ROUNDS)) $(if $(SCENARIOS),-k "$(scenarios)") $(if $(JSON),--report-log=$(JSON))

pictures: .venv ## draw the pictures of the documents again, in a sandbox
	$(PYTHON) -m docs.pictures

format: .venv ## format and fix what ruff can
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# Each time: `uv sync` and `pulumi install` leave only what the program needs.
.venv:
	@command -v $(UV) >/dev/null || { python3 -m venv $(CACHE)/uv && $(CACHE)/uv/bin/pip install --quiet --require-hashes --requirement .github/uv.txt; }
	@$(UV) sync --quiet --frozen --all-groups
