"""How Terraform and a plugin find each other: one line on stdout, then gRPC on a socket."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import ssl
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from emulator.provider.messages import METHODS, SERVICE
from emulator.provider.service import Provider

_COOKIE_NAME = "TF_PLUGIN_MAGIC_COOKIE"
_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
_PROTOCOL = 6
_WORKERS = 16
_PARENT_SECONDS = 1.0
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def serve(cache: Path) -> int:
    """Serve until Terraform says Shutdown or is gone; exit code 1 if Terraform did not start us."""
    if os.environ.get(_COOKIE_NAME) != _COOKIE:
        print("This is a Terraform provider; Terraform starts it.", file=sys.stderr)
        return 1
    # Before the handshake: whoever reads it may end right after.
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = tempfile.mkdtemp(prefix="provider-")
    key, certificate = _identity(cache)
    server = grpc.server(ThreadPoolExecutor(_WORKERS), options=_OPTIONS)
    server.add_generic_rpc_handlers((_Handlers(Provider(cache), folder),))
    address = f"{folder}/socket"
    server.add_secure_port(f"unix:{address}", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    der = ssl.PEM_cert_to_DER_cert(certificate.decode())
    encoded = base64.b64encode(der).decode().rstrip("=")
    print(f"1|{_PROTOCOL}|unix|{address}|grpc|{encoded}", flush=True)
    os.dup2(2, 1)
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Methods by name, with requests and replies as bytes."""

    def __init__(self, provider: Provider, folder: str) -> None:
        self._provider = provider
        self._folder = folder

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        service, _, method = details.method.lstrip("/").partition("/")
        if service == SERVICE and method in METHODS:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self._provider.answer(method, request)
            )
        if (service, method) == ("plugin.GRPCController", "Shutdown"):
            return grpc.unary_unary_rpc_method_handler(self._shutdown)
        return None

    def _shutdown(self, request: bytes, context: Any) -> bytes:
        def leave() -> None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os._exit(0)

        # The answer must be on its way first; waiting for a graceful stop would cost seconds.
        threading.Timer(0.01, leave).start()
        return b""


def _identity(cache: Path) -> tuple[bytes, bytes]:
    """This machine's key and certificate for the socket, made once: (key, certificate) in PEM."""
    path = cache / "identity.pem"
    if not path.is_file():
        _write_identity(path)
    key, _, certificate = path.read_bytes().partition(b"-----BEGIN CERTIFICATE-----")
    return key, b"-----BEGIN CERTIFICATE-----" + certificate


def _write_identity(path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp gives mode 0600; the rename makes the file whole or absent for a second provider.
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    Path(temporary).replace(path)
