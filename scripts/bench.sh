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
# Everything goes to a new directory in bench/results, which git ignores: report.md has the machine, the
# versions, what is missing and all tables; *.json and *.txt have the raw samples; gain.svg and images/
# the pictures, for docs/gain.svg and docs/images. The environment variable REPAINT_RESULTS names another directory.
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

# Runs a command in a directory; its output goes to the report, to the terminal, and to PART.txt.
run() { # part, directory, command …
  local part=$1 directory=$2 start=$SECONDS
  shift 2
  say "" "\`$*\` in \`$directory\`:" ""
  if ! (cd "$directory" && "$@") </dev/null 2>>"$results/errors.txt" | tee -a "$results/$part.txt" "$report"; then
    failed+=("$part")
    say "" "**$part failed**: see errors.txt"
  fi
  say "" "($part: $((SECONDS - start)) s)"
}

machine() {
  say "# What make bench has measured" ""
  say "- $(date -u '+%Y-%m-%d %H:%M UTC'), revision $(git describe --always --dirty 2>/dev/null || echo unknown)"
  say "- $(uname -srm), $(nproc) processors: $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
  say "- load before: $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || echo unknown)"
  say "- $("$go" version)"
  local item where
  for item in postgresql mariadb pgbouncer peers load browser; do
    if where=$(scripts/install-servers.sh --check "$item"); then
      say "- ${where#*: }"
    else
      say "- **MISSING**: $item, so what needs it is left out (scripts/install-servers.sh $item)"
    fi
  done
  say "- $(version_of postgres --version)" "- $(version_of mariadbd --version)" "- $(version_of python3 --version)"
  local peer
  for peer in asyncpg sqlalchemy greenlet gevent; do
    say "- $(/usr/bin/python3 -c "import $peer; print('$peer', $peer.__version__)" 2>/dev/null || echo "**MISSING**: $peer for Python (Debian's package python3-$peer)")"
  done
  [ -z "$smoke" ] || say "" "**A smoke test: the figures mean nothing.**"
}

# Prints the first line of a program's version, also if it is where Debian keeps servers.
version_of() {
  PATH=$PATH:/usr/sbin:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':') "$@" 2>/dev/null | head -1 || echo "$1: not installed"
}

# Go's benchmarks: those that a table has.
go_benchmarks() {
  local which=. time=100ms count=3 packages=(./greenlet ./loop . ./coop ./trace ./db/sqlite ./db/mysql ./db/postgres ./pg)
  if [ -n "$smoke" ]; then
    which='Switch|CallSoon' time=1x count=1 packages=(./greenlet ./loop)
  fi
  say "" "## Benchmarks of the packages"
  run go . "$go" test -run '^$' -bench "$which" -benchmem -benchtime "$time" -count "$count" -timeout 8m "${packages[@]}"
}

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
    run compare bench "$go" run ./compare -rounds 1 -time 1ms
  else
    run compare bench "$go" run ./compare -rounds 3 -time 100ms
  fi
}

many() {
  say "" "## Many at once"
  local sleepers=100000
  [ -z "$smoke" ] || sleepers=1000
  run many bench env REPAINT_SLEEPERS="$sleepers" "$go" test -run '^$' -bench Sleepers -benchtime 1x -timeout 10m ./loop
}

picture() {
  say "" "## README's picture"
  local rounds=5 time=1s
  if [ -n "$smoke" ]; then
    rounds=1 time=1ms
  fi
  run picture bench "$go" run ./pg -only 'point select, 256' -with '^pgxpool of (16|64)$|^pg, (goroutines|one loop)$' \
    -rounds "$rounds" -time "$time" -json "$results/picture.json"
  run picture bench "$go" run ./picture -from "$results/picture.json" -to "$results/gain.svg"
}

stills() {
  say "" "## The pictures of the pages"
  if [ -n "$smoke" ]; then
    say "" "Left out: make test-pages opens all pages."
  elif scripts/install-servers.sh --check browser >/dev/null; then
    run stills internal/pagetest "$go" test -count=1 -run TestStills . -args -stills="$results/images"
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
}

bench() {
  say "" "## repaint bench"
  local duration=1s
  [ -z "$smoke" ] || duration=5ms
  run bench . env -u DATABASE_URL "$go" run ./cmd/repaint bench --duration "$duration" --json "$results/bench.json" --html "$results/bench.html"
}

machine
for part in "${parts[@]}"; do
  case $part in
    go) go_benchmarks ;;
    pg) program pg "pg beside its peers" bench ./pg 'point select, 1 caller$' -rounds 2 -time 150ms ;;
    db) program db "db" bench ./db 'SQLite in memory: .*select.*1 caller' -rounds 2 -time 150ms ;;
    doors) program doors "Front doors" bench/doors . 'sqlc,.* 1 caller$' -rounds 2 -time 200ms ;;
    http) program http "Web services" bench ./http '^/db, 16 callers$' -rounds 1 -time 1s ;;
    *) "$part" ;;
  esac
done

say "" "## What isn't made here" "" \
  "- Tables that compare with an earlier state of the code (before and after) need that state: the bridge's turns, MariaDB in a loop, the costs that don't depend on the number of tasks, traces, transactions." \
  "- The scheduler's mutex: go test -tags mutextimes -run '^\$' -bench Mutex ./pg." \
  "- A million sleepers: REPAINT_SLEEPERS=1000000 in bench, which takes some gigabytes." \
  "- What a profile has shown." "" \
  "All of it took $((SECONDS / 60)) min $((SECONDS % 60)) s. The raw samples are in $results."
if [ ${#failed[@]} -gt 0 ]; then
  say "FAILED: ${failed[*]}"
  exit 1
fi
