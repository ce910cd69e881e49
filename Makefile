# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Python environments and built tools; CI keeps them outside the clone.
export TOOLGATE_CACHE ?= .cache
CARGO ?= cargo
PYTEST = $(TOOLGATE_CACHE)/venv/bin/python -m pytest -c tests/e2e/pytest.ini
PYTEST_IDP = $(TOOLGATE_CACHE)/venv/bin/python -m pytest -c tests/idp/pytest.ini
PYTEST_SPIRE = $(TOOLGATE_CACHE)/venv/bin/python -m pytest -c tests/spire/pytest.ini
DENY_VERSION := 0.20.2
DENY := $(TOOLGATE_CACHE)/cargo-deny-$(DENY_VERSION)
FUZZ_VERSION := 0.13.2
FUZZ := $(TOOLGATE_CACHE)/cargo-fuzz-$(FUZZ_VERSION)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: venv build ## Run everything on the loopback and make real calls (ONCE=1 ends after them)
	@$(TOOLGATE_CACHE)/venv/bin/python examples/demo/demo.py

.PHONY: test
test: test-rust test-e2e ## Every test that needs only Rust and Python

.PHONY: test-rust
test-rust: ## Unit, table, property and snapshot tests
	$(CARGO) test --locked

.PHONY: test-e2e
test-e2e: venv build ## The story, bad requests and forgeries through a real Envoy
	$(PYTEST) tests/e2e

.PHONY: test-mcp1
test-mcp1: build ## The story with the older line of the Python MCP SDK
	@examples/demo/bootstrap mcp1
	$(TOOLGATE_CACHE)/venv-mcp1/bin/python -m pytest -c tests/e2e/pytest.ini tests/e2e

# Keycloak and oidc-provider. Without Java, Maven or Node there is nothing to test: CI minds.
IDP_TESTS ?= tests/idp

.PHONY: test-idp
test-idp: venv build ## With Keycloak and oidc-provider: people, new keys, outages (SHORT=1: two minutes)
	@status=0; tests/idp/bootstrap "$(abspath $(TOOLGATE_CACHE))/idp" || status=$$?; \
	if [[ $$status == 3 && -z $${CI:-} ]]; then \
		printf '\nSKIPPED: nothing was tested against real identity providers\n\n' >&2; \
	elif [[ $$status != 0 ]]; then \
		exit $$status; \
	else \
		SHORT=$(SHORT) $(PYTEST_IDP) $(IDP_TESTS); \
	fi

# A SPIRE server for each of two trust domains, and an agent that feeds Envoy. Without Go there is
# nothing to test: CI minds.
SPIRE_TESTS ?= tests/spire

.PHONY: test-spire
test-spire: venv build ## With SPIRE: identities, ten minutes of rotation, outages (SHORT=1: one minute)
	@status=0; tests/spire/bootstrap "$(abspath $(TOOLGATE_CACHE))/spire-1.15.3" || status=$$?; \
	if [[ $$status == 3 && -z $${CI:-} ]]; then \
		printf '\nSKIPPED: nothing was tested against SPIRE\n\n' >&2; \
	elif [[ $$status != 0 ]]; then \
		exit $$status; \
	else \
		SHORT=$(SHORT) $(PYTEST_SPIRE) -s $(SPIRE_TESTS); \
	fi

# Other languages' readers of what Toolgate lets through. Without Node.js or Go: CI minds.
.PHONY: readers
readers: venv build ## Do Python, JavaScript and Go read messages as Toolgate does? (SHORT=1: 20 s)
	@if ! { command -v node && command -v go; } >/dev/null; then \
		printf '\nSKIPPED: no message was compared; install Node.js and Go 1.21 or newer\n\n' >&2; \
		[[ -z $${CI:-} ]]; \
	else \
		go build -o $(TOOLGATE_CACHE)/read-go tests/readers/read.go; \
		$(TOOLGATE_CACHE)/venv/bin/python tests/readers/compare.py --seconds $(if $(SHORT),20,600) \
			--toolgate target/debug/examples/read_messages --go $(TOOLGATE_CACHE)/read-go; \
	fi

# The suite of the protocol's authors, their Inspector and the client libraries, on Node.js 22, which
# is installed for it. Without npm there is nothing to test: CI minds.
PYTEST_CONFORMANCE = $(TOOLGATE_CACHE)/venv/bin/python -m pytest -c tests/conformance/pytest.ini

.PHONY: conformance
conformance: venv build ## The MCP conformance suite, without and with Toolgate, and five client libraries (SHORT=1: one round)
	@examples/demo/bootstrap mcp1
	@status=0; tests/conformance/bootstrap "$(abspath $(TOOLGATE_CACHE))/conformance" || status=$$?; \
	if [[ $$status == 3 && -z $${CI:-} ]]; then \
		printf '\nSKIPPED: nothing was tested against the conformance suite\n\n' >&2; \
	elif [[ $$status != 0 ]]; then \
		exit $$status; \
	else \
		$(PYTEST_CONFORMANCE) tests/conformance; \
		SHORT=$(SHORT) $(TOOLGATE_CACHE)/venv/bin/python tests/conformance/compare.py; \
	fi

.PHONY: alive
alive: venv build ## Everything changes while 20,000 requests and more flow (some minutes)
	ALIVE_SWAPS=200 ALIVE_REQUESTS=20000 ALIVE_RATE=1000 $(PYTEST) -s tests/e2e/test_alive.py

.PHONY: soak
soak: venv ## Ten minutes at 1,000 calls a second, ten with SPIRE, providers gone for one (SHORT=1: 40 s)
	@$(CARGO) build --locked --release --bins --example dev_identity --example sample_servers
	@$(TOOLGATE_CACHE)/venv/bin/python tests/soak/soak.py
	@$(if $(SHORT),,$(MAKE) test-idp IDP_TESTS=tests/idp/test_outages.py)
	@$(if $(SHORT),,$(MAKE) test-spire SPIRE_TESTS=tests/spire/test_rotation.py)

.PHONY: bench
bench: BENCH := $(if $(SHORT),--servers 1000 --rounds 3,)
bench: venv build ## Measure 10,000 servers, unknown keys, long lists and the edge, as ratios (SHORT=1: fewer)
	@$(CARGO) bench --locked --bench policies -- $(BENCH)
	@$(CARGO) bench --locked --bench access -- $(if $(SHORT),--short,)
	@$(CARGO) bench --locked --bench micro
	@$(CARGO) bench --locked --bench unknown_keys -- $(if $(SHORT),--short,)
	@$(CARGO) build --locked --release --bins --example bench_load --example bench_ok
	@$(TOOLGATE_CACHE)/venv/bin/python tests/bench/lists.py $(if $(SHORT),--short,)
	@$(MAKE) bench-edge

# Beside OPA, which Go builds. Without Go its rows are missing: CI minds.
.PHONY: bench-edge
bench-edge: venv build ## Only the edge: one decision, beside an authorizer that says OK, Envoy's filters, and OPA
	@$(CARGO) build --locked --release --bins --example bench_load --example bench_ok
	@$(TOOLGATE_CACHE)/venv/bin/python tests/bench/edge.py $(if $(SHORT),--short,)

.PHONY: build
build: ## Toolgate, the sample servers and the development identity provider
	@echo "Building Toolgate and its samples (the first time takes a few minutes)"
	@$(CARGO) build --locked --bins --examples

.PHONY: venv
venv:
	@examples/demo/bootstrap

.PHONY: lint
lint: ## Format and clippy, warnings denied
	$(CARGO) fmt --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

.PHONY: domain
domain: ## Prove that the domain builds without the async stack
	$(CARGO) check --locked --lib --no-default-features

.PHONY: docs
docs: ## The library's documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

.PHONY: deny
deny: $(DENY)/bin/cargo-deny ## Licences, bans and sources of the dependencies
	$(DENY)/bin/cargo-deny --locked check --hide-inclusion-graph bans licenses sources

$(DENY)/bin/cargo-deny:
	@echo "Building cargo-deny $(DENY_VERSION) (a few minutes, once)"
	$(CARGO) install cargo-deny --locked --version $(DENY_VERSION) --no-default-features --root $(DENY)

.PHONY: fuzz
fuzz: FUZZ_SECONDS := $(if $(filter command line,$(origin SECONDS)),$(SECONDS),$(if $(SHORT),20,600))
# To build it takes most of the short form's time: that is not optimized as far.
fuzz: export CARGO_PROFILE_RELEASE_OPT_LEVEL := $(if $(SHORT),1,3)
fuzz: $(FUZZ)/bin/cargo-fuzz ## Feed the loader, the limits, the reader and the lists whatever comes (SHORT=1: 20 s each; SECONDS=...)
	@# Without a sanitizer no nightly compiler is needed; there is no unsafe code to watch.
	PATH="$(FUZZ)/bin:$$PATH" $(CARGO) fuzz build --sanitizer none
	@for target in loader limits messages lists; do \
		mkdir -p fuzz/corpus/$$target fuzz/artifacts/$$target; \
		PATH="$(FUZZ)/bin:$$PATH" $(CARGO) fuzz run --sanitizer none $$target \
			fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -verbosity=0 -print_final_stats=1; \
	done

$(FUZZ)/bin/cargo-fuzz:
	@echo "Building cargo-fuzz $(FUZZ_VERSION) (a minute, once)"
	$(CARGO) install cargo-fuzz --locked --version $(FUZZ_VERSION) --root $(FUZZ)

.PHONY: render
render: build ## Bring what is generated and checked in up to date
	target/debug/toolgate reviews stamp
	target/debug/toolgate envoy
	target/debug/toolgate schema --out docs/schema
	TOOLGATE_GENERATE=1 $(CARGO) test --locked --test it -- proto policy_page rules_page

# The pages that the browser looks at, and the browser.
PAGES := target/pages
export BROWSER_MODULES = $(TOOLGATE_CACHE)/browser
BROWSER = TMPDIR="$(abspath $(BROWSER_MODULES))/tmp" node tests/browser/matrix.mjs

.PHONY: screenshots
screenshots: ## Test the page of `matrix` in a browser and picture it (CHECK=1: are the pictures of this page?)
	@tests/browser/bootstrap $(abspath $(BROWSER_MODULES))
	@$(CARGO) build --locked --bins --example matrix_page
	@mkdir -p $(PAGES)
	@target/debug/examples/matrix_page odd >$(PAGES)/odd.html
	@target/debug/toolgate matrix --format html --at 2026-11-20T12:00:00Z >$(PAGES)/matrix.html
	@$(BROWSER) $(PAGES)/odd.html
	@$(BROWSER) $(PAGES)/matrix.html $(if $(CHECK),--check,--shoot) docs/images

.PHONY: big-page
big-page: ## How long the page of 1,000 servers takes in a browser
	@tests/browser/bootstrap $(abspath $(BROWSER_MODULES))
	@$(CARGO) build --locked --example matrix_page
	@mkdir -p $(PAGES)
	@target/debug/examples/matrix_page 1000 >$(PAGES)/big.html
	@$(BROWSER) $(PAGES)/big.html --time

.PHONY: clean
clean: ## Remove what was built and installed here
	$(CARGO) clean
	rm -rf .cache run
