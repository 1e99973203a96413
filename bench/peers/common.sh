# SPDX-License-Identifier: Apache-2.0
# What the peer scripts share: a root over the machine's own, namespaces, a control group, and the counters.
#
# A peer is a shell script that sources this file, defines the functions
#	peer_prepare   once: fill the root, make configuration and users
#	peer_start     inside the namespaces: start the server in mode $1: deliver; held (accepts, delivers nothing);
#	               what else a mode changes the peer says
#	peer_halt      inside the namespaces: stop it, as an administrator would; where restarts are measured
#	peer_empty     inside the namespaces: forget all queued mail; the server serves when it returns
#	peer_mounts    more mounts in the root, when there is one
#	peer_version   one line for the table
# and ends with: peer_main "$@". Its verbs:
#	prepare DIR; run DIR MODE (until standard input ends; mode "files": nothing is started); empty DIR; halt DIR;
#	resume DIR; cpu DIR (seconds); pss DIR (kB); delivered DIR (messages in mailboxes); version DIR
# DIR is a scratch directory on the disk that is measured; DIR/mail has the mailboxes, DIR/pid and DIR/cgroup are
# there while it serves. Everything runs in mount, network and process namespaces of its own: when the run ends,
# whatever it started is gone with them.
# BENCH_BUILD: the build directory.

set -eu
BENCH_USERS=100
BENCH_PORT=25

peer_main() {
	self=$(realpath "$0") verb=$1 dir=$2
	root=$dir/root queue=$dir/spool mail=$dir/mail log=$dir/log
	shift 2
	case $verb in
	prepare) mkdir -p "$queue" "$mail" "$log" && peer_prepare ;;
	run) peer_run "$1" ;;
	process_1) peer_process_1 "$1" ;;
	inside) "$@" ;;
	empty) inside peer_empty && empty_mailboxes ;;
	halt) inside peer_halt ;;
	resume) inside resume ;;
	cpu) peer_cpu ;;
	pss) peer_pss ;;
	delivered) mailboxes -exec cat {} + 2>/dev/null | grep -c '^From ' || true ;; # grep says "no" to none
	version) peer_version ;;
	*) echo "$0: unknown verb: $verb" >&2; exit 64 ;;
	esac
}

# Namespaces.

peer_run() {
	rm -f "$dir/pid"
	cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/postrider-bench.$$
	mkdir "$cgroup" 2>/dev/null && echo "$cgroup" >"$dir/cgroup" # not for ordinary users: then nothing is counted
	echo "$1" >"$dir/mode"
	(
		[ ! -e "$dir/cgroup" ] || echo 0 >"$cgroup/cgroup.procs"
		exec unshare --mount --net --pid --fork --kill-child=KILL -- "$self" process_1 "$dir" "$1"
	) || true # how a stopped namespace ends says nothing
	tries=50
	while [ -d "$cgroup" ] && ! rmdir "$cgroup" 2>/dev/null && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
	rm -f "$dir/pid" "$dir/cgroup" "$dir/mode"
}

# The first process of the namespace: its end is the end of all others.
peer_process_1() {
	read -r pid _ </proc/self/stat # in the machine's numbering: its /proc is still the one mounted
	ip link set lo up
	ip route add local 10.0.0.0/8 dev lo # next hops of relay measurements: all of them are here
	[ ! -d "$root" ] || root_mount
	if [ "$1" != files ]; then
		peer_start "$1"
		await_port
	fi
	echo "$pid" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
	cat >/dev/null
}

await_port() {
	tries=300
	until grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$BENCH_PORT") [0-9A-F]*:0000 0A " /proc/net/tcp; do
		[ $((tries -= 1)) -gt 0 ] || { echo "$0: nothing listens on port $BENCH_PORT" >&2; return 1; }
		sleep 0.1
	done
}

resume() {
	read -r mode <"$dir/mode"
	peer_start "$mode"
}

# In the control group too: a server that is started anew is counted like the first.
inside() {
	(
		[ ! -e "$dir/cgroup" ] || echo 0 >"$(cat "$dir/cgroup")/cgroup.procs"
		exec nsenter --target "$(cat "$dir/pid")" --mount --net --pid -- "$self" inside "$dir" "$@"
	)
}

in_root() {
	chroot "$root" /usr/bin/env -i LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

root_make() { mkdir -p "$root" "$dir/upper" "$dir/work"; }

# The machine's own files below, writes above: the machine's /etc and package database stay as they are.
root_mount() {
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$root"
	mount -t tmpfs -o mode=755 dev "$root/dev"
	for node in null zero full random urandom tty; do
		: >"$root/dev/$node"
		mount --bind "/dev/$node" "$root/dev/$node"
	done
	mount -t tmpfs -o mode=755 run "$root/run"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mkdir -p "$root/var/mail"
	mount --bind "$mail" "$root/var/mail" # straight on the disk, not through the overlay
	mount --bind "$log" "$root/var/log"
	mount -t proc proc "$root/proc"
	peer_mounts
}

# Runs a function with the root mounted but on the machine's network: to fetch packages.
with_root() {
	unshare --mount --pid --fork --kill-child=KILL -- "$self" inside "$dir" with_root_mounted "$@"
}
with_root_mounted() {
	root_mount && "$@"
}

# Packages from the machine's sources, into the root alone; nothing is started by their scripts.
root_install() {
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	set -- apt-get -q -y --no-install-recommends install "$@"
	in_root DEBIAN_FRONTEND=noninteractive "$@" >"$dir/apt.log" 2>&1 ||
		{ in_root apt-get -q update && in_root DEBIAN_FRONTEND=noninteractive "$@"; } >>"$dir/apt.log" 2>&1 ||
		{ tail -n 20 "$dir/apt.log" >&2; return 1; }
}

# u0, u1, ... with homes and empty mailboxes.
root_users() {
	n=0
	while [ $n -lt $BENCH_USERS ]; do
		uid=$((60000 + n))
		echo "u$n:x:$uid:$uid::/home/u$n:/bin/sh" >>"$root/etc/passwd"
		echo "u$n:x:$uid:" >>"$root/etc/group"
		echo "u$n:*:19000::::::" >>"$root/etc/shadow"
		install -d -o $uid -g $uid "$root/home/u$n"
		install -m 660 -o $uid -g mail /dev/null "$mail/u$n"
		n=$((n + 1))
	done
	chgrp mail "$mail" && chmod 2775 "$mail"
}

# Counters.

mailboxes() { find "$mail" -type f ! -name '*.lock*' "$@"; } # Exim's lock files have more behind it

empty_mailboxes() { mailboxes -exec truncate -s 0 {} +; }

peer_cpu() {
	[ ! -e "$dir/cgroup" ] || awk '$1 == "usage_usec" { printf "%.6f\n", $2 / 1e6 }' "$(cat "$dir/cgroup")/cpu.stat"
}

peer_pss() {
	[ -e "$dir/cgroup" ] || return 0
	while read -r pid; do
		cat "/proc/$pid/smaps_rollup" 2>/dev/null || true # it may be gone by now
	done <"$(cat "$dir/cgroup")/cgroup.procs" | awk '$1 == "Pss:" { kb += $2 } END { print kb + 0 }'
}
