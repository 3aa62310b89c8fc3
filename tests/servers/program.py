"""The program `ginkgo` run inside the test's process: its arguments in, exit status and output out."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


class Program:
    """Runs commands of `ginkgo`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Result:
        """Runs one command. The exit status is that of the process."""
        from ginkgo_streams.cli.main import main

        self._monkeypatch.setattr(sys, "argv", ["ginkgo", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        output = self._capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int), code
        return Result(code or 0, output.out, output.err)


@pytest.fixture
def ginkgo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program."""
    return Program(monkeypatch, capsys)
