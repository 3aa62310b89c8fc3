"""What `faust -A ginkgo` and `faust -A ginkgo.livecore` find."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _python(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "GINKGO_HOME": str(home)}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("module", "group"), [("ginkgo", "execution_node_group"), ("ginkgo.livecore", "livecore_group")])
def test_app_when_faust_looks_for_it_then_it_is_the_one_app_of_the_settings(module: str, group: str, tmp_path: Path) -> None:
    code = f"from faust.cli.base import find_app; import {module} as m; app = find_app('{module}'); print(app.conf.id, m.app is app)"
    done = _python(code, tmp_path)
    assert (done.stdout, done.returncode) == (f"{group} True\n", 0), done.stderr


def test_app_when_the_settings_are_wrong_then_all_errors_and_exit_1_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("kafka: {slots: 0, colour: red}\n")
    done = _python("import ginkgo; ginkgo.app", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("[ERROR] 2 errors in the configuration:")
    assert "Traceback" not in done.stderr
