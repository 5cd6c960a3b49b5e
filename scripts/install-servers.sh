#!/usr/bin/env bash
# Installs what the tests need and Debian has, as far as it is missing:
#
#   postgresql  PostgreSQL's programs
#   mariadb     MariaDB's programs, without its service
#   galera      the library with which MariaDB's nodes replicate to each other
#   pgbouncer   PgBouncer, without its service
#   compiler    a C compiler, for Go's race detector
#   emulator    QEMU's user mode, for the tests of what is written in arm64's assembly
#   peers       Python's libraries that bench/ compares with
#   browser     Chromium, for the tests of pages
#   load        wrk, which makes the load of bench/http
#
# Usage: install-servers.sh [--check | --may] [postgresql] [mariadb] [galera] [pgbouncer] [compiler] [emulator] [peers] [browser] [load]     (default: all of them)
#
#   --check  install nothing, say what is there; succeeds if all of it is
#   --may    say nothing; succeeds if this user can install without being asked for a password
#
# The tests start servers of their own, so no service is started, and none that runs is touched.
set -euo pipefail

mode=install
case ${1:-} in
  --check | --may) mode=${1#--}; shift ;;
  -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
items=("$@")
[ ${#items[@]} -gt 0 ] || items=(postgresql mariadb galera pgbouncer compiler emulator peers browser load)

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # Debian's mariadbd is there, and users don't have it in PATH

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

# Prints where an item is; fails if it is missing. The test servers look in the same places.
find_item() {
  local program path dir
  case $1 in
    postgresql)
      path=$(command -v postgres) || path=
      for dir in ${path:+"$(dirname "$(readlink -f "$path")")"} /usr/lib/postgresql/*/bin; do
        if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] && [ -x "$dir/psql" ]; then
          printf '%s\n' "$dir"
          return
        fi
      done
      return 1
      ;;
    mariadb)
      for program in mariadb mariadb-install-db mariadbd; do
        command -v "$program" >/dev/null || return 1
      done
      command -v mariadbd
      ;;
    galera)
      for path in /usr/lib/galera/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so /usr/lib64/galera/libgalera_smm.so; do
        if [ -e "$path" ]; then
          printf '%s\n' "$path"
          return
        fi
      done
      return 1
      ;;
    pgbouncer) command -v pgbouncer ;;
    compiler)
      if [ "$(uname -s)" != Linux ]; then
        printf 'not needed here\n'
        return
      fi
      command -v "${CC:-gcc}" && printf 'int main(void) { return 0; }\n' | "${CC:-gcc}" -x c -o /dev/null - 2>/dev/null
      ;;
    emulator)
      case $(uname -sm) in
        "Linux x86_64") command -v qemu-aarch64 ;;
        *) printf 'not needed here\n' ;;
      esac
      ;;
    peers)
      for program in python3 /usr/bin/python3; do
        if "$program" -c 'import sqlalchemy.ext.asyncio, greenlet, asyncpg, aiosqlite, psycopg2, pymysql' 2>/dev/null; then
          command -v "$program"
          return
        fi
      done
      return 1
      ;;
    load) command -v wrk ;;
    browser)
      for program in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$program" && return
      done
      return 1
      ;;
  esac
}

packages() {
  case $1 in
    postgresql) printf 'postgresql\n' ;;
    # The -core packages have the programs and no service. Their names had a version in older releases.
    mariadb)
      if apt-cache show mariadb-server-core mariadb-client-core >/dev/null 2>&1; then
        printf 'mariadb-server-core mariadb-client-core\n'
      else
        printf 'mariadb-server\n'
      fi
      ;;
    galera) printf 'galera-4\n' ;;
    pgbouncer) printf 'pgbouncer\n' ;;
    compiler) printf 'gcc libc6-dev\n' ;;
    emulator) printf 'qemu-user\n' ;;
    load) printf 'wrk\n' ;;
    browser) printf 'chromium fonts-dejavu-core\n' ;;
    peers) printf 'python3 python3-sqlalchemy python3-greenlet python3-asyncpg python3-aiosqlite python3-psycopg2 python3-pymysql\n' ;;
  esac
}

may_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt() {
  local attempt
  for attempt in 1 2 3; do
    as_root env DEBIAN_FRONTEND=noninteractive timeout --kill-after=30 900 \
      apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30 "$@" </dev/null && return
    say "apt-get $1 failed (attempt $attempt of 3)" >&2
    [ "$attempt" = 3 ] || sleep $((attempt * 5)) # a mirror may be back then
  done
  return 1
}

# Packages start their services unless this file forbids it. One that is there already is somebody's decision, and
# stays; else ours forbids the database servers for the time of the installation.
policy=/usr/sbin/policy-rc.d
forbid_services() {
  [ ! -e "$policy" ] || return 0
  trap 'as_root rm -f "$policy"' EXIT
  # shellcheck disable=SC2016 # the inner shell expands
  as_root sh -c 'printf "%s\n" "#!/bin/sh" "case \$1 in postgresql*|mariadb*|mysql*|pgbouncer*) exit 101 ;; esac" "exit 0" >"$1" && chmod 755 "$1"' sh "$policy"
}

is_running() { grep -qsx "$1" /proc/[0-9]*/comm; }

missing=()
for item in "${items[@]}"; do
  case $item in
    postgresql | mariadb | galera | pgbouncer | compiler | emulator | peers | browser | load) ;;
    *) say "unknown item $item (there are postgresql, mariadb, galera, pgbouncer, compiler, emulator, peers, browser and load)" >&2; exit 2 ;;
  esac
done
for item in "${items[@]}"; do
  if where=$(find_item "$item"); then
    [ "$mode" = may ] || say "$item: ${where##*$'\n'}"
  else
    [ "$mode" = may ] || say "$item: missing"
    missing+=("$item")
  fi
done

case $mode in
  check) [ ${#missing[@]} = 0 ]; exit ;;
  may) may_install; exit ;;
esac

[ ${#missing[@]} -gt 0 ] || exit 0
if ! may_install; then
  say "can't install ${missing[*]}: that needs apt-get, and root or a sudo without password." >&2
  say "By hand, on Debian: apt-get install postgresql mariadb-server-core mariadb-client-core galera-4 pgbouncer gcc libc6-dev qemu-user $(packages peers) $(packages browser) $(packages load)" >&2
  exit 1
fi

before=no
! is_running postgres || before=yes
forbid_services
apt update
for item in "${missing[@]}"; do
  # shellcheck disable=SC2046 # a list of words
  set -- $(packages "$item")
  say "installing $*"
  apt install --no-install-recommends --no-upgrade "$@"
done

# Where somebody's policy allows services, PostgreSQL's package has started one.
if [ "$before" = no ] && is_running postgres; then
  say "stopping the PostgreSQL service that the installation started"
  as_root service postgresql stop
fi

for item in "${missing[@]}"; do
  if ! find_item "$item" >/dev/null; then
    say "$item is still missing after its packages were installed" >&2
    exit 1
  fi
done
say "installed ${missing[*]}"
