"""The wheel holds everything, under the right names; and `import ginkgo` is light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = ("ginkgo", "ginkgo_streams", "agents", "tables")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, built from a copy, as the build leaves its traces in the source tree."""
    source = tmp_path_factory.mktemp("source")
    for name in _SOURCES:
        shutil.copytree(_ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        if (_ROOT / name).exists():
            shutil.copy(_ROOT / name, source / name)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "-q"]
    done = subprocess.run([*command, "-w", str(target), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(target / "unpacked")
    return target / "unpacked"


def _files(folder: Path, *patterns: str) -> set[str]:
    """Paths below the folder, links followed, as they are imported."""
    return {
        str(Path(root, name).relative_to(folder))
        for top in ("ginkgo", "ginkgo_streams")
        for root, _, names in os.walk(folder / top, followlinks=True)
        for name in names
        if any(name.endswith(pattern) for pattern in patterns)
    }


def test_wheel_when_built_then_holds_every_module_and_data_file(wheel: Path) -> None:
    wanted = _files(_ROOT, ".py", ".xml", ".mako", ".ini", ".typed", ".properties")
    assert {"ginkgo_streams/local/kafka-pom.xml", "ginkgo_streams/py.typed"} <= wanted
    for folder in ("agents", "tables", "storage/migrations/versions"):
        assert any(name.startswith(f"ginkgo_streams/{folder}/") for name in wanted), folder
    assert wanted - _files(wheel, "") == set()


def test_wheel_when_built_then_has_no_other_top_level_names(wheel: Path) -> None:
    tops = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"ginkgo", "ginkgo_streams"}


@pytest.mark.parametrize("folder", ["agents", "tables"])
def test_links_when_checked_out_then_lead_to_folders_without_an_init(folder: str) -> None:
    link = _ROOT / "ginkgo_streams" / folder
    assert link.is_symlink()
    assert os.readlink(link) == f"../{folder}"
    assert not (_ROOT / folder / "__init__.py").exists()
    assert list((_ROOT / folder).rglob("*.py")) != []


def test_import_of_ginkgo_from_the_wheel_then_loads_nothing_heavy(wheel: Path) -> None:
    code = "import sys, ginkgo; print(ginkgo.__file__); print(*sorted({name.split('.')[0] for name in sys.modules}))"
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=wheel.parent)
    where, loaded = done.stdout.splitlines()
    assert Path(where).is_relative_to(wheel)
    heavy = {"faust", "mode", "aiokafka", "rocksdict", "numpy", "pandas", "sqlalchemy", "pydantic", "aiohttp", "exchange_calendars"}
    assert heavy & set(loaded.split()) == set()


def test_app_of_ginkgo_when_asked_for_then_is_not_a_module() -> None:
    assert not (_ROOT / "ginkgo" / "app.py").exists()  # it would hide the lazy attribute that `faust -A ginkgo` reads
