# Everything a developer types. `make` alone lists it.
CARGO ?= cargo
DATA  ?=
DATA_DIR ?= data
PLATFORM_KEY ?= $(DATA_DIR)/platform-key.json

.DEFAULT_GOAL := help
.PHONY: help run test verify lint replay bench clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: ## build and start on the embedded log, with a sample merchant and gentle traffic
	$(CARGO) build --release -p standalone
	./target/release/counterfoil demo --data-dir $(DATA_DIR)

test: ## all tests that are quick enough for every change
	$(CARGO) test --release -p coupon -p event-log -p event-log-sqlite -p http-api
	$(CARGO) build --release -p standalone

verify: lint test ## the longer checks too: every crate, the races and crashes of real processes
	$(CARGO) test --release --workspace
	$(CARGO) deny check

lint: ## format and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

replay: ## drive real claims through HTTP: make replay DATA=claims.csv.gz [TARGET=http://... [PLATFORM_KEY=file]]
	@test -n "$(DATA)" || { echo "name the file: make replay DATA=claims.csv.gz"; exit 2; }
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest replay --data "$(DATA)" $(if $(TARGET),--target "$(TARGET)" --platform-key "$(PLATFORM_KEY)")

bench: ## redemptions per second over HTTP, signed and durable; bytes of log; records per second of a rebuild
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest bench

clean: ## what was built; the data directory stays
	$(CARGO) clean
