"""`ginkgo portfolio create`: from options or a file to a portfolio that runs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from ginkgo_streams.cli import render

Params = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter, may be given more than once.")]
RiskParams = Annotated[
    list[str] | None,
    typer.Option(metavar="[RISK.]NAME=VALUE", help="A parameter of a risk manager, named by its id where there are several."),
]


def create(
    name: Annotated[str, typer.Option(help="Its name, unique per user.")],
    user_id: Annotated[str, typer.Option(help="Its owner.")],
    initial_cash: Annotated[str, typer.Option(metavar="CNY", help="Cash to begin with.")],
    strategy_id: Annotated[str | None, typer.Option(help="Id or name of the strategy.")] = None,
    risk_id: Annotated[list[str] | None, typer.Option(help="Id or name of a risk manager, may be given more than once.")] = None,
    sizer_id: Annotated[str | None, typer.Option(help="Id or name of the sizer.")] = None,
    selector_id: Annotated[str | None, typer.Option(help="Id or name of the selector.")] = None,
    codes: Annotated[str | None, typer.Option(help="Codes to watch, with commas between them: FixedSelector.")] = None,
    strategy_param: Params = None,
    risk_param: RiskParams = None,
    sizer_param: Params = None,
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="YAML or JSON file with the config; options go before it."),
    ] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it, or only create it.")] = True,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it runs (up to 30 s), where a node is there.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create a portfolio, which starts as soon as a node is up."""
    from ginkgo_streams.config import load_settings
    from ginkgo_streams.portfolios.create import NewPortfolio, create_portfolio
    from ginkgo_streams.portfolios.store import open_store

    built = read_config(config) if config is not None else {}
    _set(built, "strategy", "strategy_id", strategy_id, pairs(strategy_param, "--strategy-param"), "--strategy-param")
    _set(built, "sizer", "sizer_id", sizer_id, pairs(sizer_param, "--sizer-param"), "--sizer-param")
    chosen = [code.strip() for code in codes.split(",") if code.strip()] if codes is not None else None
    selector = selector_id or ("FixedSelector" if chosen is not None and "selector" not in built else None)
    _set(built, "selector", "selector_id", selector, {} if chosen is None else {"codes": chosen}, "--codes")
    if risk_id:
        built["risk_managements"] = [{"risk_id": one, "params": {}} for one in risk_id]
    _set_risks(built.get("risk_managements") or [], pairs(risk_param, "--risk-param"))

    settings = load_settings()
    store = open_store(settings)
    portfolio_id = create_portfolio(settings, store, NewPortfolio(name, user_id, _cash(initial_cash), built), start=start)
    if not as_json:
        typer.echo(f"Portfolio created: {portfolio_id}")  # before the wait: whatever happens now, it is there
    code = _observed(settings, store, portfolio_id, start, wait, as_json)
    raise typer.Exit(code)


def _observed(settings: Any, store: Any, portfolio_id: str, start: bool, wait: bool, as_json: bool) -> int:
    """Says what was seen of it, and gives the exit status: 1 where it is in error, or did not start though all who are needed run."""
    from ginkgo_streams.portfolios.control import absent, wait_for

    wanted = "running" if start else "created"
    done, status, text = (
        True,
        "created",
        "It starts when a node has it" if start else f"Start it with: ginkgo portfolio start {portfolio_id}",
    )
    if wait and (missing := absent(settings)):
        text = f"{missing}: it is kept and {'starts' if start else 'is taken'} when it is up"
    elif wait:
        outcome = wait_for(settings, store, portfolio_id, wanted, taken=True)
        done, status = outcome.done, outcome.status
        text = outcome.text if start or not done else text
    if as_json:
        render.show_json({"portfolio_id": portfolio_id, "done": done, "status": status, "message": text})
    else:
        typer.echo(text if done else f"[ERROR] {text}", err=not done)
    return 0 if done else 1


def _cash(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a number", param_hint="--initial-cash") from None


def read_config(path: Path) -> dict[str, Any]:
    """A YAML or JSON file with a mapping. Raises BadParameter."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is neither YAML nor JSON: {error}", param_hint="--config") from None
    if not isinstance(content, dict):
        raise typer.BadParameter(f"{path}: expected a mapping with strategy, risk_managements, sizer", param_hint="--config")
    return content


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, Any]:
    """NAME=VALUE texts; a value is read as YAML, so that 5 is a number and true is a truth value."""
    import yaml

    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name.strip() and equals):
            raise typer.BadParameter(f"{text!r}: expected NAME=VALUE", param_hint=option)
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[name.strip()] = value
    return found


def _set(config: dict[str, Any], section: str, key: str, component: str | None, params: dict[str, Any], option: str) -> None:
    """Puts a component and its parameters into the config; parameters alone go to the component that is there."""
    if component is not None:
        config[section] = {key: component, "params": params}
    elif params:
        if not isinstance(config.get(section), dict):
            raise typer.BadParameter(f"there is no {section} that it could be for; give --{section}-id", param_hint=option)
        config[section] = {**config[section], "params": {**(config[section].get("params") or {}), **params}}


def _set_risks(risks: list[Any], params: dict[str, Any]) -> None:
    """Gives each parameter to the risk manager that it names, or to the only one."""
    for name, value in params.items():
        owner, dot, parameter = name.rpartition(".")
        found = [risk for risk in risks if isinstance(risk, dict) and (not dot or owner in (risk.get("risk_id"), risk.get("name")))]
        if len(found) != 1:
            known = ", ".join(str(risk.get("risk_id") or risk.get("name")) for risk in risks if isinstance(risk, dict)) or "none"
            raise typer.BadParameter(
                f"{name!r}: expected RISK.NAME=VALUE for one of the risk managers given ({known})", param_hint="--risk-param"
            )
        found[0]["params"] = {**(found[0].get("params") or {}), parameter: value}
