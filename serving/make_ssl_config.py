"""An SSLConfig, as `--ssl_config_file` takes it, from PEM files: TF Serving wants their content, not their paths.

    python serving/make_ssl_config.py server.key server.crt > ssl.config
    python serving/make_ssl_config.py server.key server.crt --client-ca clients.crt > ssl.config

With --client-ca a client must show a certificate that this authority has signed. The result holds the private key:
keep it as you keep the key. REST stays without TLS in TF Serving; leave --rest_api_port out, or put a proxy before it.
"""

import argparse
import os
import sys
from pathlib import Path


def ssl_config(key: str, certificate: str, *, client_authority: str = "") -> str:
    """SSLConfig as text, from PEM texts."""
    lines = [f"server_key: {_quoted(key)}", f"server_cert: {_quoted(certificate)}"]
    if client_authority:
        lines += [f"custom_ca: {_quoted(client_authority)}", "client_verify: true"]
    return "\n".join(lines) + "\n"


def _quoted(pem: str) -> str:
    # PEM is ASCII without quotes or backslashes: one string literal a line, which protobuf puts together.
    return "\n  ".join(f'"{line}\\n"' for line in pem.strip().splitlines())


def _pem(path: Path, kind: str) -> str:
    content = path.read_text(encoding="ascii")
    if kind not in content or "-----BEGIN" not in content:
        sys.exit(f"{path}: expected PEM with a {kind.lower()}")
    return content


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("key", type=Path)
    parser.add_argument("certificate", type=Path)
    parser.add_argument("--client-ca", type=Path)
    given = parser.parse_args()
    authority = _pem(given.client_ca, "CERTIFICATE") if given.client_ca else ""
    text = ssl_config(
        _pem(given.key, "PRIVATE KEY"),
        _pem(given.certificate, "CERTIFICATE"),
        client_authority=authority,
    )
    os.write(sys.stdout.fileno(), text.encode("ascii"))
