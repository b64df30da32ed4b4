# Every verb prepares what it needs: on a machine with Rust, Python 3.11 and make nothing else has to be there.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench bench-core bench-array bench-fleet profile fuzz dist msrv packages images clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Put client, engine, command and development tools into .venv/
	@scripts/setup

run: setup ## Estimate pi on a local cluster of four engines
	@.venv/bin/python examples/monte_carlo_pi.py

test: ## Set up, then lint and run every test
	@scripts/test

lint: setup ## Check formatting, lints, types, the schema and generated code
	@scripts/lint

bench: setup ## Measure Paraply beside its peers (ARGS="--help"): ten minutes, writes docs/benchmarks.md
	@scripts/bench $(ARGS)

bench-core: setup ## Measure what a task costs the scheduler: time, instructions, bytes
	@scripts/bench-core $(ARGS)

bench-array: setup ## Move a gigabyte from Rust to a Python engine and back, beside a bare relay (ARGS="MIB ROUNDS")
	@scripts/bench-array $(ARGS)

bench-fleet: setup ## Measure native engines: a million tasks on four, then a thousand engines (ARGS="--help")
	@scripts/bench-fleet $(ARGS)

profile: setup ## See where client, engine and scheduler spend no-op load (ARGS="--help")
	@scripts/profile $(ARGS)

fuzz: ## Send hostile messages to every machine until one breaks or you stop it
	@cargo run --locked --profile ci -p paraply-fuzz

dist: ## Build the three wheels into dist/
	@scripts/dist

msrv: ## Compile everything with the oldest Rust that it is said to need, if rustup has that
	@scripts/msrv

packages: ## Package the crates of the Rust client, and build them from that; publishes nothing
	@scripts/packages

images: ## Build the images of controller, scheduler and engine (BIN=prebuilt: from what was built here)
	@scripts/images

clean: ## Remove everything that the other verbs made
	@rm -rf target dist .venv .cache .mypy_cache .ruff_cache .pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
