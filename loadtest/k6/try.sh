#!/usr/bin/env bash
# Runs the k6 script against a server of its own: 200 redemptions a second for ten seconds. It is the script that is tried,
# so its p99 may be that of a cold server beside k6 on a small machine. The folder is a temporary one.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=v1.8.1
binary=${BINARY:-./target/release/counterfoil}
tools=target/tools
k6=$(command -v k6 || true)
if [ -z "$k6" ]; then
  [ -x "$tools/k6" ] || GOBIN="$PWD/$tools" go install "go.k6.io/k6@$version"
  k6=$tools/k6
fi

folder=$(mktemp -d)
"$binary" serve --listen 127.0.0.1:0 --data-dir "$folder" >"$folder/said" 2>"$folder/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
until grep -q "^listening on " "$folder/said"; do
  kill -0 "$server" || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
target=$(sed -n 's/^listening on //p' "$folder/said")

call() { "$binary" call --data-dir "$folder" --target "$target" "$@"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
merchant=$(call POST /v1/merchants '{"name": "k6", "mode": "test"}' | field id)
call PUT "/v1/merchants/$merchant/quotas" \
  '{"create_per_second": 1000, "redeem_per_second": 10000, "import_per_minute": 100}' >/dev/null
call POST "/v1/merchants/$merchant/keys" '{"name": "k6", "role": "admin"}' >"$folder/key.json"
as_merchant() { call "$@" --key-file "$folder/key.json"; }
stock=$(as_merchant POST /v1/stocks '{"type": "spend_and_save", "name": "k6", "terms": "100 - 10", "total": 5000,
  "value": {"amount_off": {"amount": 1000, "currency": "CNY"}, "minimum_spend": {"amount": 10000, "currency": "CNY"}},
  "code_mode": "pool", "valid_after_claim": {"days": 1}}' | field id)
as_merchant POST "/v1/stocks/$stock/activate" >/dev/null
batch=$(as_merchant POST "/v1/stocks/$stock/codes" '{"count": 5000, "label": "k6"}' | field batch_id)
as_merchant GET "/v1/code-batches/$batch/codes?format=csv" >"$folder/codes.csv"

"$k6" run --quiet -e BASE_URL="$target" -e KEY_FILE="$folder/key.json" -e CODES="$folder/codes.csv" \
  -e RATE=200 -e DURATION=10s -e P99=250 loadtest/k6/redeem.js
