"""A witness of transparency logs (C2SP tlog-witness) that holds what it has signed in memory."""

import base64
import hashlib
import http.server
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(older, older_root, newer, newer_root, proof):
    """RFC 9162 section 2.1.4.2."""
    if older == newer:
        return not proof and older_root == newer_root
    if older == 0:
        return not proof
    if older & (older - 1) == 0:
        proof = [older_root, *proof]
    fn, sn = older - 1, newer - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == older_root and sr == newer_root


class Witness:
    def __init__(self, name="witness.example/w1"):
        self.name, self.private = name, Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
        self.vkey = "%s+%s+%s" % (name, self.id.hex(), base64.b64encode(b"\x04" + public).decode())
        self.seen = {}  # origin -> (size, root)
        self.answers, self.posted = [], []
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, text = witness.judge(body) if self.path.endswith("/add-checkpoint") else (200, witness.take(body))
                witness.answers.append(status)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = "http://127.0.0.1:%d/prefix" % self.server.server_port

    def take(self, body):
        self.posted.append(body)
        return b""

    def judge(self, body):
        head, _, note = body.partition(b"\n\n")
        lines = head.decode().split("\n")
        older, proof = int(lines[0].removeprefix("old ")), [base64.b64decode(line) for line in lines[1:]]
        text = note.decode().partition("\n\n")[0] + "\n"
        origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root)
        known = self.seen.get(origin, (0, hashlib.sha256(b"").digest()))
        if older != known[0]:
            return 409, b"%d\n" % known[0]
        if not consistent(older, known[1], size, root, proof):
            return 422, b""
        self.seen[origin] = (size, root)
        now = int(time.time())
        signature = self.private.sign(b"cosignature/v1\ntime %d\n" % now + text.encode())
        line = base64.b64encode(self.id + now.to_bytes(8, "big") + signature).decode()
        return 200, ("\u2014 %s %s\n" % (self.name, line)).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
