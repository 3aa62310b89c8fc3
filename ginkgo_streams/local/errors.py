"""What can go wrong on the way to a running local stack: one line each, with the remedy."""

from __future__ import annotations

from pathlib import Path


class LocalError(Exception):
    """Anything that keeps the local stack from running. The text is one line: what is wrong, and what to do."""


class ProgramMissing(LocalError):
    """A program that has to be installed by the user is not on the PATH."""

    def __init__(self, program: str, remedy: str) -> None:
        self.program = program
        super().__init__(f"{program} is not on the PATH; {remedy}")


class JavaTooOld(LocalError):
    """The Java found is older than Kafka 4 needs."""

    def __init__(self, java: str, found: int, needed: int) -> None:
        super().__init__(f"{java} is Java {found}, Kafka needs {needed} or newer; install a JRE {needed}+ or set JAVA_HOME to one")


class PortTaken(LocalError):
    """A port that was asked for is in use."""

    def __init__(self, port: int, holder: str, server: str) -> None:
        self.port = port
        super().__init__(f"port {port} for {server} is taken by {holder}; stop that process or choose another port")


class DiskFull(LocalError):
    """Too little room for what is about to be written."""

    def __init__(self, folder: Path, purpose: str, free_mb: int, needed_mb: int) -> None:
        super().__init__(
            f"{folder} has {free_mb} MB free, {purpose} needs {needed_mb} MB; free some room or set GINKGO_HOME to a folder on another disk"
        )


class FetchFailed(LocalError):
    """A download did not succeed."""

    def __init__(self, what: str, reason: str, log: Path) -> None:
        super().__init__(f"{what} could not be fetched: {reason}; check the network and Maven's settings, the whole output is in {log}")


class ServerDied(LocalError):
    """A server ended while it was starting."""

    def __init__(self, server: str, code: int | None, reason: str, log: Path) -> None:
        super().__init__(f"{server} ended with status {code} while starting: {reason}; its log is {log}")


class NotReady(LocalError):
    """A server runs but did not answer in time."""

    def __init__(self, server: str, address: str, seconds: float, log: Path) -> None:
        super().__init__(f"{server} did not answer at {address} within {seconds:.0f} s; look into its log {log}")


class AlreadyRunning(LocalError):
    """Something is up that may be there only once."""
