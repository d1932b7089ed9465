#!/usr/bin/python3
"""Writes vectors.json: tokens made by PyJWT and pyca/cryptography, a second opinion on our verifier.

The keys are drawn anew at each run, so the file changes as a whole; it is committed and the tests only read it.
"""
import base64
import json
import pathlib

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

NOW = 1_750_000_000
CLAIMS = {"iss": "https://login.example", "sub": "ann", "aud": ["shop", "bank"], "iat": NOW - 100, "exp": NOW + 600}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def ec_jwk(key, kid, curve, size):
    n = key.public_key().public_numbers()
    return {"kty": "EC", "crv": curve, "kid": kid, "x": number(n.x, size), "y": number(n.y, size)}


def rsa_jwk(key, kid, alg):
    n = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "use": "sig", "alg": alg, "n": number(n.n), "e": number(n.e)}


def raw(header, payload, sign):
    if not isinstance(header, (str, bytes)):
        header = json.dumps(header, separators=(",", ":"))
    if not isinstance(payload, (str, bytes)):
        payload = json.dumps(payload, separators=(",", ":"))
    to_bytes = lambda t: t if isinstance(t, bytes) else t.encode()
    signed = b64(to_bytes(header)) + "." + b64(to_bytes(payload))
    return signed + "." + b64(sign(signed.encode()))


p256 = ec.generate_private_key(ec.SECP256R1())
p384 = ec.generate_private_key(ec.SECP384R1())
other = ec.generate_private_key(ec.SECP256R1())
ed = ed25519.Ed25519PrivateKey.generate()
rsa_key = rsa.generate_private_key(65537, 2048)
ed_raw = ed.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

keys = [ec_jwk(p256, "p256", "P-256", 32), ec_jwk(p384, "p384", "P-384", 48),
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": b64(ed_raw)}]
for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
    keys.append(rsa_jwk(rsa_key, alg.lower(), alg))


def es256(data, key=p256):
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(alg="ES256", kid="p256", key=p256, claims=None, drop=(), header=None):
    payload = {k: v for k, v in {**CLAIMS, **(claims or {})}.items() if k not in drop}
    headers = {**({"kid": kid} if kid else {}), **(header or {})}
    return jwt.encode(payload, key, algorithm=alg, headers=headers)


HEADER = {"alg": "ES256", "kid": "p256"}
good = token()
signed, signature = good.rsplit(".", 1)
sig_bytes = base64.urlsafe_b64decode(signature + "==")
last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
public_pem = p256.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
import hmac  # noqa: E402

cases = [
    ("ES256", good, "ok"),
    ("ES384", token("ES384", "p384", p384), "ok"),
    ("EdDSA", token("EdDSA", "ed", ed), "ok"),
]
cases += [(a, token(a, a.lower(), rsa_key), "ok") for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")]
cases += [
    ("typ at+jwt", token(header={"typ": "at+jwt"}), "ok"),
    ("typ application/at+jwt, any case", token(header={"typ": "application/AT+JWT"}), "ok"),
    ("no typ", raw(HEADER, CLAIMS, es256), "ok"),
    ("unknown header member", raw({**HEADER, "x": 1}, CLAIMS, es256), "ok"),
    ("audience as a string", token(claims={"aud": "shop"}), "ok"),
    ("fractional exp", token(claims={"exp": NOW + 1.5}), "ok"),
    ("expired within the leeway", token(claims={"exp": NOW - 29}), "ok"),
    ("not yet valid within the leeway", token(claims={"nbf": NOW + 30}), "ok"),
    # time
    ("expired", token(claims={"exp": NOW - 30}), "expired"),
    ("nbf in the future", token(claims={"nbf": NOW + 31}), "not_yet_valid"),
    ("iat in the future", token(claims={"iat": NOW + 31}), "not_yet_valid"),
    ("no exp", token(drop=("exp",)), "malformed"),
    ("exp is a string", raw(HEADER, {**CLAIMS, "exp": str(NOW + 600)}, es256), "malformed"),
    ("exp is negative", raw(HEADER, {**CLAIMS, "exp": -1}, es256), "malformed"),
    ("exp is beyond all clocks", raw(HEADER, {**CLAIMS, "exp": 10**17}, es256), "malformed"),
    ("nbf is a list", raw(HEADER, {**CLAIMS, "nbf": []}, es256), "malformed"),
    # who and for whom
    ("another issuer", token(claims={"iss": "https://evil.example"}), "issuer"),
    ("no issuer", token(drop=("iss",)), "issuer"),
    ("issuer with a slash more", token(claims={"iss": "https://login.example/"}), "issuer"),
    ("another audience", token(claims={"aud": ["bank"]}), "audience"),
    ("no audience", token(drop=("aud",)), "audience"),
    ("audience is a number", raw(HEADER, {**CLAIMS, "aud": [7]}, es256), "audience"),
    # keys and algorithms
    ("unknown kid", token(kid="p257"), "key_unknown"),
    ("no kid among several keys", token(kid=None), "key_unknown"),
    ("empty kid", token(kid="", header={"kid": ""}), "key_unknown"),
    ("kid is a path", token(kid="../../dev/null"), "key_unknown"),
    ("kid is a number", raw({**HEADER, "kid": 1}, CLAIMS, es256), "malformed"),
    ("algorithm none", raw({"alg": "none", "kid": "p256"}, CLAIMS, lambda d: b"x"), "algorithm"),
    ("algorithm none without signature", raw({"alg": "none"}, CLAIMS, lambda d: b""), "algorithm"),
    ("algorithm NoNe", raw({"alg": "NoNe", "kid": "p256"}, CLAIMS, lambda d: b"x"), "algorithm"),
    ("algorithm in another case", raw({**HEADER, "alg": "es256"}, CLAIMS, es256), "algorithm"),
    ("HS256 with the public key", raw({"alg": "HS256", "kid": "p256"}, CLAIMS,
                                      lambda d: hmac.digest(public_pem, d, "sha256")), "algorithm"),
    ("ES256 token, RSA key", raw({**HEADER, "kid": "rs256"}, CLAIMS, es256), "algorithm"),
    ("PS256 signature under an RS256 key", token("PS256", "rs256", rsa_key), "algorithm"),
    ("algorithm is missing", raw({"kid": "p256"}, CLAIMS, es256), "malformed"),
    ("algorithm is a list", raw({**HEADER, "alg": ["ES256"]}, CLAIMS, es256), "malformed"),
    # signatures
    ("another key", token(key=other), "signature"),
    ("changed payload", ".".join([signed.split(".")[0], b64(json.dumps({**CLAIMS, "sub": "eve"}).encode()), signature]),
     "signature"),
    ("DER instead of r and s", raw(HEADER, CLAIMS, lambda d: p256.sign(d, ec.ECDSA(hashes.SHA256()))), "signature"),
    ("zeros (CVE-2022-21449)", raw(HEADER, CLAIMS, lambda d: bytes(64)), "signature"),
    ("r and s one byte short", raw(HEADER, CLAIMS, lambda d: es256(d)[:-1]), "signature"),
    ("one byte more", raw(HEADER, CLAIMS, lambda d: es256(d) + b"\0"), "signature"),
    ("r + n", raw(HEADER, CLAIMS, lambda d: es256(d)[:32] + b"\xff" * 32), "signature"),
    ("Ed25519 signature one byte short", raw({"alg": "EdDSA", "kid": "ed"}, CLAIMS, lambda d: ed.sign(d)[:-1]),
     "signature"),
    ("RSA signature of another length", raw({"alg": "RS256", "kid": "rs256"}, CLAIMS, lambda d: b"\1" * 255),
     "signature"),
    ("PS256 with another salt length", raw({"alg": "PS256", "kid": "ps256"}, CLAIMS, lambda d: rsa_key.sign(
        d, padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256())), "signature"),
    # form
    ("empty", "", "malformed"),
    ("one part", "abc", "malformed"),
    ("two parts", signed, "malformed"),
    ("four parts", good + ".x", "malformed"),
    ("five parts, an encrypted token", "a.b.c.d.e", "malformed"),
    ("empty signature", signed + ".", "malformed"),
    ("padding", good + "=", "malformed"),
    ("white space before", " " + good, "malformed"),
    ("line feed inside", good[:40] + "\n" + good[40:], "malformed"),
    ("the standard alphabet", signed + "." + "+/" + signature[2:], "malformed"),
    ("trailing bits in the signature", good[:-1] + last[last.index(good[-1]) | 1], "malformed"),
    ("crit", raw({**HEADER, "crit": ["exp"]}, CLAIMS, es256), "malformed"),
    ("crit of b64", raw({**HEADER, "crit": ["b64"], "b64": False}, CLAIMS, es256), "malformed"),
    ("a key inside", raw({**HEADER, "jwk": keys[0]}, CLAIMS, es256), "malformed"),
    ("address of a key", raw({**HEADER, "jku": "https://evil.example"}, CLAIMS, es256), "malformed"),
    ("x5u", raw({**HEADER, "x5u": "https://evil.example"}, CLAIMS, es256), "malformed"),
    ("x5c", raw({**HEADER, "x5c": ["MII"]}, CLAIMS, es256), "malformed"),
    ("compressed", raw({**HEADER, "zip": "DEF"}, CLAIMS, es256), "malformed"),
    ("nested", raw({**HEADER, "cty": "JWT"}, CLAIMS, es256), "malformed"),
    ("a logout token", raw({**HEADER, "typ": "logout+jwt"}, CLAIMS, es256), "malformed"),
    ("a DPoP proof", raw({**HEADER, "typ": "dpop+jwt"}, CLAIMS, es256), "malformed"),
    ("alg twice", raw('{"alg":"ES256","alg":"none","kid":"p256"}', CLAIMS, es256), "malformed"),
    ("a claim twice", raw(HEADER, '{"iss":"https://login.example","sub":"a","sub":"b","exp":9999999999}', es256),
     "malformed"),
    ("payload is a list", raw(HEADER, "[]", es256), "malformed"),
    ("payload is text", raw(HEADER, "hello", es256), "malformed"),
    ("payload is not UTF-8", raw(HEADER, b'{"sub":"\xc0\xaf"}', es256), "malformed"),
    ("header is a list", raw("[]", CLAIMS, es256), "malformed"),
    ("header too large", raw({**HEADER, "x": "x" * 1024}, CLAIMS, es256), "malformed"),
    ("token too large", token(claims={"x": "x" * 8192}), "malformed"),
    ("deep payload", raw(HEADER, "[" * 100 + "]" * 100, es256), "malformed"),
]
text = json.dumps({"now": NOW, "issuer": CLAIMS["iss"], "jwks": json.dumps({"keys": keys}),
                   "cases": [{"name": n, "token": t, "status": s} for n, t, s in cases]}, indent=1)
pathlib.Path(__file__).with_name("vectors.json").write_text(text + "\n")
print(len(cases), "cases")
