#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The bare group-commit probe as a peer: what this disk and machine allow. It delivers nothing, in either mode.
. "$(dirname "$0")/common.sh"

peer_prepare() { :; }
peer_start() {
	"$BENCH_BUILD/bench/probe" -f "$queue/log" -z 256 -p "$BENCH_PORT" >"$dir/start.log" 2>&1 &
}
peer_empty() { :; }
peer_version() { echo "probe (group commit only)"; }

peer_main "$@"
