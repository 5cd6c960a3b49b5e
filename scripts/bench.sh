#!/usr/bin/env bash
# Repeats the tables and pictures of docs/performance.md and of README, in less than 25 minutes.
#
# Usage: bench.sh [--smoke] [PART ...]     (default: all parts)
#
#   --smoke  each part for a moment, to see that it works; the figures mean nothing
#
# Parts:
#   go       benchmarks of the packages, for the tables of greenlet, loop, traces, coop, db and pg
#   compare  the bridge beside its peers: asyncio, SQLAlchemy, gevent, errgroup
#   many     many sleeping tasks
#   pg       package pg beside its peers
#   db       package db beside its peers
#   doors    GORM, bun, sqlx, ent and sqlc on repaint and on pgx
#   http     web services under the load of wrk
#   picture  README's picture and its table
#   stills   the pictures of the pages
#   demo     the demo, three times
#   bench    repaint bench with its built-in workloads
#
# Raw samples and the report go to a new directory in bench/results, which git ignores: report.md has all
# that the programs print, *.json and *.txt have the samples, images/ the pictures of pages. The samples are
# then kept in bench/samples, from which bench/tables makes README's figures, docs/performance.md and
# docs/gain.svg. A part that fails or lacks what it needs keeps its earlier samples and tables, and the end
# says so. A smoke test changes none of these files: what it makes goes to the new directory.
#
# The environment variable REPAINT_RESULTS names another directory.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=${GOFLAGS--buildvcs=false}
go=${GO:-go}

smoke=
parts=()
for argument in "$@"; do
  case $argument in
    --smoke) smoke=1 ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    go | compare | many | pg | db | doors | http | picture | stills | demo | bench) parts+=("$argument") ;;
    *) printf '%s: unknown part %s; see --help\n' "${0##*/}" "$argument" >&2; exit 2 ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(go compare many pg db doors http picture stills demo bench)

results=${REPAINT_RESULTS:-bench/results/$(date -u +%Y%m%dT%H%M%SZ)}
mkdir -p "$results"
results=$(cd "$results" && pwd)
report=$results/report.md
failed=()

# Prints to the terminal and into the report.
say() { printf '%s\n' "$@" | tee -a "$report"; }

# Runs a command of a part in a directory; its output goes to the report, to the terminal, and to PART.out.
run() { # part, directory, command …
  local part=$1 directory=$2
  shift 2
  say "" "\`$*\` in \`$directory\`:" ""
  if ! (cd "$directory" && "$@") </dev/null 2>>"$results/errors.txt" | tee -a "$results/$part.out" "$report"; then
    failed+=("$part")
    say "" "**$part failed**: $(tail -1 "$results/errors.txt")"
  fi
}

# Notes when a part is measured, and of which revision.
about() { # part
  printf '(Measured %s at %s%s.)\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" "$revision" "$busy" >"$results/$1.about"
}

# Says what the machine, the versions and the missing peers are.
machine() {
  say "# What make bench has measured" ""
  {
    printf '%s\n' "- $(date -u '+%Y-%m-%d %H:%M UTC'), revision $revision$busy"
    printf '%s\n' "- $(uname -sm), $(nproc) processors: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
    printf '%s\n' "- $("$go" version | cut -d' ' -f3)" "- $(version_of postgres --version)" "- $(version_of mariadbd --version)" "- $(version_of wrk -v)"
    local peer item
    for peer in asyncpg sqlalchemy greenlet gevent; do
      printf '%s\n' "- $(/usr/bin/python3 -c "import sys, $peer; print('Python', sys.version.split()[0] + ':', '$peer', $peer.__version__)" 2>/dev/null || echo "**MISSING**: $peer for Python (Debian's package python3-$peer)")"
    done
    for item in postgresql mariadb peers load browser; do
      scripts/install-servers.sh --check "$item" >/dev/null ||
        printf '%s\n' "- **MISSING**: $item, so what needs it is left out (scripts/install-servers.sh $item)"
    done
  } >"$results/machine.md"
  tee -a "$report" <"$results/machine.md"
  [ -z "$smoke" ] || say "" "**A smoke test: the figures mean nothing.**"
}

# Prints the first line of a program's version, also if it is where Debian keeps servers.
version_of() {
  local first
  first=$(PATH=$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':') "$@" 2>/dev/null | head -1) || true
  echo "${first:-$1: not installed}"
}

# Go's benchmarks: those that a table has.
go_benchmarks() {
  say "" "## Benchmarks of the packages"
  if [ -n "$smoke" ]; then
    gobench ./greenlet '^BenchmarkSwitch$' 1x 1
    gobench ./loop '^BenchmarkCallSoon$' 1x 1
    return
  fi
  gobench ./greenlet '^Benchmark(Switch.*|Life|Current|Throw|Generator|Python)$' 100ms 5
  local kind # each in a process of its own: a later stack is as large as earlier ones were on average
  for kind in greenlet held iter.Pull; do
    gobench ./greenlet "^BenchmarkSuspended\$/^$kind\$" 1x 1
  done
  gobench ./loop '^Benchmark(CallSoon|Post|Timer.*|Promise|Offload)$' 100ms 4
  gobench . '^BenchmarkWaitWithinTimeouts$' 50ms 4
  gobench . '^Benchmark(TasksThatSpawnThemselves|SleepersWithContexts)$' 1x 3
  gobench ./coop '^Benchmark(Uncontended|HandOver|ContendedMutex|Loader|Local)$' 100ms 4
  gobench ./trace '^Benchmark(Turn|Task)$' 100ms 4
  gobench ./pg '^BenchmarkTransaction$' 200ms 4
}

# Debian's python3, which can have greenlet, comes first in PATH.
gobench() { # package, benchmarks, time, count
  run go . env PATH="/usr/bin:$PATH" "$goprogram" test -run '^$' -bench "$2" -benchmem -benchtime "$3" -count "$4" -timeout 5m "$1"
  cp "$results/go.out" "$results/go.txt"
}

# What the tables show of the programs' cases and contestants.
pg_cases='^(point select|insert.*, (40|256) |1 of 1000.*, (32|256) |update, 256|100 rows, 256)|^10,000 rows, [0-9]+ callers?$'
pg_contestants='^(pgxpool|pg |pg, |pgx |wire blaster|pgbench$|asyncpg$|SQLAlchemy)'
db_cases='256 callers$|call by call, |(point select|transaction of 3 statements), 1 caller$'

program() { # part, heading, directory below bench, package, the smoke test's cases, flags …
  local part=$1 heading=$2 directory=$3 package=$4 only=$5
  shift 5
  local ours='^pg, goroutines|^db, goroutines|^repaint, goroutines|^pgx$|^net/http, pg$'
  say "" "## $heading"
  if [ -n "$smoke" ]; then
    run "$part" "$directory" "$go" run "$package" -rounds 1 -time 1ms -with "$ours" -only "$only" -json "$results/$part.json"
  else
    run "$part" "$directory" "$go" run "$package" "$@" -json "$results/$part.json"
  fi
}

compare() {
  say "" "## The bridge, beside its peers"
  if [ -n "$smoke" ]; then
    run compare bench "$go" run ./compare -rounds 1 -time 1ms -raw "$results/compare.txt"
  else
    run compare bench "$go" run ./compare -rounds 5 -time 80ms -raw "$results/compare.txt"
  fi
}

many() {
  say "" "## Many at once"
  local sleepers=100000
  [ -z "$smoke" ] || sleepers=1000
  run many bench env REPAINT_SLEEPERS="$sleepers" "$go" test -run '^$' -bench Sleepers -benchtime 1x -timeout 10m ./loop
  cp "$results/many.out" "$results/many.txt"
}

picture() {
  say "" "## README's picture"
  local rounds=5 time=1s
  if [ -n "$smoke" ]; then
    rounds=1 time=1ms
  fi
  run picture bench "$go" run ./pg -only 'point select, 256' -with '^pgxpool of (16|64)$|^pg, (goroutines|one loop)$' \
    -rounds "$rounds" -time "$time" -json "$results/picture.json"
}

stills() {
  say "" "## The pictures of the pages"
  if [ -n "$smoke" ]; then
    say "" "Left out: make test-pages opens all pages."
  elif scripts/install-servers.sh --check browser >/dev/null; then
    run stills internal/pagetest "$go" test -count=1 -run TestStills . -args -stills="$results/images"
    [ -z "$(ls "$results"/images/*.png 2>/dev/null)" ] || cp "$results"/images/*.png docs/images/
  else
    say "" "**MISSING**: Chromium"
  fi
}

demo() {
  say "" "## The demo"
  local times=3
  [ -z "$smoke" ] || times=1
  for _ in $(seq "$times"); do
    run demo . env -u DATABASE_URL "$go" run ./cmd/repaint demo
  done
  cp "$results/demo.out" "$results/demo.txt"
}

bench() {
  say "" "## repaint bench"
  local duration=900ms
  [ -z "$smoke" ] || duration=5ms
  if ! "$go" build -o "$results/repaint" ./cmd/repaint; then
    failed+=(bench)
    return
  fi
  run bench bench "$go" run ./withserver "$results/repaint" bench --allow-writes --duration "$duration" --rounds 3 \
    --json "$results/bench.json" --html "$results/bench.html"
  rm -f "$results/repaint"
}

# Makes the documentation from the samples, or after a smoke test a copy of it.
documentation() {
  say "" "## Documentation"
  local part to=()
  if [ -n "$smoke" ]; then
    mkdir -p "$results/made/docs"
    cp README.md "$results/made"
    cp docs/performance.md "$results/made/docs"
    to=(-root "$results/made" -samples "$results/made/samples")
  fi
  for part in "${failed[@]}"; do
    rm -f "$results/$part.json" "$results/$part.txt" # what was measured before stays
  done
  run tables bench "$go" run ./tables -from "$results" "${to[@]}"
}

revision=$(git describe --always --dirty 2>/dev/null || echo unknown)
load=$(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo 0)
busy=
if awk "BEGIN { exit !($load > 1) }"; then
  busy=", while other work kept the machine busy (a load of $load before), so rely on ratios"
fi
goprogram=$(command -v "$go")
machine
for part in "${parts[@]}"; do
  start=$SECONDS
  about "$part"
  case $part in
    go) go_benchmarks ;;
    pg) program pg "pg beside its peers" bench ./pg 'point select, 1 caller$' -rounds 3 -time 150ms -only "$pg_cases" -with "$pg_contestants" ;;
    db) program db "db" bench ./db 'SQLite in memory: .*select.*1 caller' -rounds 2 -time 150ms -only "$db_cases" ;;
    doors) program doors "Front doors" bench/doors . 'sqlc,.* 1 caller$' -rounds 3 -time 200ms -goals ;;
    http) program http "Web services" bench ./http '^/db, 16 callers$' -rounds 1 -time 1s ;;
    *) "$part" ;;
  esac
  say "" "($part: $((SECONDS - start)) s)"
done
documentation

say "" "All of it took $((SECONDS / 60)) min $((SECONDS % 60)) s. The raw samples are in $results."
if [ ${#failed[@]} -gt 0 ]; then
  say "" "The last of what the parts wrote to standard error:" "" "$(tail -20 "$results/errors.txt" 2>/dev/null)" ""
  say "FAILED: ${failed[*]}; see $results/errors.txt. The documentation keeps what was measured of these before."
  exit 1
fi
