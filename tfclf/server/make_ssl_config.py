"""Write an SSLConfig for `--ssl_config_file` from PEM files.

    python -m tfclf.server.make_ssl_config server.key server.crt > ssl.config
    python -m tfclf.server.make_ssl_config server.key server.crt --client-ca ca.crt > ssl.config

TF Serving wants the content of the files, not their paths. With --client-ca, a client must present
a certificate signed by this authority. The result contains the private key: protect it like the
key. TF Serving's REST has no TLS: leave --rest_api_port out, or put a proxy in front of it.
"""

import argparse
import os
import sys
from pathlib import Path


def ssl_config(key: str, certificate: str, *, client_authority: str = "") -> str:
    r"""SSLConfig as text, from PEM texts.

    >>> print(ssl_config("KEY", "LINE 1\nLINE 2"))
    server_key: "KEY\n"
    server_cert: "LINE 1\n"
      "LINE 2\n"
    <BLANKLINE>
    """
    lines = [f"server_key: {_quote(key)}", f"server_cert: {_quote(certificate)}"]
    if client_authority:
        lines += [f"custom_ca: {_quote(client_authority)}", "client_verify: true"]
    return "\n".join(lines) + "\n"


def _quote(pem: str) -> str:
    # PEM is ASCII without quotes or backslashes. Protobuf joins adjacent literals, one per line.
    return "\n  ".join(f'"{line}\\n"' for line in pem.strip().splitlines())


def _read_pem(path: Path, kind: str) -> str:
    content = path.read_text(encoding="ascii")
    if kind not in content or "-----BEGIN" not in content:
        sys.exit(f"{path}: expected PEM with a {kind.lower()}")
    return content


def main() -> None:
    """Write the SSLConfig of the arguments to standard output."""
    parser = argparse.ArgumentParser(
        prog="python -m tfclf.server.make_ssl_config",
        description=(__doc__ or "").splitlines()[0],
    )
    parser.add_argument("key", type=Path)
    parser.add_argument("certificate", type=Path)
    parser.add_argument("--client-ca", type=Path)
    arguments = parser.parse_args()
    authority = _read_pem(arguments.client_ca, "CERTIFICATE") if arguments.client_ca else ""
    text = ssl_config(
        _read_pem(arguments.key, "PRIVATE KEY"),
        _read_pem(arguments.certificate, "CERTIFICATE"),
        client_authority=authority,
    )
    os.write(sys.stdout.fileno(), text.encode("ascii"))


if __name__ == "__main__":
    main()
