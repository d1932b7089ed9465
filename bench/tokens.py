"""An ES256 token and the JWKS that verifies it, by the openssl command (RFC 7515, RFC 7518 §3.4)."""

import base64
import json
import subprocess
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=True).stdout


def raw_signature(der):
    """r ‖ s of 32 bytes each from the DER sequence that openssl writes."""
    assert der[0] == 0x30
    at, numbers = 2, []
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def create(jwks_path):
    """Writes the JWKS; returns a token that stays good for an hour."""
    key_path = jwks_path.with_suffix(".key")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key_path)
    point = openssl("ec", "-in", key_path, "-pubout", "-outform", "DER")[-64:]
    jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "bench", "x": encode(point[:32]), "y": encode(point[32:])}
    jwks_path.write_text(json.dumps({"keys": [jwk]}))
    now = int(time.time())
    claims = {"iss": "https://login.bench.example", "aud": "bench", "sub": "alice", "roles": ["customer"], "scope": "orders:read",
              "iat": now, "exp": now + 3600}  # fmt: skip
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "at+jwt", "kid": "bench"}, claims))
    return signed + "." + encode(raw_signature(openssl("dgst", "-sha256", "-sign", key_path, stdin=signed.encode())))
