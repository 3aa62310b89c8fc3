"""A home folder of the test's own, no Kafka, and the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ginkgo_streams.local.ports import free_port
from tests.servers.program import ginkgo

__all__ = ["ginkgo", "home", "nowhere"]


@pytest.fixture
def nowhere() -> str:
    """An address at which nothing listens."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nowhere: str) -> Path:
    monkeypatch.setenv("GINKGO_HOME", str(tmp_path))
    monkeypatch.setenv("GINKGO_KAFKA__BOOTSTRAP_SERVERS", nowhere)
    monkeypatch.setenv("GINKGO_KAFKA__CONNECT_TIMEOUT", "0.2")
    return tmp_path
