# SPDX-License-Identifier: Apache-2.0
"""A DNS server for tests that knows one table, over UDP and TCP.

    zone = {
        "example.test": {"MX": ["10 mx.example.test."]},
        "mx.example.test": {"A": ["127.0.0.1"]},
        "broken.test": SERVFAIL,
        "silent.test": SILENT,
    }
    with FakeDns(zone) as dns:
        resolv_conf.write_text(dns.resolv_conf)

A name that is not in the table is NXDOMAIN; one without the type asked for gives an empty answer. A CNAME is followed
within the table. The table may be changed while the server runs (answers are kept by the asker for their TTL, 0 here).
"""
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SERVFAIL, REFUSED, NXDOMAIN = dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NXDOMAIN
SILENT = "silent"


class FakeDns:
    """queries: (name, type) as text, in the order they came."""

    def __init__(self, zone, address="127.0.0.1", port=0, ttl=0):
        self.zone, self.address, self.port, self.ttl = dict(zone), address, port, ttl
        self.queries = []

    @property
    def resolv_conf(self):
        return f"nameserver {self.address}@{self.port}\n"

    def find(self, name):
        return self.zone.get(name.to_text(omit_final_dot=True).lower())

    def answer(self, wire):
        """The answer as bytes, or None for silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, rdtype = question.name, question.rdtype
        self.queries.append((name.to_text(omit_final_dot=True), dns.rdatatype.to_text(rdtype)))
        reply = dns.message.make_response(query, recursion_available=True)
        for _ in range(8):  # a chain of CNAMEs may be a circle
            entry = self.find(name)
            if entry == SILENT:
                return None
            if entry is None or isinstance(entry, dns.rcode.Rcode):
                reply.set_rcode(NXDOMAIN if entry is None else entry)
                break
            alias = entry.get("CNAME")
            kind = "CNAME" if alias else dns.rdatatype.to_text(rdtype)
            if kind in entry:
                texts = [alias] if isinstance(alias, str) else entry[kind]
                reply.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", kind, texts))
            if not alias or rdtype == dns.rdatatype.CNAME:
                break
            name = dns.name.from_text(alias if isinstance(alias, str) else alias[0])
        return reply.to_wire()

    def serve_udp(self):
        while True:
            try:
                wire, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            reply = self.answer(wire)
            if reply:
                self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while len(size := stream.read(2)) == 2:
                    reply = self.answer(stream.read(struct.unpack("!H", size)[0]))
                    if reply:
                        connection.sendall(struct.pack("!H", len(reply)) + reply)

    def __enter__(self):
        self.tcp = socket.create_server((self.address, self.port))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, self.port))
        self.threads = [threading.Thread(target=serve, daemon=True) for serve in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, self.port))  # an empty datagram ends the thread
        self.threads[0].join()
        self.udp.close()
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
