"""A root key in our hands."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A trust domain's root, which SPIRE signs below, and with which tests sign what SPIRE would
    not."""

    def __init__(self, run: Path, domain: str) -> None:
        run.mkdir(parents=True)
        self.ca, self.key = run / "ca.pem", run / "ca.key"
        self._run = run
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, domain)])
        builder = self._builder(self._name, self._key.public_key(), f"spiffe://{domain}")
        usage = self._usage(signs=True)
        self._root = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(self._pem(self._key))

    def sign(self, identity: str) -> tuple[str, str]:
        """The files of a certificate for any identity, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "forged")])
        leaf = (
            self._builder(subject, key.public_key(), identity)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._usage(signs=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        cert, private = self._run / "forged.pem", self._run / "forged.key"
        cert.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(self._pem(key))
        return str(cert), str(private)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, identity: str
    ) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(ours, critical=False)
            .add_extension(names, critical=False)
        )

    @staticmethod
    def _usage(*, signs: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=signs,
            crl_sign=signs,
            encipher_only=False,
            decipher_only=False,
        )

    @staticmethod
    def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
