#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The do-nothing server as a peer: the limit of the load generator.
. "$(dirname "$0")/common.sh"

peer_prepare() { :; }
peer_start() { "$BENCH_BUILD/bench/nullsmtp" -p "$BENCH_PORT" >"$dir/start.log" 2>&1 & }
peer_empty() { :; }
peer_version() { echo "nullsmtp (keeps nothing)"; }

peer_main "$@"
