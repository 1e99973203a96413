#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's Exim (exim4-daemon-heavy) as a peer; see common.sh for the verbs. The configuration is its own and small, all
# in its favour: no DNS, no TLS, no ident, no limits, split spool directory, immediate delivery however many mails come
# over one connection.
. "$(dirname "$0")/common.sh"

peer_prepare() {
	root_make
	with_root prepare_mounted
}

peer_mounts() {
	mkdir -p "$root/var/spool/exim4"
	mount --bind "$queue" "$root/var/spool/exim4"
}

prepare_mounted() {
	echo 'exim4-config exim4/dc_eximconfig_configtype select no configuration at this time' |
		in_root debconf-set-selections
	root_install exim4-daemon-heavy
	root_users
	: >"$root/etc/resolv.conf"
	printf '127.0.0.1 localhost mail.bench.test\n' >"$root/etc/hosts"
	in_root install -d -o Debian-exim -g adm -m 2750 /var/log/exim4
	in_root install -d -o Debian-exim -g Debian-exim -m 750 /var/spool/exim4
	printf 'postmaster: u0\n' >"$root/etc/aliases"
}

configuration() {
	[ "$1" != held ] || echo 'queue_only = true'
	cat <<-'EOF'
		primary_hostname = mail.bench.test
		qualify_domain = bench.test
		domainlist local_domains = bench.test : mail.bench.test : localhost
		exim_user = Debian-exim
		exim_group = Debian-exim
		spool_directory = /var/spool/exim4
		log_file_path = /var/log/exim4/%slog
		acl_smtp_rcpt = acl_rcpt
		allow_domain_literals = true
		host_lookup =
		rfc1413_query_timeout = 0s
		tls_advertise_hosts =
		disable_ipv6 = true
		split_spool_directory = true
		smtp_accept_max = 0
		smtp_accept_max_nonmail = 1000
		smtp_accept_queue = 0
		smtp_accept_queue_per_connection = 0
		smtp_connect_backlog = 1000
		recipients_max = 0
		queue_run_max = 0
		remote_max_parallel = 20
		message_size_limit = 100M
		ignore_bounce_errors_after = 2d
		begin acl
		acl_rcpt:
		  accept
		begin routers
		literals:
		  driver = ipliteral
		  domains = ! +local_domains
		  transport = remote_smtp
		aliases:
		  driver = redirect
		  data = ${lookup{$local_part}lsearch{/etc/aliases}}
		local_user:
		  driver = accept
		  domains = +local_domains
		  check_local_user
		  transport = mailbox
		begin transports
		remote_smtp:
		  driver = smtp
		  port = 2525
		  hosts_avoid_tls = *
		mailbox:
		  driver = appendfile
		  file = /var/mail/$local_part_data
		  group = mail
		  mode = 0660
		  delivery_date_add
		  envelope_to_add
		  return_path_add
		begin retry
		* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
	EOF
}

peer_start() {
	configuration "$1" >"$root/etc/exim4/exim4.conf"
	chroot "$root" /usr/sbin/exim4 -bdf -q30m >"$dir/start.log" 2>&1 &
}

# Its own process namespace, so that no other Exim is meant. A delivery that goes on would write what is deleted.
peer_halt() {
	tries=300
	while in_root pkill -x exim4 && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
}

peer_empty() {
	peer_halt
	find "$queue" -type f -delete
	read -r mode <"$dir/mode"
	peer_start "$mode"
	await_port
}

peer_version() {
	awk '/^Package: / { at = $2 == "exim4-daemon-heavy" } at && /^Version: / { print "Exim " $2 }' \
		"$dir/upper/var/lib/dpkg/status"
}

peer_main "$@"
