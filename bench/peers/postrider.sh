#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Postrider as a peer: installed from BENCH_BUILD into a root of its own and set up as that root's mail system,
# with its own uids and port 25. BENCH_SANDBOX not empty: postriderd --sandbox straight from the build instead.
. "$(dirname "$0")/common.sh"

peer_prepare() {
	if [ -n "${BENCH_SANDBOX:-}" ]; then
		sandbox_prepare
	else
		root_make
		DESTDIR=$dir/upper meson install -C "$BENCH_BUILD" --no-rebuild --quiet
		with_root prepare_mounted
	fi
}

peer_mounts() {
	mkdir -p "$root/var/spool/postrider"
	mount --bind "$queue" "$root/var/spool/postrider"
}

prepare_mounted() {
	root_users
	echo bench.test >"$root/etc/mailname"
	: >"$root/etc/resolv.conf"
	printf '127.0.0.1 localhost mail.bench.test\n' >"$root/etc/hosts"
	in_root postrider setup --replace >"$dir/setup.log" 2>&1 || { tail -n 20 "$dir/setup.log" >&2; return 1; }
}

# The sandbox is DIR itself: its spool, mail and log are where common.sh has them.
sandbox_prepare() {
	mkdir -p "$dir/etc"
	n=0
	while [ $n -lt $BENCH_USERS ]; do
		mkdir -p "$dir/home/u$n"
		echo "u$n:x:$(id -u):$(id -g)::$dir/home/u$n:/bin/sh"
		n=$((n + 1))
	done >"$dir/etc/users"
	echo 'postmaster: u0' >"$dir/etc/aliases"
}

# The settings that a measurement needs, and no others. Next hops are address literals, on the sink's port. retry: what
# failed is tried again soon, so that attempts fall into the measured time.
settings() {
	printf '[main]\nhost_name = mail.bench.test\norigin = bench.test\n'
	printf '[smtpd]\nlisten = 127.0.0.1:%d\n' "$BENCH_PORT"
	printf 'max_recipients = 100000\n[smtp]\nport = 2525\n[message]\nmax_size = 100m\n'
	printf '[queue]\nmax_per_uid = 1000000\n'
	case $1 in
	held) printf 'paused = yes\n' ;;
	retry) printf 'retry_min = 30s\n' ;;
	esac
}

peer_start() {
	if [ -n "${BENCH_SANDBOX:-}" ]; then
		settings "$1" >"$dir/etc/postrider.conf"
		"$BENCH_BUILD/src/supervisor/postriderd" --sandbox "$dir" >"$dir/start.log" 2>&1 &
	else
		settings "$1" >"$root/etc/postrider/postrider.conf"
		chroot "$root" "$(in_root sh -c 'command -v postriderd')" >"$dir/start.log" 2>&1 &
	fi
	echo $! >"$dir/server.pid"
}

peer_halt() {
	read -r server <"$dir/server.pid"
	kill "$server"
	tries=300
	while kill -0 "$server" 2>/dev/null && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
}

# A new start on an empty spool: how fast mail is deleted is not what is measured.
peer_empty() {
	peer_halt
	find "$queue" -type f -delete
	read -r mode <"$dir/mode"
	peer_start "$mode"
	await_port
}

peer_version() {
	meson introspect "$BENCH_BUILD" --projectinfo | sed 's/.*"version": "\([^"]*\)".*/Postrider \1/'
}

peer_main "$@"
