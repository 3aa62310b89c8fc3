"""Components of other packages, and the commands about components."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ginkgo_streams import components
from ginkgo_streams.cli import scaffold
from ginkgo_streams.domain.config import validate_config
from ginkgo_streams.domain.registry import builtin
from tests.servers.program import Program, ginkgo

__all__ = ["ginkgo"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What is installed is looked up anew."""
    components.find.cache_clear()
    yield
    components.find.cache_clear()


def installed_package(folder: Path, monkeypatch: pytest.MonkeyPatch, points: str, **modules: str) -> None:
    """A package with these entry points, on the path as pip would put it there."""
    info = folder / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{components.GROUP}]\n{points}\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))


SIZER = """
import msgspec
class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass
class HundredSizer:
    '''A hundred shares.'''
    kind = "sizer"
    component_id = "hundred_sizer_uuid"
    Params = Params
    def __init__(self, params): pass
    def volume(self, proposal, account): return 100
class RatioSizer(HundredSizer):
    component_id = "other"
class NoSizer(HundredSizer):
    volume = None
"""


def test_package_with_a_component_then_portfolios_can_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed_package(tmp_path, monkeypatch, "HundredSizer = hundred:HundredSizer", hundred=SIZER)
    config = {"strategy": {"name": "TrendFollowStrategy"}, "sizer": {"sizer_id": "hundred_sizer_uuid"}}
    assert validate_config(config, components.installed()) == []
    assert validate_config(config, builtin) != []
    assert set(components.installed().names("strategy")) == {*builtin.names("strategy"), "ModelStrategy"}


def test_component_that_cannot_be_used_then_the_others_can_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ginkgo: Program
) -> None:
    values = ("hundred:HundredSizer", "nowhere:X", "hundred:RatioSizer", "hundred:NoSizer", "bad:Y", "hundred:SIZE")
    points = "\n".join(f"{name} = {value}" for name, value in zip("ABCDEF", values, strict=True))
    installed_package(tmp_path, monkeypatch, points, hundred=SIZER, bad="1 / 0")
    found = {each.name: each.error for each in components.find().broken}
    assert found == {
        "B": "ModuleNotFoundError: No module named 'nowhere'",
        "C": f"ValueError: sizer 'RatioSizer' is registered twice: by {builtin.classes['sizer', 'RatioSizer'].__module__} and hundred",
        "D": "TypeError: it is no component: a sizer needs the method volume",
        "E": "ZeroDivisionError: division by zero",
        "F": "AttributeError: module 'hundred' has no attribute 'SIZE'",
    }
    assert "HundredSizer" in components.installed().names("sizer")
    listed = ginkgo("components", "list", "--kind", "sizer", "--json")
    assert listed.code == 0
    assert {each["name"] for each in json.loads(listed.out)["broken"]} == set(found)
    assert ginkgo("components", "show", "B").err.startswith("[ERROR] B cannot be used: ModuleNotFoundError")


def test_list_then_has_every_component_of_the_specification(ginkgo: Program) -> None:
    listed = json.loads(ginkgo("components", "list", "--json").out)["components"]
    names = {(each["kind"], each["name"]) for each in listed}
    assert names >= {("strategy", f"{name}Strategy") for name in (
        "TrendFollow", "MeanReversion", "Momentum", "DualThrust", "VolumeBreakout", "CrossSectionalMomentum", "Model", "RandomSignal",
    )}  # fmt: skip
    assert names >= {("risk", f"{name}Risk") for name in (
        "PositionRatio", "LossLimit", "ProfitTarget", "MaxDrawdown", "TradingTime", "Capital", "Liquidity", "Volatility", "Correlation",
        "HoldingPeriod", "Suspension", "PriceLimit",
    )}  # fmt: skip
    assert names >= {("sizer", f"{name}Sizer") for name in ("FixedAmount", "FixedVolume", "Ratio", "ATR")}
    assert names >= {("selector", f"{name}Selector") for name in ("Fixed", "All", "Momentum", "Turnover")}
    assert len({each["id"] for each in listed}) == len(listed)
    lines = ginkgo("components", "list", "--kind", "selector").out.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "ID", "PARAMETERS"]
    assert lines[2].split() == ["selector", "FixedSelector", "fixed_selector_uuid", "codes"]


def test_every_parameter_then_has_type_description_and_default_or_is_required(ginkgo: Program) -> None:
    for each in json.loads(ginkgo("components", "list", "--json").out)["components"]:
        assert each["text"], each["name"]
        for parameter in each["parameters"]:
            assert parameter["type"] != "any", (each["name"], parameter)
            assert parameter["description"], (each["name"], parameter)
            assert parameter["required"] or parameter["default"] is not None
            if parameter["type"] in ("integer", "number") and each["name"] != "ModelStrategy":  # a score may be any number
                assert {"minimum", "exclusiveMinimum"} & parameter["bounds"].keys(), (each["name"], parameter)
                assert {"maximum", "exclusiveMaximum"} & parameter["bounds"].keys(), (each["name"], parameter)


def test_show_then_says_what_a_component_takes(ginkgo: Program) -> None:
    for name in ("MeanReversionStrategy", "mean_reversion_strategy_uuid"):
        lines = ginkgo("components", "show", name).out.splitlines()
        assert lines[0] == "MeanReversionStrategy (strategy, mean_reversion_strategy_uuid)"
        assert "- period: integer, at least 2, at most 999, default 20: closes in mean and standard deviation" in lines
    unknown = ginkgo("components", "show", "Nothing", "--json")
    assert (unknown.code, json.loads(unknown.out)["error"]) == (1, True)
    assert ginkgo("components", "list", "--kind", "signal").code == 2


def test_new_strategy_then_its_tests_pass_and_pip_installs_it_where_ginkgo_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ginkgo: Program
) -> None:
    monkeypatch.chdir(tmp_path)
    written = json.loads(ginkgo("components", "new", "strategy", "HighLowXStrategy", "--json").out)["files"]
    assert [Path(path).name for path in written] == ["pyproject.toml", "high_low_x_strategy.py", "test_high_low_x_strategy.py"]
    root = Path(__file__).parents[3]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "high_low_x_strategy"]
    tested = subprocess.run(pytest_, capture_output=True, text=True, env=environment)
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout
    strict = [sys.executable, "-m", "ruff", "check", "--isolated", "high_low_x_strategy"]
    assert subprocess.run(strict, capture_output=True, text=True).stdout == "All checks passed!\n"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", "site", "./high_low_x_strategy"]
    done = subprocess.run(pip, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    shown = json.loads(ginkgo("components", "show", "HighLowXStrategy", "--json").out)
    assert (shown["kind"], shown["id"], shown["module"]) == ("strategy", "high_low_x_strategy_uuid", "high_low_x_strategy")


def test_new_strategy_when_a_file_is_there_or_the_name_is_none_then_writes_nothing(tmp_path: Path, ginkgo: Program) -> None:
    scaffold.new_strategy("MineStrategy", tmp_path / "mine")
    (tmp_path / "mine" / "mine_strategy.py").write_text("my own")
    refused = ginkgo("components", "new", "strategy", "MineStrategy", "--folder", str(tmp_path / "mine"))
    assert refused.code == 1
    assert "is there already" in refused.err
    assert (tmp_path / "mine" / "mine_strategy.py").read_text() == "my own"
    assert "is no name of a strategy" in ginkgo("components", "new", "strategy", "my-strategy", "--folder", str(tmp_path / "x")).err
    assert not (tmp_path / "x").exists()
