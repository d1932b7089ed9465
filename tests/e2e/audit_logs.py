"""Audit logs as docs/audit-log.md describes them, written apart from both verifiers, and ways to spoil one."""

import base64
import hashlib
import json
import os
import pathlib
import shutil

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def root_of(hashes):
    """RFC 9162 section 2.1.1, as it is written there."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + root_of(hashes[:k]) + root_of(hashes[k:])).digest()


class Signer:
    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"seed %d" % seed).digest())
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.name = "gatehouse/audit/" + hashlib.sha256(public).hexdigest()[:16]
        data = b"\x01" + public
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        self.vkey = "%s+%s+%s" % (self.name, self.id.hex(), base64.b64encode(data).decode())

    def note(self, hashes, origin=None, size=None):
        body = "%s\n%d\n%s\n" % (
            origin or self.name, len(hashes) if size is None else size, base64.b64encode(root_of(hashes)).decode())
        signature = base64.b64encode(self.id + self.private.sign(body.encode())).decode()
        return ("%s\n\u2014 %s %s\n" % (body, self.name, signature)).encode()


def entry_of(random, sequence):
    value = {
        "action": random.choice(["user.create", "request.denied", "keys.rotate", "ban.add"]),
        "actor": random.choice(["admin:uid=0", "user:01j" + "0" * random.randrange(4), "system", "\u00fc\u2028\U0001f600"]),
        "kind": random.choice(["administration", "denial"]),
        "outcome": random.choice(["ok", "refused"]),
        "request_id": "",
        "sequence": sequence,
        "target": "\"\\" * random.randrange(3),
        "time": "2026-11-29T15:%02d:00.000000Z" % (sequence % 60),
        "version": 1,
    }
    if random.random() < 0.5:
        value["details"] = {"reason": "r" * random.randrange(30)}
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def item(data):
    return len(data).to_bytes(2, "big") + data


def frame(first, entries, note):
    bundle, sealed = b"".join(map(item, entries)), item(b"") * len(entries)
    data = b"GHAUDIT1" + first.to_bytes(8, "big") + len(entries).to_bytes(4, "big")
    data += b"".join(len(part).to_bytes(4, "big") for part in (bundle, sealed, note)) + bundle + sealed + note
    return data + hashlib.sha256(data).digest()


def number_path(index):
    text = "%03d" % (index % 1000)
    while index >= 1000:
        index //= 1000
        text = "x%03d/%s" % (index % 1000, text)
    return text


class Log:
    """A log of `size` published entries and batches of `behind` in its journal."""

    def __init__(self, folder, signer, random, size, behind=()):
        self.folder, self.signer = pathlib.Path(folder), signer
        self.entries = [entry_of(random, i) for i in range(size + sum(behind))]
        self.hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in self.entries]
        self.size = size
        self.publish()
        data, at = b"", size
        for count in behind:
            data += frame(at, self.entries[at : at + count], signer.note(self.hashes[: at + count]))
            at += count
        self.write("journal/%020d" % size, data)

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def note(self, size):
        return self.signer.note(self.hashes[:size])

    def publish(self):
        self.write("checkpoint", self.note(self.size))
        row, level = self.hashes[: self.size], 0
        while row:
            for at in range(0, len(row), 256):
                part = row[at : at + 256]
                name = number_path(at // 256) + ("" if len(part) == 256 else ".p/%d" % len(part))
                self.write("tile/%d/%s" % (level, name), b"".join(part))
                if level == 0:
                    self.write("tile/entries/" + name, b"".join(map(item, self.entries[at : at + len(part)])))
            row = [root_of(row[at : at + 256]) for at in range(0, len(row) - len(row) % 256, 256)]
            level += 1

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def flip(random, log):
    path = random.choice([path for path in log.files() if path.stat().st_size])
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def cut(random, log):
    path = random.choice([path for path in log.files() if path.stat().st_size])
    os.truncate(path, random.randrange(path.stat().st_size))


def lengthen(random, log):
    path = random.choice(log.files())
    path.write_bytes(path.read_bytes() + random.choice([b"\0", b"\n", b"GHAUDIT1", random.randbytes(40)]))


def remove(random, log):
    random.choice(log.files()).unlink()


def swap(random, log):
    one, other = random.choice(log.files()), random.choice(log.files())
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def change_entry(random, log):
    """An entry, its hash and every tile, as whoever lacks the key would."""
    if log.entries:
        at = random.randrange(len(log.entries))
        log.entries[at] = log.entries[at].replace(b'"version":1', b'"version":2')
        log.hashes[at] = hashlib.sha256(b"\x00" + log.entries[at]).digest()
    note = (log.folder / "checkpoint").read_bytes()
    log.publish()
    (log.folder / "checkpoint").write_bytes(note)


def other_key(random, log):
    log.write("checkpoint", Signer(random.randrange(1 << 30)).note(log.hashes[: log.size]))


def other_size(random, log):
    log.write("checkpoint", log.signer.note(log.hashes[: log.size], size=random.randrange(log.size + 3)))


def other_origin(_, log):
    log.write("checkpoint", log.signer.note(log.hashes[: log.size], origin="example.com/other"))


def older_checkpoint(random, log):
    log.write("checkpoint", log.note(random.randrange(log.size + 1)))


def wrong_sequence(random, log):
    """Signed, so it is the log that lies."""
    if log.entries:
        at = random.randrange(len(log.entries))
        log.entries[at] = log.entries[at].replace(b'"sequence":%d' % at, b'"sequence":%d' % random.choice([at + 1, 7]))
        log.hashes[at] = hashlib.sha256(b"\x00" + log.entries[at]).digest()
    log.publish()


def bad_form(random, log):
    if log.size:
        at = random.randrange(log.size)
        log.entries[at] = random.choice([b"", b"[]", b"{", b"null", b'{"sequence":%d,"a":1}' % at, b'{"sequence":%d}' % at,
                                         b'{"sequence":%d,"sequence":%d}' % (at, at), b'{"sequence":%d.0}' % at,
                                         b'{"sequence":"%d"}' % at, b"\xff\xfe", b'{"sequence":true}',
                                         b'{"a":{"c":1,"b":2},"sequence":%d}' % at])
        log.hashes[at] = hashlib.sha256(b"\x00" + log.entries[at]).digest()
    log.publish()


def journal_gap(random, log):
    count = random.randrange(1, 4)
    first = len(log.entries) + random.choice([-1, 1, 5])
    if first >= 0:
        entries = [entry_of(random, first + i) for i in range(count)]
        path = log.folder / ("journal/%020d" % log.size)
        path.write_bytes(path.read_bytes() + frame(first, entries, log.signer.note(log.hashes)))


def journal_unsigned(random, log):
    entries = [entry_of(random, len(log.entries))]
    hashes = log.hashes + [hashlib.sha256(b"\x00" + entries[0]).digest()]
    note = random.choice([Signer(1 << 31).note(hashes), log.signer.note(log.hashes), log.signer.note(hashes)[:-2], b""])
    path = log.folder / ("journal/%020d" % log.size)
    path.write_bytes(path.read_bytes() + frame(len(log.entries), entries, note))


def no_journal(_, log):
    shutil.rmtree(log.folder / "journal")


def nothing(_, __):
    pass


TAMPERINGS = [nothing, flip, flip, flip, cut, lengthen, remove, swap, change_entry, other_key, other_size, other_origin,
              older_checkpoint, wrong_sequence, bad_form, journal_gap, journal_unsigned, no_journal]
