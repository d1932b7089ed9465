"""Keys and signed texts that clients make: assertions, request objects, DPoP proofs; and reading what providers sign.

Made with PyJWT and cryptography; what a check needs malformed is put together by hand.
"""

import base64
import hashlib
import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NO_KID = object()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def s256(text):
    return b64(hashlib.sha256(text.encode()).digest())


def token(length=32):
    return secrets.token_urlsafe(length)


class Key:
    """A signing key with its public JWK."""

    def __init__(self, algorithm="ES256", kid=None):
        self.algorithm = algorithm
        if algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = rsa.generate_private_key(65537, 2048)
        maker = jwt.get_algorithm_by_name(algorithm) if hasattr(jwt, "get_algorithm_by_name") else jwt.algorithms.get_default_algorithms()[algorithm]
        self.maker = maker
        members = json.loads(maker.to_jwk(self.private.public_key()))
        self.members = {name: members[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in members}
        if algorithm == "ES256":
            # RFC 7518 §6.2.1.2: all of the coordinate's octets. PyJWT leaves out leading zeros: one key in 128 is no JWK then.
            numbers = self.private.public_key().public_numbers()
            self.members.update(x=b64(numbers.x.to_bytes(32, "big")), y=b64(numbers.y.to_bytes(32, "big")))
        self.kid = kid or self.thumbprint()

    def thumbprint(self):
        """RFC 7638: the required members in order, no white space."""
        names = ("crv", "kty", "x", "y") if self.members["kty"] == "EC" else ("e", "kty", "n")
        return s256(json.dumps({name: self.members[name] for name in names}, separators=(",", ":")))

    def jwk(self, **more):
        return {**self.members, "kid": self.kid, "alg": self.algorithm, "use": "sig", **more}

    def private_jwk(self, **more):
        members = {**json.loads(self.maker.to_jwk(self.private)), **self.members}
        members.pop("key_ops", None)
        if self.algorithm == "ES256":
            members["d"] = b64(self.private.private_numbers().private_value.to_bytes(32, "big"))
        return {**members, "kid": self.kid, **more}

    def sign(self, claims, **headers):
        """Signs claims; `kid=NO_KID` leaves that header out."""
        if headers.get("kid") is NO_KID:
            del headers["kid"]
        else:
            headers.setdefault("kid", self.kid)
        headers.setdefault("typ", "JWT")
        return jwt.encode(claims, self.private, self.algorithm, headers=headers)


def unsigned(claims, **headers):
    """`alg: none`, as RFC 7515 §A.5 writes it."""
    head = {"alg": "none", "typ": "JWT", **headers}
    return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}."


def hmac_signed(claims, secret, **headers):
    """HS256 over any bytes. PyJWT refuses public keys as secrets, which is just what a forger would use."""
    import hmac

    head = {"alg": "HS256", "typ": "JWT", **headers}
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def tampered(compact, **claims):
    """The same header and signature over other claims."""
    head, payload, signature = compact.split(".")
    changed = {**json.loads(unb64(payload)), **claims}
    return f"{head}.{b64(json.dumps(changed).encode())}.{signature}"


def header_of(compact):
    return json.loads(unb64(compact.split(".")[0]))


def claims_of(compact):
    """Without any verification: for looking only."""
    return json.loads(unb64(compact.split(".")[1]))


def verified(compact, jwks, audience=None, issuer=None, algorithms=("ES256", "RS256", "EdDSA", "PS256")):
    """The claims of a JWT whose signature one of the provider's keys made; `kid` picks the key."""
    head = header_of(compact)
    matching = [key for key in jwks["keys"] if key.get("kid") == head.get("kid")]
    assert len(matching) == 1, f"{len(matching)} keys for kid {head.get('kid')}"
    assert head["alg"] in algorithms, head
    assert matching[0].get("alg", head["alg"]) == head["alg"], "one algorithm per key"
    key = jwt.PyJWK(matching[0], head["alg"]).key
    options = {"verify_aud": audience is not None}
    return jwt.decode(compact, key, [head["alg"]], audience=audience, issuer=issuer, options=options, leeway=5)


def now():
    return int(time.time())


def assertion(client_id, audience, lifetime=60, **claims):
    """The claims of a client's assertion, RFC 7523 §3. A claim given as None is left out."""
    made = {"iss": client_id, "sub": client_id, "aud": audience, "jti": token(), "iat": now(), "exp": now() + lifetime}
    return {name: value for name, value in {**made, **claims}.items() if value is not None}


def dpop(key, method, url, access_token=None, nonce=None, headers=None, sign=None, **claims):
    """A DPoP proof, RFC 9449 §4.2. A claim given as None is left out."""
    made = {"jti": token(), "htm": method, "htu": url, "iat": now()}
    if access_token is not None:
        made["ath"] = s256(access_token)
    if nonce is not None:
        made["nonce"] = nonce
    made = {name: value for name, value in {**made, **claims}.items() if value is not None}
    head = {"typ": "dpop+jwt", "jwk": key.members, "kid": NO_KID, **(headers or {})}
    return (sign or key.sign)(made, **head)
