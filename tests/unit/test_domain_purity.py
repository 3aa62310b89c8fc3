"""The kernel is pure: by its imports and by what it calls. No clock, no chance, no I/O, nothing of Ginkgo outside it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import ginkgo_streams.domain

_DOMAIN = Path(ginkgo_streams.domain.__file__).parent
_ROOT = "ginkgo_streams.domain"

_PACKAGES = {"msgspec", "numpy", _ROOT}
_STANDARD = {
    "__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools",
    "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "statistics", "string", "struct", "types", "typing", "uuid", "zlib",
    "zoneinfo",
}  # fmt: skip
"""What of the standard library a pure function may want; what is not here needs a reason and a line here."""

_BANNED_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "hash", "id"}
"""hash and id of text and objects differ from process to process, so a replay would differ from the first run."""
_BANNED_NAMES = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "uuid.uuid1", "uuid.uuid4", "uuid.getnode", "np.random",
    "numpy.random", "np.load", "np.save", "np.fromfile", "np.loadtxt", "np.savetxt", "np.genfromtxt", "np.memmap",
}  # fmt: skip
_BANNED_FROM = {"uuid": {"uuid1", "uuid4", "getnode"}, "numpy": {"random", "load", "save", "fromfile", "loadtxt", "savetxt", "memmap"}}


def impurities(source: str) -> list[str]:
    """What in the source is not allowed in the kernel, with its line."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            found += [f"{line}: import {alias.name}" for alias in node.names if not _importable(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level or not _importable(module):
                found.append(f"{line}: from {'.' * node.level}{module} import")
            banned = _BANNED_FROM.get(module, set())
            found += [f"{line}: from {module} import {alias.name}" for alias in node.names if alias.name in banned]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BANNED_CALLS:
            found.append(f"{line}: {node.func.id}()")
        elif isinstance(node, ast.Attribute) and any(ast.unparse(node).endswith(name) for name in _BANNED_NAMES):
            found.append(f"{line}: {ast.unparse(node)}")
    return found


def _importable(module: str) -> bool:
    if any(module == name or module.startswith(f"{name}.") for name in _BANNED_NAMES):
        return False
    if module.split(".")[0] in sys.stdlib_module_names:
        return module.split(".")[0] in _STANDARD
    return any(module == package or module.startswith(f"{package}.") for package in _PACKAGES)


@pytest.mark.parametrize("path", sorted(_DOMAIN.rglob("*.py")), ids=lambda path: str(path.relative_to(_DOMAIN)))
def test_domain_file_when_scanned_then_is_pure(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random",
        "import os.path",
        "from os import environ",
        "import secrets",
        "import asyncio",
        "import faust",
        "import ginkgo_streams.messages",
        "from ginkgo_streams import messages",
        "from ginkgo_streams.domains import x",
        "from . import events",
        "from datetime import datetime\nt = datetime.now()",
        "import datetime as dt\nt = dt.datetime.utcnow()",
        "from datetime import date\nt = date.today()",
        "import uuid\ni = uuid.uuid4()",
        "from uuid import uuid4",
        "import numpy as np\nr = np.random.default_rng()",
        "import numpy as np\nx = np.random.default_rng",
        "from numpy import random",
        "import numpy.random",
        "import numpy as np\nx = np.load('f')",
        "open('f')",
        "print(1)",
        "hash('a')",
    ],
)
def test_impure_source_when_scanned_then_is_found(source: str) -> None:
    assert impurities(source) != []


@pytest.mark.parametrize(
    "source",
    ["import uuid\nuuid.uuid5(uuid.NAMESPACE_OID, 'a')", "import numpy as np\nnp.zeros(3)", "from ginkgo_streams.domain import events"],
)
def test_pure_source_when_scanned_then_passes(source: str) -> None:
    assert impurities(source) == []
