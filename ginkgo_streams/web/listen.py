"""The socket of a node's web views: bound before anything else starts, so that a port that is taken is said at once."""

from __future__ import annotations

import errno
import socket

from ginkgo_streams.local.errors import PortTaken
from ginkgo_streams.local.ports import holder

DEFAULT_PORT = 6066
"""Faust's own. Where it is taken, and no port was asked for, any free one is used: nodes of one machine need no settings."""

EVERYWHERE = ("0.0.0.0", "::")


class CannotListen(Exception):
    """The address of the web views cannot be bound."""


def listen(host: str, port: int, *, exactly: bool) -> socket.socket:
    """A listening socket on host:port; where the port is taken and `exactly` is false, on a free one.

    Raises CannotListen with who holds the port, or with what is wrong about the host.
    """
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise CannotListen(f"web.host {host!r} port {port}: {error.strerror or error}; use an address of this machine") from error
        if exactly:
            taken = PortTaken(port, holder(port), "the web views (web.port)")
            raise CannotListen(str(taken)) from error
    return _bound(host, 0)


def reached_at(sock: socket.socket, advertised: str | None) -> str:
    """ "HOST:PORT" as other nodes write it. advertised: the host; None takes the bound one, or this machine's name where that is all."""
    host, port = sock.getsockname()[:2]
    name = advertised or (socket.gethostname() if host in EVERYWHERE else host)
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family)
