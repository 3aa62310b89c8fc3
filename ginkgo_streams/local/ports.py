"""TCP ports: a free one, and who holds one that is not."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import psutil

from ginkgo_streams.local.errors import LocalError, PortTaken

HOST = "127.0.0.1"
_FIRST = 15_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A free port below the range that the kernel gives to outgoing connections.

    A port of that range would not do for a server that restarts on it: while it is down a client that
    retries can be given the very port as its own side, connects to itself, and the server never binds again.
    """
    low = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32_768
    for _ in range(200):
        port = random.randrange(_FIRST, max(low, _FIRST + 1000))
        if is_free(port):
            return port
    raise LocalError(f"no free port between {_FIRST} and {low} on {HOST}; stop some servers")


def is_free(port: int) -> bool:
    """Whether a server could bind `port` on the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def answers(host: str, port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts connections at host:port. timeout: seconds."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False


def holder(port: int) -> str:
    """Who listens on `port`, for people: "mysqld (pid 12)", or "another process" where that may not be seen."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # not ours to see (macOS, other users' processes): the message does without the name
    return "another process"


def require_free(port: int, server: str) -> None:
    """Raises PortTaken where `server` could not bind `port`."""
    if not is_free(port):
        raise PortTaken(port, holder(port), server)
