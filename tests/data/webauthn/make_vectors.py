#!/usr/bin/env python3
"""Writes vectors.json: registrations and assertions of a software authenticator, right ones and wrong ones.

python-fido2 judges each (`peer`): what we accept it must accept. Where it accepts what we refuse, the case says so in
`stricter`, and the generator stops when that is no longer true, or when it refuses more than we do.
"""

import base64
import datetime
import hashlib
import json
import pathlib
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from fido2 import cbor
from fido2.client import ClientData
from fido2.cose import CoseKey
from fido2.ctap2 import AttestationObject, AttestedCredentialData, AuthenticatorData
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity

RP, ORIGIN = "login.example", "https://login.example"
CHALLENGE = bytes(range(32))
OWNER = b"01J0000000000000000000USER"
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80
ID = b"credential-0123456789"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Authenticator:
    def __init__(self, kind):
        self.kind = kind
        if kind == "es256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        elif kind == "eddsa":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, 2048 if kind == "rs256" else 1024)
        public = self.private.public_key()
        if kind == "es256":
            numbers = public.public_numbers()
            self.cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        elif kind == "eddsa":
            self.cose = {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw() if hasattr(public, "public_bytes_raw") else raw(public)}
        else:
            numbers = public.public_numbers()
            self.cose = {1: 3, 3: -257, -1: numbers.n.to_bytes(numbers.n.bit_length() // 8, "big"), -2: b"\x01\x00\x01"}

    def sign(self, message):
        if self.kind == "es256":
            return self.private.sign(message, ec.ECDSA(hashes.SHA256()))
        if self.kind == "eddsa":
            return self.private.sign(message)
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


def raw(public):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def client_data(kind, **changes):
    fields = {"type": kind, "challenge": b64(CHALLENGE), "origin": ORIGIN, "crossOrigin": False}
    fields.update(changes)
    return json.dumps({k: v for k, v in fields.items() if v is not None}, separators=(",", ":")).encode()


def head(flags, counter, rp=RP):
    return hashlib.sha256(rp.encode()).digest() + struct.pack(">BI", flags, counter)


def attested(cose, credential_id=ID, aaguid=bytes(16), size=None):
    return aaguid + struct.pack(">H", len(credential_id) if size is None else size) + credential_id + cbor.encode(cose)


def registration(key, flags=UP | UV | AT, counter=0, client=None, cose=None, tail=b"", rp=RP, credential_id=ID,
                 object_id=None, fmt="none", statement=None, object_tail=b"", size=None, members=None, **json_changes):  # fmt: skip
    client = client_data("webauthn.create") if client is None else client
    data = head(flags, counter, rp)
    if flags & AT:
        data += attested(key.cose if cose is None else cose, credential_id if object_id is None else object_id, size=size)
    data += tail
    if statement is None:
        statement = {}
        if fmt == "packed":
            statement = {"alg": key.cose[3], "sig": key.sign(data + hashlib.sha256(client).digest())}
    encoded = cbor.encode({"fmt": fmt, "attStmt": statement, "authData": data}) if members is None else members(data)
    response = {"clientDataJSON": b64(client), "attestationObject": b64(encoded + object_tail), "transports": ["usb", "nfc", "<script>"]}
    message = {"id": b64(credential_id), "rawId": b64(credential_id), "type": "public-key", "response": response,
               "clientExtensionResults": {}}  # fmt: skip
    message.update(json_changes)
    return message


def assertion(key, flags=UP | UV, counter=1, client=None, tail=b"", rp=RP, credential_id=ID, handle=OWNER,
              signature=None, **json_changes):  # fmt: skip
    client = client_data("webauthn.get") if client is None else client
    data = head(flags, counter, rp) + tail
    signed = key.sign(data + hashlib.sha256(client).digest()) if signature is None else signature
    response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signed)}
    if handle is not None:
        response["userHandle"] = b64(handle)
    message = {"id": b64(credential_id), "rawId": b64(credential_id), "type": "public-key", "response": response}
    message.update(json_changes)
    return message


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


SERVER = Fido2Server(PublicKeyCredentialRpEntity(RP, "Login"), verify_origin=lambda origin: origin == ORIGIN)
STATE = {"challenge": b64(CHALLENGE), "user_verification": "required"}


def peer_registers(message):
    try:
        SERVER.register_complete(STATE, ClientData(unb64(message["response"]["clientDataJSON"])),
                                 AttestationObject(unb64(message["response"]["attestationObject"])))  # fmt: skip
        return True
    except Exception:
        return False


def peer_authenticates(message, cose):
    try:
        credential = AttestedCredentialData.create(bytes(16), ID, CoseKey.parse(dict(cose)))
        SERVER.authenticate_complete(STATE, [credential], unb64(message["rawId"]),
                                     ClientData(unb64(message["response"]["clientDataJSON"])),
                                     AuthenticatorData(unb64(message["response"]["authenticatorData"])),
                                     unb64(message["response"]["signature"]))  # fmt: skip
        return True
    except Exception:
        return False


MODEL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


def certificate(signer, unit="Authenticator Attestation", ca=False, aaguid=None, critical=False):
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
                      x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
                      x509.NameAttribute(NameOID.COMMON_NAME, "Test authenticator")])  # fmt: skip
    day = datetime.datetime(2026, 1, 1)
    builder = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(signer.private.public_key())
               .serial_number(1).not_valid_before(day).not_valid_after(day.replace(year=2046)))  # fmt: skip
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if aaguid is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(MODEL, aaguid), critical=critical)
    digest = None if signer.kind == "eddsa" else hashes.SHA256()
    return builder.sign(signer.private, digest).public_bytes(serialization.Encoding.DER)


def certified(es):
    """Packed with certificates: what is signed is what `registration` makes of this key without statement."""
    signed = head(UP | UV | AT, 0) + attested(es.cose) + hashlib.sha256(client_data("webauthn.create")).digest()
    model = Authenticator("es256")

    def packed(chain, signer=model, alg=-7, **more):
        return registration(es, fmt="packed", statement={"alg": alg, "sig": signer.sign(signed), "x5c": chain, **more})

    good = certificate(model, aaguid=b"\x04\x10" + bytes(16))
    yield "packed with a certificate", "ok", packed([good])
    yield "packed with a certificate that names no model", "ok", packed([certificate(model)])
    yield "packed with two certificates", "ok", packed([good, certificate(model, ca=True)])
    for kind in ("eddsa", "rs256"):
        other = Authenticator(kind)
        yield f"packed with a certificate, {kind}", "ok", packed([certificate(other)], other, other.cose[3])
    weak = Authenticator("weak")
    for name, message in {
        "signed with the credential's key": packed([good], es),
        "of another model": packed([certificate(model, aaguid=b"\x04\x10" + b"m" * 16)]),
        "of a malformed model": packed([certificate(model, aaguid=bytes(16))]),
        "of a model that is critical": packed([certificate(model, aaguid=b"\x04\x10" + bytes(16), critical=True)]),
        "of an authority": packed([certificate(model, ca=True)]),
        "without basic constraints": packed([certificate(model, ca=None)]),
        "of no authenticator": packed([certificate(model, unit="Servers")]),
        "named with another algorithm": packed([good], alg=-8),
        "with an algorithm that is not offered": packed([good], alg=-35),
        "of RSA with 1024 bits": packed([certificate(weak)], weak, -257),
        "with bytes behind it": packed([good + b"\0"]),
        "cut short": packed([good[:-1]]),
        "that is text": packed(["certificate"]),
        "that is empty": packed([b""]),
        "in an empty list": packed([]),
        "outside of a list": packed(good),
        "and another member": packed([good], ecdaaKeyId=b"x"),
    }.items():  # fmt: skip
        yield f"packed, a certificate {name}", "attestation", message


def registrations(keys):
    es, ed, rs, weak = keys["es256"], keys["eddsa"], keys["rs256"], keys["weak"]
    other = Authenticator("es256")
    off_curve = dict(es.cose)
    off_curve[-3] = bytes([es.cose[-3][0] ^ 1]) + es.cose[-3][1:]
    private = dict(es.cose)
    private[-4] = bytes(32)
    yield "es256", "ok", registration(es)
    yield "eddsa", "ok", registration(ed)
    yield "rs256", "ok", registration(rs)
    yield "packed with its own key, es256", "ok", registration(es, fmt="packed")
    yield "packed with its own key, eddsa", "ok", registration(ed, fmt="packed")
    yield "packed with its own key, rs256", "ok", registration(rs, fmt="packed")
    yield "a synced passkey", "ok", registration(es, flags=UP | UV | AT | BE | BS)
    yield "with extensions", "ok", registration(es, flags=UP | UV | AT | ED, tail=cbor.encode({"credProtect": 2}))
    yield "an id of 1023 bytes", "ok", registration(es, credential_id=b"i" * 1023)
    yield "members in another order", "ok", registration(
        es, members=lambda d: b"\xa3" + cbor.encode("authData") + cbor.encode(d) + cbor.encode("fmt") + cbor.encode("none") + cbor.encode("attStmt") + b"\xa0")
    yield "without crossOrigin", "ok", registration(es, client=client_data("webauthn.create", crossOrigin=None))
    yield "unknown members of client data", "ok", registration(es, client=client_data("webauthn.create", other_keys_can_be_added_here="x"))
    yield from certified(es)
    for fmt, statement in (("tpm", {"ver": "2.0"}), ("fido-u2f", {"sig": b"x", "x5c": [b"x"]}), ("apple", {"x5c": [b"x"]}),
                           ("android-key", {"alg": -7}), ("android-safetynet", {"ver": "1"}), ("compound", {}), ("", {})):  # fmt: skip
        yield f"a statement of the format {fmt}", "attestation_format", registration(es, fmt=fmt, statement=statement)
    yield "for the other ceremony", "ceremony", registration(es, client=client_data("webauthn.get"))
    yield "another challenge", "challenge", registration(es, client=client_data("webauthn.create", challenge=b64(bytes(32))))
    yield "no challenge", "client_data", registration(es, client=client_data("webauthn.create", challenge=None))
    yield "a challenge with padding", "challenge", registration(es, client=client_data("webauthn.create", challenge=b64(CHALLENGE) + "="))
    for origin in ("https://evil.example", "http://login.example", "https://login.example:444", "https://login.example/",
                   "https://LOGIN.example", "https://a.login.example", "null", "https://login.example.evil.example"):  # fmt: skip
        yield f"origin {origin}", "origin", registration(es, client=client_data("webauthn.create", origin=origin))
    yield "inside another site's frame", "cross_origin", registration(es, client=client_data("webauthn.create", crossOrigin=True))
    yield "a top origin", "cross_origin", registration(es, client=client_data("webauthn.create", topOrigin="https://evil.example"))
    yield "crossOrigin is text", "client_data", registration(es, client=client_data("webauthn.create", crossOrigin="false"))
    yield "client data is a list", "client_data", registration(es, client=b"[]")
    yield "client data twice", "client_data", registration(es, client=client_data("webauthn.create") * 2)
    yield "client data with a name twice", "client_data", registration(
        es, client=client_data("webauthn.create")[:-1] + b',"origin":"https://login.example"}')
    yield "another relying party", "relying_party", registration(es, rp="evil.example")
    yield "user absent", "user_absent", registration(es, flags=UV | AT)
    yield "user unverified", "user_unverified", registration(es, flags=UP | AT)
    yield "backed up, not eligible", "backup_state", registration(es, flags=UP | UV | AT | BS)
    yield "no attested data", "authenticator_data", registration(es, flags=UP | UV)
    yield "extensions announced, none there", "authenticator_data", registration(es, flags=UP | UV | AT | ED)
    yield "extensions not announced", "trailing_bytes", registration(es, tail=cbor.encode({"credProtect": 2}))
    yield "bytes behind the key", "trailing_bytes", registration(es, tail=b"\x00")
    yield "bytes behind the extensions", "trailing_bytes", registration(es, flags=UP | UV | AT | ED, tail=b"\xa0\x00")
    yield "extensions are a list", "authenticator_data", registration(es, flags=UP | UV | AT | ED, tail=b"\x80")
    yield "bytes behind the object", "trailing_bytes", registration(es, object_tail=b"\x00")
    yield "an id of 1024 bytes", "credential_id", registration(es, credential_id=b"i" * 1024)
    yield "no id", "credential_id", registration(es, credential_id=b"")
    yield "another id in the attested data", "credential_id", registration(es, object_id=b"another")
    yield "an id that ends early", "authenticator_data", registration(es, size=60000 % 1024)
    yield "an algorithm that was not offered", "algorithm", registration(es, cose={**es.cose, 3: -35})
    yield "no algorithm", "public_key", registration(es, cose={k: v for k, v in es.cose.items() if k != 3})
    yield "a point off its curve", "public_key", registration(es, cose=off_curve)
    yield "a key with a private part", "public_key", registration(es, cose=private)
    yield "es256 with another curve", "public_key", registration(es, cose={**es.cose, -1: 2})
    yield "a short coordinate", "public_key", registration(es, cose={**es.cose, -2: es.cose[-2][1:]})
    yield "es256 of the kind OKP", "public_key", registration(es, cose={**es.cose, 1: 1})
    yield "RSA with 1024 bits", "public_key", registration(weak)
    yield "none with a statement", "attestation", registration(es, statement={"x": 1})
    yield "packed, signed with another key", "attestation", registration(
        es, fmt="packed", statement={"alg": -7, "sig": other.sign(b"x")})
    yield "packed, another algorithm", "attestation", registration(es, fmt="packed", statement={"alg": -8, "sig": b"x"})
    yield "packed without signature", "attestation", registration(es, fmt="packed", statement={"alg": -7})
    yield "no format", "attestation", registration(es, members=lambda d: cbor.encode({"attStmt": {}, "authData": d}))
    yield "no CBOR", "attestation", registration(es, members=lambda d: b"\xff")
    yield "indefinite lengths", "attestation", registration(
        es, members=lambda d: b"\xbf" + cbor.encode("fmt") + cbor.encode("none") + cbor.encode("attStmt") + b"\xa0" + cbor.encode("authData") + cbor.encode(d) + b"\xff")
    yield "a member twice", "attestation", registration(
        es, members=lambda d: b"\xa4" + cbor.encode("fmt") + cbor.encode("none") + cbor.encode("fmt") + cbor.encode("none") + cbor.encode("attStmt") + b"\xa0" + cbor.encode("authData") + cbor.encode(d))
    yield "authenticator data of 36 bytes", "authenticator_data", registration(
        es, members=lambda d: cbor.encode({"fmt": "none", "attStmt": {}, "authData": d[:36]}))
    yield "id is not rawId", "id_mismatch", registration(es, rawId=b64(b"other"))
    yield "no rawId", "malformed", registration(es, rawId=None)
    yield "an id that is no base64url", "malformed", registration(es, id="a+b=", rawId="a+b=")
    yield "another type", "credential_type", registration(es, type="password")
    yield "no response", "malformed", registration(es, response=None)


def assertions(keys):
    es, ed, rs = keys["es256"], keys["eddsa"], keys["rs256"]
    yield "es256", "ok", "es256", assertion(es)
    yield "eddsa", "ok", "eddsa", assertion(ed)
    yield "rs256", "ok", "rs256", assertion(rs)
    yield "without handle", "ok", "es256", assertion(es, handle=None)
    yield "a handle that is null", "ok", "es256", (lambda m: (m["response"].update(userHandle=None), m)[1])(assertion(es))
    yield "with extensions", "ok", "es256", assertion(es, flags=UP | UV | ED, tail=b"\xa0")
    yield "the counter did not rise", "counter", "es256-5", assertion(es, counter=5)
    yield "the counter went back", "counter", "es256-5", assertion(es, counter=4)
    yield "the counter went to zero", "counter", "es256-5", assertion(es, counter=0)
    yield "the counter rose by more", "ok", "es256-5", assertion(es, counter=4294967295)
    yield "the counter stays at zero", "ok", "es256", assertion(es, counter=0)
    yield "another user's handle", "user_handle", "es256", assertion(es, handle=b"somebody else")
    yield "an empty handle", "user_handle", "es256", assertion(es, handle=b"")
    yield "another credential", "unknown_credential", "es256", assertion(es, credential_id=b"another")
    yield "another key's signature", "signature", "es256", assertion(Authenticator("es256"))
    yield "another kind of key's signature", "signature", "es256", assertion(ed)
    yield "no signature", "signature", "es256", assertion(es, signature=b"")
    yield "a signature as JOSE writes it", "signature", "es256", assertion(es, signature=bytes(64))
    yield "a signature with bytes behind it", "signature", "es256", (
        lambda m: (m["response"].update(signature=b64(unb64(m["response"]["signature"]) + b"\0")), m)[1])(assertion(es))
    yield "other client data than was signed", "signature", "es256", (
        lambda m: (m["response"].update(clientDataJSON=b64(client_data("webauthn.get") + b" ")), m)[1])(assertion(es))
    yield "for the other ceremony", "ceremony", "es256", assertion(es, client=client_data("webauthn.create"))
    yield "another challenge", "challenge", "es256", assertion(es, client=client_data("webauthn.get", challenge=b64(bytes(32))))
    yield "another origin", "origin", "es256", assertion(es, client=client_data("webauthn.get", origin="https://evil.example"))
    yield "inside another site's frame", "cross_origin", "es256", assertion(es, client=client_data("webauthn.get", crossOrigin=True))
    yield "another relying party", "relying_party", "es256", assertion(es, rp="evil.example")
    yield "user absent", "user_absent", "es256", assertion(es, flags=UV)
    yield "user unverified", "user_unverified", "es256", assertion(es, flags=UP)
    yield "backed up, not eligible", "backup_state", "es256", assertion(es, flags=UP | UV | BS)
    yield "eligible all at once", "backup_state", "es256", assertion(es, flags=UP | UV | BE)
    yield "bytes behind the data", "trailing_bytes", "es256", assertion(es, tail=b"\x00")
    yield "attested data announced", "authenticator_data", "es256", assertion(es, flags=UP | UV | AT)
    yield "another type", "credential_type", "es256", assertion(es, type="x")
    yield "id is not rawId", "id_mismatch", "es256", assertion(es, id=b64(b"x"))


def main():
    keys = {kind: Authenticator(kind) for kind in ("es256", "eddsa", "rs256", "weak")}
    out = {"rp_id": RP, "origin": ORIGIN, "challenge": b64(CHALLENGE), "owner": OWNER.decode(), "id": b64(ID),
           "keys": {kind: b64(cbor.encode(keys[kind].cose)) for kind in ("es256", "eddsa", "rs256")},
           "registrations": [], "assertions": []}  # fmt: skip
    for name, status, message in registrations(keys):
        peer = peer_registers(message)
        assert peer or status != "ok", f"python-fido2 refuses: {name}"
        out["registrations"].append({"name": name, "status": status, "stricter": peer and status != "ok", "message": json.dumps(message)})
    for name, status, key, message in assertions(keys):
        peer = peer_authenticates(message, keys[key.split("-")[0]].cose)
        assert peer or status != "ok", f"python-fido2 refuses: {name}"
        out["assertions"].append({"name": name, "status": status, "key": key, "stricter": peer and status != "ok", "message": json.dumps(message)})
    text = json.dumps(out, indent=1) + "\n"
    (pathlib.Path(__file__).parent / "vectors.json").write_text(text)
    for kind in ("registrations", "assertions"):
        stricter = [case["name"] for case in out[kind] if case["stricter"]]
        print(f"{len(out[kind])} {kind}; python-fido2 accepts {len(stricter)} that we refuse: {'; '.join(stricter)}")


if __name__ == "__main__":
    main()
