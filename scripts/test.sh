#!/usr/bin/env bash
# Runs everything that must pass, all of it even if something fails, and ends with a summary.
#
# Database tests need PostgreSQL, PgBouncer and MariaDB, the race detector a C compiler, arm64's assembly an emulator,
# and the tests of pages a browser. What is missing is installed from Debian's
# packages if that is possible without asking (as root, or with a sudo that wants no password); then a database test
# that skips is a failure. REPAINT_NO_INSTALL=1 leaves the machine as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

make=${MAKE:-make}
summary=()
failed=()            # names of steps
outputs=$(mktemp -d) # of the steps, by their names
aside=

step() { # name, command …
  local name=$1 start=$SECONDS result=ok
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null 2>&1 | tee "$outputs/$name" || { result=FAILED; failed+=("$name"); }
  summary+=("$(printf '%-8s %-10s %4ds' "$result" "$name" $((SECONDS - start)))")
  tell_aside
}

# A step that only computes takes what the tests, which wait a lot, leave of the processors. Its output appears as a
# whole when it has ended.
beside() { # name, command …
  aside=$1
  shift
  printf '\n== %s runs beside the next steps; its output follows when it has ended\n' "$aside"
  set -m # a group of processes, which ends with this script
  (
    SECONDS=0 result=ok
    nice "$@" </dev/null >"$outputs/$aside" 2>&1 || result=FAILED
    printf '%s %s\n' "$result" "$SECONDS" >"$outputs/$aside.result"
  ) &
  aside_pid=$!
  set +m
}
trap '[ -z "$aside" ] || kill -- "-$aside_pid"; rm -rf "$outputs"' EXIT

tell_aside() { # prints the step beside, if it has ended
  [ -n "$aside" ] && ! kill -0 "$aside_pid" 2>/dev/null || return 0
  local result=FAILED seconds=0
  wait "$aside_pid" || true
  printf '\n== %s\n' "$aside"
  cat "$outputs/$aside"
  read -r result seconds <"$outputs/$aside.result" || true # without a result it was killed
  [ "$result" = ok ] || failed+=("$aside")
  summary+=("$(printf '%-8s %-10s %4ds  beside the others' "$result" "$aside" "$seconds")")
  aside=
}

join_aside() {
  [ -z "$aside" ] || wait "$aside_pid" || true
  tell_aside
}

# CI shows only the end of the log, so the end repeats which tests and packages failed, in all steps, and then the
# first and the last lines of what the first of them said.
tell_failures() {
  local name
  for name in "${failed[@]}"; do
    printf '\n== what failed in %s\n' "$name"
    grep -E '^ *--- FAIL|^FAIL[[:space:]]|^FAILED|^panic:|^fatal error:|DATA RACE|\*\*\* \[' "$outputs/$name" | head -n 10
  done
  for name in "${failed[@]}"; do
    printf '\n== why %s failed\n' "$name"
    awk '
      function show(i) { for (i = 1; i <= n; i++) if (i <= 5 || i > n - 6) print said[i]; n = 0 }
      /^ *--- FAIL|^panic:|^fatal error:|DATA RACE/ { show(); keeps = any = 1 }
      /^(ok|FAIL|make|=|\?) */ || /^ *--- (PASS|SKIP)/ { show(); keeps = 0 }
      keeps { said[++n] = $0 }
      END { show(); exit !any }
    ' "$outputs/$name" || tail -n 12 "$outputs/$name"
  done | cut -c 1-300 | head -n 30
}

skip() { # name, reason
  printf '\n== %s: skipped, %s\n' "$1" "$2"
  summary+=("$(printf '%-8s %-10s       %s' skipped "$1" "$2")")
}

if ! command -v "${GO:-go}" >/dev/null; then
  printf '%s: Go is missing: no %s in PATH; install Go 1.26 or newer\n' "$0" "${GO:-go}" >&2
  exit 1
fi

# Go and staticcheck keep what they build and download at home, and some users have none.
if [ ! -d "${HOME:-}" ] || [ ! -w "$HOME" ]; then
  HOME=${TMPDIR:-/tmp}/repaint-home-$(id -u)
  export HOME
  [ -d "$HOME" ] || mkdir -m 700 "$HOME"
fi

if [ "${REPAINT_NO_INSTALL:-}" != 1 ] && ! scripts/install-servers.sh --check >/dev/null && scripts/install-servers.sh --may; then
  step install scripts/install-servers.sh
fi

note=
if scripts/install-servers.sh --check postgresql mariadb pgbouncer; then
  export REPAINT_REQUIRE_SERVERS=1
elif [ "${REPAINT_REQUIRE_SERVERS:-}" != 1 ]; then
  note="Database servers are missing, and were not installed: the tests that need them were SKIPPED. See make install-servers."
  printf '%s\n' "$note"
fi

if scripts/install-servers.sh --check peers >/dev/null; then
  export REPAINT_REQUIRE_PEERS=1
fi

if scripts/install-servers.sh --check load >/dev/null; then
  export REPAINT_REQUIRE_LOAD=1
fi

if scripts/install-servers.sh --check browser >/dev/null; then
  export REPAINT_REQUIRE_BROWSER=1
fi

beside check "$make" --no-print-directory check
if scripts/install-servers.sh --check compiler >/dev/null; then
  step race "$make" --no-print-directory race
else
  skip race "the race detector needs a C compiler"
fi
step plain "$make" --no-print-directory plain
join_aside
step slowpath "$make" --no-print-directory slowpath
if [ "$(uname -sm)" = "Linux x86_64" ]; then
  if scripts/install-servers.sh --check emulator >/dev/null; then
    step arm64 "$make" --no-print-directory arm64
  else
    skip arm64 "qemu-aarch64 is missing"
  fi
fi
step nested "$make" --no-print-directory nested
if scripts/install-servers.sh --check postgresql mariadb >/dev/null; then
  REPAINT_RESULTS=$(mktemp -d)
  export REPAINT_RESULTS
  step bench "$make" --no-print-directory bench-smoke
  rm -rf "$REPAINT_RESULTS"
else
  skip bench "database servers are missing"
fi

[ ${#failed[@]} = 0 ] || tell_failures || true # what is cut off has failed, too

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
[ -z "$note" ] || printf '%s\n' "$note"
if [ ${#failed[@]} = 0 ]; then
  printf 'PASS in %ds\n' "$SECONDS"
else
  printf 'FAIL in %ds\n' "$SECONDS"
  exit 1
fi
