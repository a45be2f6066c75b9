#!/bin/bash
# Says what this machine lacks for the kit, or has too little of, and the one line that fixes it.
# Exit status 1 when something is missing without which servers cannot be built and checked.
set -u
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-/usr/bin/python3}
bad=0

good() { printf '  ok    %s\n' "$1"; }
note() { printf '  note  %s\n        fix: %s\n' "$1" "$2"; }
fail() { printf '  LACK  %s\n        fix: %s\n' "$1" "$2"; bad=1; }

echo "tools"
compiler=${CXX:-g++}
version=$("$compiler" -dumpversion 2>/dev/null)
if [ -z "$version" ]; then fail "no compiler $compiler" "make deps"
elif [ "${version%%.*}" -lt 12 ]; then fail "$compiler $version is too old for this C++20" "apt-get install g++-12 && make CXX=g++-12"
else good "$compiler $version"; fi
headers="CLI/CLI.hpp boost/beast/http.hpp"
[ -d common/tests ] && headers="$headers gtest/gtest.h"
for header in $headers; do
  if echo "#include <$header>" | "$compiler" -std=c++20 -E -x c++ - >/dev/null 2>&1; then good "<$header>"
  else fail "<$header> is not found" "make deps"; fi
done
if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then good "$("$python" --version) at $python"
else fail "no Python 3.11 or later at $python" "make deps, or make PYTHON=/path/to/python3"; fi
for module in pytest pytest_timeout rich; do
  if "$python" -c "import $module" 2>/dev/null; then good "Python module $module"
  else fail "Python module $module is not there for $python" "make deps (and leave PYTHON alone: other Pythons lack it)"; fi
done
for tool in wrk curl ab strace clang++; do
  if command -v $tool >/dev/null; then good "$tool"; else note "no $tool: what needs it is skipped" "make deps"; fi
done
for tool in nginx apache2 perf; do
  if command -v $tool >/dev/null || [ -x /usr/sbin/$tool ]; then good "$tool"
  else note "no $tool: make bench goes on without it" "make deps"; fi
done

echo "limits"
files=$(ulimit -Hn)
if [ "$files" = unlimited ] || [ "$files" -ge 20000 ]; then good "descriptors per process: $files"
elif [ "$files" -ge 4096 ]; then note "descriptors per process: $files; ten thousand connections need 20000" "ulimit -Hn 20000 as root, or 'nofile' in /etc/security/limits.conf"
else fail "descriptors per process: $files; the harness needs 4096" "ulimit -Hn 20000 as root, or 'nofile' in /etc/security/limits.conf"; fi
somaxconn=$(cat /proc/sys/net/core/somaxconn 2>/dev/null || echo 0)
if [ "$somaxconn" -ge 4096 ]; then good "net.core.somaxconn: $somaxconn"
else note "net.core.somaxconn: $somaxconn; large backlogs are cut" "sysctl -w net.core.somaxconn=4096"; fi
cores=$(nproc)
if [ "$cores" -ge 2 ]; then good "$cores cores"
else note "one core: make bench cannot keep server and client apart" "a machine with two"; fi

processes=$(ulimit -u)
if [ "$processes" = unlimited ] || [ "$processes" -ge 1024 ]; then good "processes and threads: $processes"
else note "processes and threads: $processes; a process or thread per client needs more" "ulimit -u 4096, or 'nproc' in /etc/security/limits.conf"; fi
space=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
if [ "${space:-0}" -ge 1000 ]; then good "free disk space here: $space MiB"
else note "free disk space here: ${space:-?} MiB; builds and make watch want 1000" "make clean, or another disk"; fi
if deadlines=$("$python" -c 'from harness import clock; print(f"{clock.calibrate():.1f}")' 2>/dev/null); then
  good "deadlines of the checks: x $deadlines on this machine"
else note "the harness does not start" "what Python modules does the list above lack?"; fi

echo "ports"
for port in 8080 8081; do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then note "port $port is taken" "make run STAGE=06 PORT=8090, wherever a text says 8080 (who has it: ss -ltnp 'sport = :$port')"
  else good "port $port is free"; fi
done
read -r lowest highest </proc/sys/net/ipv4/ip_local_port_range || { lowest=0; highest=65535; }
if [ $((highest - lowest)) -ge 20000 ]; then good "ports for clients: $lowest to $highest"
else note "ports for clients: $lowest to $highest; ten thousand connections want more" "sysctl -w net.ipv4.ip_local_port_range='32768 60999'"; fi

echo "permissions"
if sleep 5 & pid=$!; strace -p $pid -o /dev/null -e trace=none 2>/dev/null & tracer=$!; sleep 0.3; kill -0 $tracer 2>/dev/null; then
  good "ptrace: strace can attach"
else note "strace cannot attach: checks that make system calls fail are skipped" "sysctl -w kernel.yama.ptrace_scope=0"; fi
kill $tracer $pid 2>/dev/null; wait 2>/dev/null
if unshare --user --map-root-user --net true 2>/dev/null; then good "unshare: a network namespace for tests of the texts' commands"
else note "unshare may not make a network namespace: the texts' commands run beside your own servers" "sysctl -w kernel.unprivileged_userns_clone=1 (Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0)"; fi
if command -v perf >/dev/null && perf stat -e raw_syscalls:sys_enter true >/dev/null 2>&1; then good "perf counts system calls"
else note "perf cannot count system calls: make bench leaves these columns empty" "run as root, or sysctl -w kernel.perf_event_paranoid=-1"; fi
if [ -r /proc/self/syscall ]; then good "/proc/PID/syscall shows what a process waits in"
else note "/proc/PID/syscall is not readable: checks of the technique see less" "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK, outside gVisor"; fi

[ $bad = 0 ] && echo "all that this kit needs is here"
exit $bad
