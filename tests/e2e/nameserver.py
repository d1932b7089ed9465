"""A DNS server on loopback: A and SRV records that a test may change while it is asked (RFC 1035 §4.1, RFC 2782)."""

import errno
import pathlib
import random
import socket
import struct
import subprocess
import threading

A, SRV = 1, 33
RESOLV_CONF = "/etc/resolv.conf"


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class NameServer:
    """`records`: {(name, type): [data]}. Everything it does not know does not exist."""

    def __init__(self, ttl=1):
        self.records, self.ttl, self.questions = {}, ttl, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._bind()
        threading.Thread(target=self._serve, daemon=True).start()

    def _bind(self):
        """resolv.conf names no port, so it is the address that is chosen."""
        for _ in range(100):
            self.ip = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
            try:
                return self.socket.bind((self.ip, 53))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise AssertionError("no address is free")

    def address(self, name, ip="127.0.0.1"):
        self.records[(name, A)] = [socket.inet_aton(ip)]

    def service(self, name, *targets):
        """`targets`: (priority, weight, port, name); replaces what was there."""
        self.records[(name, SRV)] = [struct.pack("!HHH", *numbers) + encoded(target) for *numbers, target in targets]

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(1024)
            except OSError:
                return
            if len(query) > 12:
                self.questions += 1
                self.socket.sendto(self._answer(query), client)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        [kind] = struct.unpack("!H", query[at + 1 : at + 3])
        name, records = ".".join(labels), dict(self.records)
        found = records.get((name, kind), [])
        code = 0 if any(known == name for known, _ in records) else 3  # NXDOMAIN
        answer = query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0) + query[12 : at + 5]
        for data in found:
            answer += struct.pack("!HHHIH", 0xC00C, kind, 1, self.ttl, len(data)) + data
        return answer

    def command(self, folder):
        """What to put in front of a program, so that it asks this server: the system's file, replaced for it alone."""
        path = pathlib.Path(folder) / "resolv.conf"
        path.write_text(f"nameserver {self.ip}\n")
        path.chmod(0o644)
        return ["unshare", "--mount", "sh", "-c", f'mount --bind "$0" {RESOLV_CONF} && exec "$@"', str(path)]

    @staticmethod
    def usable():
        probe = ["unshare", "--mount", "mount", "--bind", RESOLV_CONF, RESOLV_CONF]
        try:
            NameServer().stop()
            return subprocess.run(probe, capture_output=True).returncode == 0
        except OSError:
            return False

    def stop(self):
        self.socket.close()
