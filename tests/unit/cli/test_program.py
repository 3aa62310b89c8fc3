"""The program as a whole."""

from __future__ import annotations

import subprocess
import sys

from tests.servers.program import Program


def test_help_when_asked_then_names_the_commands(ginkgo: Program) -> None:
    result = ginkgo("--help")
    assert result.code == 0
    assert all(name in result.out for name in ("portfolio", "worker", "livecore"))


def test_list_when_there_is_nothing_then_says_so(ginkgo: Program) -> None:
    assert ginkgo("portfolio", "list").out == "No portfolios\n"
    assert ginkgo("portfolio", "list", "--json").out == "[]\n"


def test_import_when_only_the_facade_is_loaded_then_nothing_heavy_is() -> None:
    code = (
        "import sys; import ginkgo; from ginkgo import services; from ginkgo.data.models import MPortfolio; import ginkgo.libs.decorators; "
        "print([m for m in ('faust', 'sqlalchemy', 'pydantic', 'aiokafka', 'numpy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
