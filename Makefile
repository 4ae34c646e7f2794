# Everything a developer types. `make` alone lists it.
CARGO ?= cargo
DATA  ?=
DATA_DIR ?= data
CLAIMS ?= ../shared/data/tianchi_o2o/claims.csv.gz
SHELL := /bin/bash
CLUSTER_DIR ?= $(DATA_DIR)/cluster
BROKERS ?= 1
ISSUERS ?= 1
REDEEMERS ?= 1
RISK_SCORERS ?= 1
PARTITIONS ?= 8
PORT ?= 8080
# The key of whatever listens at TARGET: that of the cluster, if that is where it is.
PLATFORM_KEY ?= $(if $(filter $(TARGET),$(shell cat $(CLUSTER_DIR)/address 2>/dev/null)),$(CLUSTER_DIR),$(DATA_DIR))/platform-key.json
BINARIES = -p standalone -p issuer -p redeemer -p risk-scorer -p cluster

.DEFAULT_GOAL := help
.PHONY: help run cluster cluster-down cluster-status test faults verify lint deny replay bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## build and start on the embedded log, with a sample merchant and gentle traffic
	$(CARGO) build --release -p standalone
	./target/release/counterfoil demo --data-dir $(DATA_DIR)

cluster: ## the three services on a real Kafka behind nginx: [BROKERS=3 ISSUERS=2 REDEEMERS=2 RISK_SCORERS=1 PORT=8080]
	@deploy/setup.sh
	$(CARGO) build --release $(BINARIES)
	./target/release/counterfoil-cluster --folder $(CLUSTER_DIR) up --brokers $(BROKERS) --issuers $(ISSUERS) \
	  --redeemers $(REDEEMERS) --risk-scorers $(RISK_SCORERS) --partitions $(PARTITIONS) --port $(PORT)

cluster-down: ## ends what `make cluster` started
	./target/release/counterfoil-cluster --folder $(CLUSTER_DIR) down

cluster-status: ## what of it runs, and how much memory each process holds
	./target/release/counterfoil-cluster --folder $(CLUSTER_DIR) status

test: ## all tests (needs Java, Maven, nginx: deploy/setup.sh); ends with how many passed
	@deploy/setup.sh
	@set -o pipefail; $(CARGO) test --workspace --lib --bins --tests --no-fail-fast 2>&1 | awk '{ print; fflush() } \
	  /^test result:/ { passed += $$4; failed += $$6; skipped += $$8 } \
	  END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped }'

faults: ## brokers and services killed, stopped and cut off under load, three brokers; takes about fifteen minutes
	@deploy/setup.sh faults
	$(CARGO) test --workspace --no-run
	$(CARGO) test --workspace --test faults -- --test-threads 1 --nocapture

verify: lint deny test faults ## the longer checks too: many more histories, and the real claims with a kill in the middle
	SIMULATOR_SEEDS=100000 $(CARGO) test --workspace --test general --test keys
	$(CARGO) build --release -p standalone -p loadtest
	@if [ -f "$(CLAIMS)" ]; then \
	  ./target/release/loadtest replay --data "$(CLAIMS)" --kill-after 20000 --kill-after 70000; \
	else echo "no real claims: CLAIMS=file names them"; fi

lint: ## format and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## licences, bans and sources of all that is linked; advisories too where their database can be reached
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check bans licenses sources
	@$(CARGO) deny fetch db >/dev/null 2>&1 && $(CARGO) deny check advisories \
	  || echo "the database of advisories cannot be reached; advisories were not checked"

replay: ## drive real claims through HTTP: make replay DATA=claims.csv.gz [TARGET=http://... [PLATFORM_KEY=file]]
	@test -n "$(DATA)" || { echo "name the file: make replay DATA=claims.csv.gz"; exit 2; }
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest replay --data "$(DATA)" $(if $(TARGET),--target "$(TARGET)" --platform-key "$(PLATFORM_KEY)")

bench: ## redeem/s and latencies over HTTP, signed and durable; log bytes; records/s of a rebuild; µs of decide and fold
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest bench
	$(CARGO) bench -p projection --bench path

clean: ## what was built; the data directory stays
	$(CARGO) clean
