"""Certificates and tokens for the tests, made by the `cryptography` and `jwt` packages."""

import base64
import datetime
import ipaddress
import json
import pathlib
import ssl
import subprocess
import time

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime.datetime.utcnow()


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def alternative(name):
    if name.startswith(("spiffe://", "https://")):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Certificates:
    """An authority; `issue` makes a leaf. Paths are world-readable: the program gives up root."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o755)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        builder = self.builder(self.name, self.key.public_key(), 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.ca = self.save("ca.pem", self.certificate.public_bytes(Encoding.PEM))

    def save(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o644)
        return str(path)

    def builder(self, subject, public_key, days):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(NOW - datetime.timedelta(days=2))
                .not_valid_after(NOW + datetime.timedelta(days=days)))  # fmt: skip

    def issue(self, *names, stem=None, days=30):
        """(certificate file, key file) for these DNS names, addresses or URIs."""
        stem = stem or names[0].replace("/", "_").replace("*", "_")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:60])])
        builder = self.builder(subject, key.public_key(), days)
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative(name) for name in names]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return (self.save(f"{stem}.pem", certificate.public_bytes(Encoding.PEM)), self.save(f"{stem}.key", pem_of(key)))

    def listener_tls(self, *names, **keys):
        certificate, key = self.issue(*(names or ("shop.example", "127.0.0.1")))
        return {"certificates": [{"cert": certificate, "key": key}], **keys}

    def ocsp_by_openssl(self, certificate, folder, days=2, revoked=False):
        """The DER of a response of ours about a certificate file."""
        ca_key, request, response, index = (folder / name for name in ("ca.key", "request", "response", "index"))
        ca_key.write_bytes(pem_of(self.key))
        serial = x509.load_pem_x509_certificate(pathlib.Path(certificate).read_bytes()).serial_number
        digits = f"{serial:X}"
        state = ("R", "250101000000Z,superseded") if revoked else ("V", "")
        index.write_text(f"{state[0]}\t351231000000Z\t{state[1]}\t{'0' * (len(digits) % 2)}{digits}\tunknown\t/CN=a\n")
        subject = ["-issuer", self.ca, "-cert", certificate, "-no_nonce"]
        answer = ["-index", index, "-rsigner", self.ca, "-rkey", ca_key, "-CA", self.ca, "-ndays", str(days)]
        for arguments in ([*subject, "-reqout", request], [*answer, "-reqin", request, "-respout", response]):
            subprocess.run(["openssl", "ocsp", *arguments], check=True, capture_output=True)
        return response.read_bytes()

    def client_context(self, alpn=("http/1.1",), certificate=None):
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(alpn))
        if certificate:
            context.load_cert_chain(*certificate)
        return context

    def server_context(self, *names, client_ca=None, alpn=()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names, stem="upstream-" + names[0]))
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def base64url(number, size):
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with one key of each algorithm; the algorithm's name is the key id."""

    URL = "https://login.shop.example"

    def __init__(self):
        self.keys = {
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "ES384": ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
            "RS256": rsa.generate_private_key(65537, 2048),
            "PS256": rsa.generate_private_key(65537, 2048),
        }

    def jwks(self, *algorithms):
        return json.dumps({"keys": [self.jwk(name) for name in algorithms or self.keys]})

    def jwk(self, algorithm):
        public = self.keys[algorithm].public_key()
        common = {"kid": algorithm, "alg": algorithm, "use": "sig"}
        if algorithm.startswith("ES"):
            size = public.key_size // 8
            numbers = public.public_numbers()
            return {**common, "kty": "EC", "crv": f"P-{public.key_size}", "x": base64url(numbers.x, size), "y": base64url(numbers.y, size)}
        if algorithm == "EdDSA":
            data = public.public_bytes(Encoding.Raw, serialization.PublicFormat.Raw)
            return {**common, "kty": "OKP", "crv": "Ed25519", "x": base64url(int.from_bytes(data, "big"), 32)}
        numbers = public.public_numbers()
        return {**common, "kty": "RSA", "n": base64url(numbers.n, 256), "e": base64url(numbers.e, 3)}

    def claims(self, **more):
        now = int(time.time())
        base = {"iss": self.URL, "aud": "shop", "sub": "alice", "roles": ["customer"], "scope": "orders:read orders:write",
                "iat": now, "nbf": now - 5, "exp": now + 600}  # fmt: skip
        return {key: value for key, value in {**base, **more}.items() if value is not None}

    def token(self, algorithm="ES256", key=None, headers=None, **claims):
        headers = {"kid": algorithm, "typ": "at+jwt", **(headers or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(self.claims(**claims), key or self.keys[algorithm], algorithm=algorithm, headers=headers)

    def bearer(self, *arguments, **claims):
        return {"Authorization": "Bearer " + self.token(*arguments, **claims)}

    def configuration(self, jwks_path, **more):
        return {"jwt": [{"name": "main", "issuer": self.URL, "audience": ["shop"], "jwks": jwks_path, **more}]}
