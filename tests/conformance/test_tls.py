"""TLS and mutual TLS by settings alone."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Running, Stub

Echo = contract.message("EchoRequest")


@dataclass(frozen=True)
class Identity:
    """A certificate and its key; one that signs itself is an authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, name: str, issuer: "Identity | None" = None) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(issuer.key if issuer else key, hashes.SHA256())
        )
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@pytest.fixture(scope="module")
def authority() -> Identity:
    return Identity.made("Autoridade")


@pytest.fixture
def pair(authority: Identity, tmp_path: Path) -> dict[str, Path]:
    """The settings of a server with a certificate of the authority."""
    server = Identity.made("servidor", authority)
    (tmp_path / "cert.pem").write_bytes(server.pem)
    (tmp_path / "key.pem").write_bytes(server.key_pem)
    return {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}


async def _greeting(running: Running, credentials: grpc.ChannelCredentials | None) -> str:
    options = [("grpc.use_local_subchannel_pool", 1)]
    if credentials is None:
        channel = grpc.aio.insecure_channel(running.target, options)
    else:
        channel = grpc.aio.secure_channel(running.target, credentials, options)
    async with channel:
        stub: Any = Stub(channel)
        return str((await stub.Plain(Echo(text="olá"), timeout=CALL_SECONDS)).text)


async def test_tls(start: Start, authority: Identity, pair: dict[str, Path]) -> None:
    running = start(**pair).ready()
    assert await _greeting(running, grpc.ssl_channel_credentials(authority.pem)) == "olá"
    stranger = Identity.made("Outra autoridade")
    for credentials in (None, grpc.ssl_channel_credentials(stranger.pem)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _greeting(running, credentials)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_mutual_tls_asks_for_a_certificate_of_the_authority(
    start: Start, authority: Identity, pair: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    running = start(**pair, tls_client_ca=tmp_path / "ca.pem").ready()
    known = Identity.made("cliente", authority)
    good = grpc.ssl_channel_credentials(authority.pem, known.key_pem, known.pem)
    assert await _greeting(running, good) == "olá"
    unknown = Identity.made("intruso", Identity.made("Outra autoridade"))
    bad = grpc.ssl_channel_credentials(authority.pem, unknown.key_pem, unknown.pem)
    for credentials in (grpc.ssl_channel_credentials(authority.pem), bad):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _greeting(running, credentials)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await _greeting(running, good) == "olá"
