"""An authority of the tests' own: the provider's certificate for localhost, and certificates of clients."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Certificates:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = self.subject("Tests' authority")
        builder = self.builder(self.name, self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
        builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.ca = self.write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def subject(name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def builder(self, name, public_key):
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=2))
        own = x509.SubjectKeyIdentifier.from_public_key(public_key)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return builder.add_extension(own, False).add_extension(issuer, False)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o644)  # the program under test gives up root
        return str(path)

    def issue(self, name, usage, alternatives=()):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder(self.subject(name), key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        certificate = builder.sign(self.key, hashes.SHA256())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return (
            self.write(f"{name}.pem", certificate.public_bytes(pem)),
            self.write(f"{name}.key", key.private_bytes(pem, pkcs8, serialization.NoEncryption())),
        )

    def server(self, name="localhost"):
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("*.localhost")]
        return self.issue(name, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def issue_receiver(self):
        return self.issue("receiver", ExtendedKeyUsageOID.SERVER_AUTH, [x509.DNSName("localhost")])

    def client(self, name):
        return self.issue(name, ExtendedKeyUsageOID.CLIENT_AUTH)


def thumbprint(path):
    """`x5t#S256` of a PEM file, RFC 8705 §3.1."""
    import proofs

    certificate = x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())
    return proofs.b64(certificate.fingerprint(hashes.SHA256()))
