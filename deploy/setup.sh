#!/usr/bin/env bash
# What a real Kafka and the nginx in front of the services need, installed where it is missing and may be.
set -euo pipefail

missing=()
command -v java >/dev/null || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
# `deploy/setup.sh faults`: toxiproxy is built from its source.
[ "${1:-}" != faults ] || command -v go >/dev/null || missing+=(golang-go)
# `deploy/setup.sh browser`: in which the load test's report is checked.
[ "${1:-}" != browser ] || command -v chromium >/dev/null || missing+=(chromium)
[ "${1:-}" != browser ] || command -v npm >/dev/null || missing+=(npm)
# `deploy/setup.sh bench`: which counts instructions.
[ "${1:-}" != bench ] || command -v valgrind >/dev/null || missing+=(valgrind)
# `deploy/setup.sh k6`: which is built from its source.
[ "${1:-}" != k6 ] || command -v k6 >/dev/null || command -v go >/dev/null || missing+=(golang-go)
# `deploy/setup.sh peers`: the databases that the load test's peers stand on.
[ "${1:-}" != peers ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
[ "${1:-}" != peers ] || command -v redis-server >/dev/null || missing+=(redis-server)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]}; on Debian: apt-get install ${missing[*]}" >&2
  exit 2
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The load test starts databases of its own; the cluster and the service that the packages would start are not wanted.
no_cluster=/etc/postgresql-common/createcluster.d/counterfoil.conf
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
  mkdir -p "${no_cluster%/*}"
  echo "create_main_cluster = false" >"$no_cluster"
  trap 'rm -f "$no_cluster"' EXIT
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
if [[ " ${missing[*]} " == *" redis-server "* ]] && [ -d /run/systemd/system ]; then
  systemctl disable --now --quiet redis-server
fi
