"""What the program says to bad input: one clear error for each, exit status 1 or 2, never a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from ginkgo_streams.config import load_settings
from ginkgo_streams.portfolios.store import open_store
from tests.servers.program import Program

CREATE = (
    "portfolio", "create", "--name", "A", "--user-id", "u", "--initial-cash", "100000", "--strategy-id", "trend_follow_strategy_uuid",
    "--risk-id", "position_ratio_risk_uuid", "--sizer-id", "fixed_amount_sizer_uuid",
)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--strategy-id", "no_such_uuid"), "strategy: unknown strategy 'no_such_uuid'"),
        (("--risk-id", "no_such_risk"), "unknown risk 'no_such_risk'"),
        (("--strategy-param", "short_period=five"), "short_period = 'five'"),
        (("--strategy-param", "colour=5"), "unknown parameter 'colour'"),
        (("--risk-param", "max_position_ratio=20"), "0.2 is 20 %"),
        (("--sizer-param", "amount=-5"), "amount = -5"),
        (("--initial-cash", "-1"), "initial_cash is -1: expected more than 0"),
        (("--initial-cash", "1.00001"), "initial_cash is 1.00001: expected at most 4 decimals"),
        (("--initial-cash", "NaN"), "initial_cash is NaN"),
        (("--name", " "), "name is ' '"),
        (("--codes", "ABC"), "ABC"),
    ],
)
def test_create_when_one_thing_is_wrong_then_it_is_named_and_nothing_is_created(
    ginkgo: Program, options: tuple[str, ...], told: str
) -> None:
    result = ginkgo(*CREATE, *options)
    assert result.code == 1
    assert told in result.err
    assert "Traceback" not in result.err
    assert open_store(load_settings()).list() == []


def test_create_when_several_things_are_wrong_then_all_are_told_at_once(ginkgo: Program) -> None:
    result = ginkgo(
        *CREATE, "--initial-cash", "0", "--strategy-id", "x", "--risk-param", "max_position_ratio=20", "--sizer-param", "amount=a"
    )
    assert all(word in result.err for word in ("initial_cash", "unknown strategy", "max_position_ratio = 20", "amount = 'a'"))


def test_create_when_kafka_is_unreachable_then_it_says_so_with_the_address_and_keeps_nothing(ginkgo: Program, nowhere: str) -> None:
    result = ginkgo(*CREATE)
    assert result.code == 1
    assert "[WARNING] Failed to connect to Kafka: No brokers available" in result.err  # tried again
    last = result.err.splitlines()[-1]
    assert last.startswith("[ERROR] Failed to connect to Kafka: No brokers available")
    assert nowhere in last
    assert last.endswith("Portfolio 'A' was not created")
    assert open_store(load_settings()).list() == []


def test_create_when_an_option_is_missing_or_no_number_then_usage_error(ginkgo: Program) -> None:
    assert ginkgo("portfolio", "create", "--name", "A").code == 2
    assert ginkgo(*CREATE, "--initial-cash", "much").code == 2
    assert ginkgo(*CREATE, "--sizer-param", "amount").code == 2
    result = ginkgo(*CREATE, "--risk-id", "loss_limit_risk_uuid", "--risk-param", "loss_limit=5")
    assert result.code == 2
    assert "expected RISK.NAME=VALUE for one of the risk managers given (position_ratio_risk_uuid, loss_limit_risk_uuid)" in result.err


def test_create_when_the_config_file_is_no_mapping_then_usage_error(ginkgo: Program, tmp_path: Path) -> None:
    for content in ("- a", "{"):
        (tmp_path / "c.yaml").write_text(content)
        assert ginkgo(*CREATE, "--config", str(tmp_path / "c.yaml")).code == 2


@pytest.mark.parametrize("command", ["status", "positions", "show", "start", "stop", "delete"])
def test_command_when_the_portfolio_is_unknown_then_exit_1_and_json_says_so(ginkgo: Program, command: str) -> None:
    result = ginkgo("portfolio", command, "no-such", "--json")
    assert result.code == 1
    assert json.loads(result.out) == {
        "error": True,
        "message": "there is no portfolio 'no-such'; `ginkgo portfolio list` shows those there are",
    }


def test_change_when_the_state_does_not_allow_it_then_refused_without_kafka(ginkgo: Program) -> None:
    portfolio_id = "0" * 36
    open_store(load_settings()).insert(portfolio_id, "A", "u", Decimal(1), {})
    result = ginkgo("portfolio", "stop", portfolio_id)
    assert (result.code, result.err) == (
        1,
        f"[ERROR] portfolio {portfolio_id} cannot be stopped: it is created, expected one of: running, stopping, error\n",
    )


def test_worker_when_the_settings_have_three_errors_then_all_are_listed_and_exit_1(ginkgo: Program, home: Path) -> None:
    (home / "config.yaml").write_text("kafka: {slots: 0, colour: red}\n")
    result = ginkgo("worker", "start", "--type", "execution_node", "--node-id", "a b")
    assert result.code == 1
    assert "3 errors in the configuration" in result.err


def test_worker_when_the_type_is_unknown_then_usage_error(ginkgo: Program) -> None:
    assert ginkgo("worker", "start", "--type", "scheduler").code == 2


def test_livecore_when_tushare_has_no_token_then_the_error_names_the_file(ginkgo: Program, home: Path) -> None:
    result = ginkgo("livecore", "start", "--data-source", "tushare", "--broker-type", "simulation")
    assert result.code == 1
    assert f"{home}/data_sources.yml: sources.tushare.token: missing" in result.err


def test_list_when_the_database_does_not_answer_then_its_address_is_told_and_no_password(
    ginkgo: Program, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GINKGO_DATABASE__URL", f"mysql+pymysql://u:hunter2@{nowhere}/g")
    result = ginkgo("portfolio", "list")
    assert result.code == 1
    assert nowhere in result.err
    assert "hunter2" not in result.err


def test_program_when_something_unexpected_is_raised_then_one_line_and_the_traceback_only_with_debug(
    ginkgo: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("ginkgo_streams.config.load_settings", broken)
    result = ginkgo("portfolio", "list")
    assert (result.code, result.err) == (1, "[ERROR] RuntimeError: boom; run again with `ginkgo --debug` for the details\n")
    with pytest.raises(RuntimeError):
        ginkgo("--debug", "portfolio", "list")


def test_program_when_interrupted_then_exit_130_and_no_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GINKGO_KAFKA__CONNECT_TIMEOUT", "60")
    process = subprocess.Popen(
        [sys.executable, "-m", "ginkgo_streams.cli.main", *CREATE],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background job inherits it ignored
    )
    assert process.stderr is not None
    assert "No brokers available" in process.stderr.readline()  # it is waiting for Kafka now
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert (process.returncode, rest) == (130, "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("stop", "--mode", "pause"), "'pause': give halt or reduce"),
        (("stop", "--code", "PINGAN"), "'PINGAN' is no code; write it as 000001.SZ"),
        (("start", "--code", "000001.SZ", "--portfolio", "p"), "give --portfolio or --code"),
        (("stop", "--timeout", "-1"), "--timeout"),
    ],
)
def test_engine_when_an_option_is_wrong_then_it_is_named_and_the_exit_status_is_2(
    ginkgo: Program, options: tuple[str, ...], told: str
) -> None:
    result = ginkgo("engine", *options)
    assert result.code == 2
    assert told in result.err
    assert "Traceback" not in result.err


def test_engine_when_there_is_no_such_portfolio_then_it_is_named_and_nothing_is_asked_of_kafka(ginkgo: Program) -> None:
    result = ginkgo("engine", "stop", "--portfolio", "nobody")
    assert result.code == 1
    assert "nobody" in result.err
    assert "Kafka" not in result.err


@pytest.mark.parametrize("command", ["stop", "start", "status"])
def test_engine_when_kafka_is_unreachable_then_it_says_so_with_the_address(ginkgo: Program, nowhere: str, command: str) -> None:
    result = ginkgo("engine", command)
    assert result.code == 1
    assert "Failed to connect to Kafka: No brokers available" in result.err
    assert nowhere in result.err
