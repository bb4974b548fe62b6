"""The far side as a process: ``python -m bench.far_side [--moto PORT] [--certificate FILE]``."""

from __future__ import annotations

import argparse
import asyncio
import ssl

from bench.far_side.server import FarSide, run


def main() -> None:
    """Serve until the parent closes standard input."""
    parser = argparse.ArgumentParser(prog="python -m bench.far_side", description=__doc__)
    parser.add_argument("--moto", type=int, metavar="PORT", help="hand AWS calls on to moto at this port")
    parser.add_argument("--certificate", metavar="FILE", help="PEM with key and certificate, to serve TLS too")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate)
    moto = None if options.moto is None else ("127.0.0.1", options.moto)
    asyncio.run(run(FarSide(moto), tls))


if __name__ == "__main__":
    main()
