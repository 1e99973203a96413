#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's Postfix as a peer; see common.sh for the verbs. Differences from the package's settings stand in
# peer_configure, all in its favour: enough processes, no brake on intake, no TLS, no DNS.
. "$(dirname "$0")/common.sh"

peer_prepare() {
	root_make
	with_root prepare_mounted
}

peer_mounts() {
	mkdir -p "$root/var/spool/postfix"
	mount --bind "$queue" "$root/var/spool/postfix"
}

prepare_mounted() {
	echo 'postfix postfix/main_mailer_type select Local only' | in_root debconf-set-selections
	root_install postfix
	root_users
	: >"$root/etc/resolv.conf"
	printf '127.0.0.1 localhost mail.bench.test\n' >"$root/etc/hosts"
	peer_configure
}

peer_configure() {
	in_root postconf -e compatibility_level=3.6 \
		myhostname=mail.bench.test 'mydestination=bench.test, $myhostname, localhost' \
		mynetworks=127.0.0.0/8 inet_protocols=ipv4 inet_interfaces=all relayhost= \
		disable_dns_lookups=yes smtpd_tls_security_level=none smtp_tls_security_level=none \
		default_process_limit=250 in_flow_delay=0 local_destination_concurrency_limit=20 \
		default_destination_concurrency_limit=100 initial_destination_concurrency=20 \
		default_transport=smtp relay_transport=smtp smtpd_recipient_limit=100000 smtp_tcp_port=2525 message_size_limit=104857600 \
		mailbox_size_limit=0 mailbox_command= maillog_file=/var/log/mail.log
	in_root newaliases
}

# held: every mail goes to the hold queue, which costs Postfix less than deferring it. idle: enough processes for a
# thousand sessions.
peer_start() {
	held=
	[ "$1" = held ] && held='check_client_access static:HOLD'
	processes=250
	[ "$1" = idle ] && processes=1200
	in_root postconf -e "smtpd_client_restrictions=$held" default_process_limit=$processes
	in_root /usr/lib/postfix/configure-instance.sh -
	chroot "$root" /usr/sbin/postfix start >"$dir/start.log" 2>&1 &
}

peer_halt() { in_root postfix stop >>"$dir/start.log" 2>&1; }

peer_empty() { in_root postsuper -d ALL >"$dir/empty.log" 2>&1; }

peer_version() {
	awk '/^Package: / { at = $2 == "postfix" } at && /^Version: / { print "Postfix " $2 }' \
		"$dir/upper/var/lib/dpkg/status"
}

peer_main "$@"
