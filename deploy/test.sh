#!/usr/bin/env bash
# All tests: Rust's, the pages' units, and the pages in a real browser against the real server. Ends with how many passed.
set -uo pipefail
cd "$(dirname "$0")/.."
pages=services/risk-scorer/dashboard

all() {
  local status=0
  ${CARGO:-cargo} test --workspace --lib --bins --tests --no-fail-fast || status=1
  npm test --prefix "$pages" || status=1
  # How pages look in both themes and languages is looked at by `make looks`: it takes several minutes.
  COUNTERFOIL="$PWD/target/debug/counterfoil" npm run e2e --prefix "$pages" -- --grep-invert "in every look" || status=1
  return $status
}

export NO_COLOR=1 FORCE_COLOR=0
all 2>&1 | awk '
  { print; fflush() }
  # cargo: "test result: ok. 5 passed; 0 failed; 0 ignored; ..."
  /^test result:/ { passed += $4; failed += $6; skipped += $8; next }
  # vitest: "      Tests  1 failed | 52 passed (53)"
  /^ +Tests +[0-9]/ { for (i = 2; i < NF; i++) { if ($(i + 1) == "passed") passed += $i; if ($(i + 1) == "failed") failed += $i } next }
  # Playwright: "  60 passed (2.5m)", "  1 failed", "  1 did not run"
  /^ +[0-9]+ passed \(/ { passed += $1 }
  /^ +[0-9]+ (failed|interrupted|did not run)$/ { failed += $1 }
  /^ +[0-9]+ skipped$/ { skipped += $1 }
  END { printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped }'
exit "${PIPESTATUS[0]}"
