# Everything a developer types. `make` alone lists it.
CARGO ?= cargo
DATA  ?=
DATA_DIR ?= data
CLAIMS ?= ../shared/data/tianchi_o2o/claims.csv.gz
FRAUD_DATA ?= ../shared/data
SHELL := /bin/bash
CLUSTER_DIR ?= $(DATA_DIR)/cluster
BROKERS ?= 1
ISSUERS ?= 1
REDEEMERS ?= 1
RISK_SCORERS ?= 1
PARTITIONS ?= 8
TRAIN_FROM ?= 2018-07-25
PORT ?= 8080
PROFILE ?= redeem-200
LOAD_REPORT ?= target/load-test
ROUNDS ?= 3
SECONDS ?= 10
SHOPPERS ?= 100000
# The key of whatever listens at TARGET: that of the cluster, if that is where it is.
PLATFORM_KEY ?= $(if $(filter $(TARGET),$(shell cat $(CLUSTER_DIR)/address 2>/dev/null)),$(CLUSTER_DIR),$(DATA_DIR))/platform-key.json
BINARIES = -p standalone -p issuer -p redeemer -p risk-scorer -p cluster

.DEFAULT_GOAL := help
.PHONY: help run cluster cluster-down cluster-status test faults verify lint deny load report-check replay bench bench-growth \
  bench-peers bench-kafka prove risk-bench k6 clean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## build and start on the embedded log, with a sample merchant and gentle traffic
	$(CARGO) build --release -p standalone -p loadtest
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

test: ## all tests (needs Java, Maven, nginx, PostgreSQL, Redis: deploy/setup.sh peers); ends with how many passed
	@deploy/setup.sh peers
	@set -o pipefail; $(CARGO) test --workspace --lib --bins --tests --no-fail-fast 2>&1 | awk '{ print; fflush() } \
	  /^test result:/ { passed += $$4; failed += $$6; skipped += $$8 } \
	  END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped }'

faults: ## brokers and services killed, stopped and cut off under load, three brokers; takes about fifteen minutes
	@deploy/setup.sh faults
	$(CARGO) test --workspace --no-run
	$(CARGO) test --workspace --test faults -- --test-threads 1 --nocapture

verify: lint deny test faults prove ## the longer checks too: many more histories, and the real claims with a kill in the middle
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

load: ## a load test with its report: [PROFILE=redeem-200] [TARGET=http://... [PLATFORM_KEY=file]] [RATE=500] [DURATION=30]
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest run $(PROFILE) --json $(LOAD_REPORT).json --html $(LOAD_REPORT).html \
	  $(if $(TARGET),--target "$(TARGET)" --platform-key "$(PLATFORM_KEY)",--start) \
	  $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--duration $(DURATION))

report-check: ## a load test's report in a real browser, both themes, wide and narrow: [LOAD_REPORT=path without .html]
	@deploy/setup.sh browser
	npm ci --prefix loadtest/tests/report --no-audit --no-fund
	node loadtest/tests/report/check.mjs $(LOAD_REPORT).html $(LOAD_REPORT)-screenshots

replay: ## drive real claims through HTTP: make replay DATA=claims.csv.gz [TARGET=http://... [PLATFORM_KEY=file]]
	@test -n "$(DATA)" || { echo "name the file: make replay DATA=claims.csv.gz"; exit 2; }
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest replay --data "$(DATA)" $(if $(TARGET),--target "$(TARGET)" --platform-key "$(PLATFORM_KEY)")

bench: ## redeem/s and latencies over HTTP; log bytes; rebuild; µs of decide and fold; bytes and instructions per redemption
	@deploy/setup.sh bench
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest bench
	$(CARGO) bench -p projection --bench path
	$(CARGO) bench -p inline-risk --bench decide
	$(CARGO) bench -p standalone --bench allocations
	$(CARGO) bench -p standalone --bench instructions

bench-growth: ## what 10,000, a million and ten million claimed coupons cost: memory, log, latency, restart, rebuild; needs 16 GB
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest growth

bench-peers: ## beside PostgreSQL, Redis and the machine's ceilings, in one run; writes docs/benchmarks.md: [ROUNDS=3] [SECONDS=10]
	@deploy/setup.sh peers
	$(CARGO) build --release -p standalone -p loadtest -p peers
	./target/release/loadtest versus --rounds $(ROUNDS) --seconds $(SECONDS) --page docs/benchmarks.md --made-by "make bench-peers"

bench-kafka: ## redemptions at a rate on one broker and the three services: [RATE=200] [DURATION=30] (after make cluster)
	$(CARGO) build --release -p loadtest
	./target/release/loadtest run redeem-200 --target "$$(cat $(CLUSTER_DIR)/address)" \
	  --platform-key $(CLUSTER_DIR)/platform-key.json $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--duration $(DURATION))

prove: ## 100,000 shoppers' risk decisions counted again from the log to the bit, over a kill and a rebuild: [SHOPPERS=100000]
	$(CARGO) build --profile quick -p standalone -p loadtest
	./target/quick/loadtest prove --shoppers $(SHOPPERS)

risk-bench: ## how good the learned score is, on published data; writes docs/risk-quality.md: [FRAUD_DATA=../shared/data] [TRAIN_FROM=day]
	$(CARGO) build --profile quick -p risk-bench
	./target/quick/risk-bench --data "$(FRAUD_DATA)" --train-from $(TRAIN_FROM) --page docs/risk-quality.md --made-by "make risk-bench"

k6: ## the signed k6 script against a server of its own for a few seconds; k6 is built from its source where it is missing
	@deploy/setup.sh k6
	$(CARGO) build --release -p standalone
	loadtest/k6/try.sh

clean: ## what was built; the data directory stays
	$(CARGO) clean
