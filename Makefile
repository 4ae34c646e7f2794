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
SCREENSHOTS ?= target/screenshots
BOARD_SECONDS ?= 600
# The key of whatever listens at TARGET: that of the cluster, if that is where it is.
PLATFORM_KEY ?= $(if $(filter $(TARGET),$(shell cat $(CLUSTER_DIR)/address 2>/dev/null)),$(CLUSTER_DIR),$(DATA_DIR))/platform-key.json
BINARIES = -p standalone -p issuer -p redeemer -p risk-scorer -p cluster

.DEFAULT_GOAL := help
.PHONY: help pages run cluster cluster-down cluster-status test faults verify lint deny load report-check replay bench bench-growth \
  bench-peers bench-hot bench-kafka prove looks screenshots board-bench case-bench risk-bench k6 clean

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The pages are built where npm is; without it all the rest is, and `/` says how to get them.
PAGES = services/risk-scorer/dashboard
PAGES_SOURCES = $(shell find $(PAGES) -path '*/node_modules' -prune -o -path $(PAGES)/dist -prune -o -path $(PAGES)/test-results -prune \
  -o -name schema.d.ts -o -type f -print 2>/dev/null)
HAS_PAGES := $(wildcard $(PAGES)/package.json)
HAS_NPM := $(shell command -v npm 2>/dev/null)

$(PAGES)/dist/index.html: $(PAGES_SOURCES)
	npm ci --prefix $(PAGES) --no-audit --no-fund
	npm run build --prefix $(PAGES)
	@touch $@

pages: $(if $(and $(HAS_PAGES),$(HAS_NPM)),$(PAGES)/dist/index.html) ## the pages for people, where npm is there and they have changed
	@$(if $(HAS_NPM),:,echo "npm is missing: the API is served without its pages; with Node.js 20 or later make run gets them")

run: pages ## build and start on the embedded log, with sample merchants, shoppers and abusers
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

test: ## all tests, in a real browser too (installs what deploy/setup.sh peers and browser name); ends with how many passed
	@deploy/setup.sh peers
	@deploy/setup.sh browser
	@$(MAKE) --no-print-directory pages
	@CARGO="$(CARGO)" deploy/test.sh

looks: pages ## every page in both languages and themes, wide and narrow, held against WCAG 2.2 AA by axe-core in a real browser
	@deploy/setup.sh browser
	$(CARGO) build --profile quick -p standalone
	COUNTERFOIL=$(CURDIR)/target/quick/counterfoil npm run e2e --prefix $(PAGES) -- --grep "in every look"

screenshots: pages ## pictures of every page in both languages and themes, 1440 and 390 pixels wide: [SCREENSHOTS=target/screenshots]
	@deploy/setup.sh browser
	$(CARGO) build --profile quick -p standalone
	SCREENSHOTS=$(abspath $(SCREENSHOTS)) COUNTERFOIL=$(CURDIR)/target/quick/counterfoil npm run screenshots --prefix $(PAGES)

board-bench: pages ## the live page under load: frames and memory of the tab, and what it costs the redeem path: [BOARD_SECONDS=600] [RATE=2000]
	@deploy/setup.sh browser
	$(CARGO) build --profile quick -p standalone -p loadtest
	ENDURANCE_MINUTES=$$(awk "BEGIN { print $(BOARD_SECONDS) / 60 }") ENDURANCE_RATE=$(or $(RATE),2000) \
	  COUNTERFOIL=$(CURDIR)/target/quick/counterfoil LOADTEST=$(CURDIR)/target/quick/loadtest npm run e2e:endurance --prefix $(PAGES)

case-bench: pages ## thirty cases closed by keyboard: how long each page takes, measured in the browser
	@deploy/setup.sh browser
	$(CARGO) build --profile quick -p standalone
	COUNTERFOIL=$(CURDIR)/target/quick/counterfoil npm run e2e:cases --prefix $(PAGES)

faults: ## brokers and services killed, stopped and cut off under load, three brokers; takes about fifteen minutes
	@deploy/setup.sh faults
	$(CARGO) test --workspace --no-run
	$(CARGO) test --workspace --test faults -- --test-threads 1 --nocapture

verify: lint deny test looks faults prove ## the longer checks too: many more histories, and the real claims with a kill in the middle
	SIMULATOR_SEEDS=100000 $(CARGO) test --workspace --test general --test keys
	$(CARGO) build --release -p standalone -p loadtest
	@if [ -f "$(CLAIMS)" ]; then \
	  ./target/release/loadtest replay --data "$(CLAIMS)" --kill-after 20000 --kill-after 70000; \
	else echo "no real claims: CLAIMS=file names them"; fi

lint: pages ## format, clippy, and the same for the pages; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	npm run check --prefix $(PAGES)

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

bench-hot: ## redemptions that all meet one stock, beside the same spread over a hundred, in one run: [ROUNDS=3] [SECONDS=10]
	$(CARGO) build --release -p standalone -p loadtest
	./target/release/loadtest versus --of stocks --rounds $(ROUNDS) --seconds $(SECONDS)

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
