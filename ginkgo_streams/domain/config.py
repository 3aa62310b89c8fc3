"""A portfolio's config: checked as a whole (all errors at once), and built into its components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_type_hints

import msgspec

from ginkgo_streams.domain.bars import FIELDS, MAX_LENGTH, SPANS, History, Interval, Need
from ginkgo_streams.domain.component import Kind, RiskManager, Selector, Sizer, Strategy
from ginkgo_streams.domain.registry import ComponentClass, Registry, builtin

MAX_SIGNAL_AGE = 5.0
"""Seconds of event time after which a signal is dropped (the update's own interval is added for bars)."""
MIN_SIGNAL_INTERVAL = 60.0
"""Seconds of event time within which the same code and direction is not signalled again."""

MAX_BARS = 2_000
"""Values of bars of a code that one portfolio may ask for, all intervals and fields together: the windows are made durable in messages
of some 80 codes, which have to stay under Kafka's 1 MB."""

ORDER_TIMEOUT = 0.0
"""Seconds of continuous trading without a fill after which what is left of an order is cancelled; 0: it stays until the day ends."""

_TIMES = {"max_signal_age": MAX_SIGNAL_AGE, "min_signal_interval": MIN_SIGNAL_INTERVAL, "order_timeout": ORDER_TIMEOUT}
_SECTIONS: dict[str, Kind] = {"strategy": "strategy", "sizer": "sizer", "selector": "selector"}
_KNOWN = (*_SECTIONS, "risk_managements", *_TIMES)


@dataclass(frozen=True, slots=True)
class Kit:
    """The components of one portfolio, built. `risks`: (key of its memo, name, risk manager), in configured order."""

    strategy: Strategy
    strategy_name: str
    risks: tuple[tuple[str, str, RiskManager], ...]
    sizer: Sizer
    sizer_name: str
    codes: frozenset[str] | None
    """Codes to watch, None for all."""
    interval: Interval
    """What the strategy looks at."""
    history: int
    """Closes of a code, of its interval, that the strategy needs."""
    needs: tuple[Need, ...]
    """What all components look at."""
    watching: tuple[tuple[str, str, RiskManager], ...]
    forcing: tuple[tuple[str, str, RiskManager], ...]
    checking: tuple[tuple[str, str, RiskManager], ...]
    """Those of `risks` that watch, force and check."""
    select: Callable[[History], Iterable[str]] | None
    """The selector's choice of a day, where it makes one."""
    selector_name: str
    max_age: int
    """ms"""
    min_interval: int
    """ms"""
    order_timeout: int
    """ms, 0: none"""


class BadConfig(ValueError):
    """A config with errors; `errors` has one sentence for each."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = list(errors)


def validate_config(config: Mapping[str, Any], registry: Registry = builtin) -> list[str]:
    """Everything that is wrong with a config, one sentence each; empty where it is good."""
    try:
        build(config, registry)
    except BadConfig as error:
        return error.errors
    return []


def build(config: Mapping[str, Any], registry: Registry = builtin) -> Kit:
    """The components of a config. Raises BadConfig with all its errors."""
    errors: list[str] = []
    if not isinstance(config, Mapping):
        raise BadConfig([f"config is {type(config).__name__}, not an object with strategy, risk_managements and sizer"])
    errors += [f"config has an unknown key {key!r}; known: {', '.join(_KNOWN)}" for key in config if key not in _KNOWN]
    strategy = _component(config.get("strategy"), "strategy", "strategy", registry, errors)
    sizer = _component(config.get("sizer"), "sizer", "sizer", registry, errors)
    selector = _component(config.get("selector") or {"name": "AllSelector"}, "selector", "selector", registry, errors)
    given = config.get("risk_managements", [])
    if not isinstance(given, (list, tuple)):
        errors.append(f"risk_managements is {type(given).__name__}, not a list")
        given = []
    risks = [_component(one, f"risk_managements[{i}]", "risk", registry, errors) for i, one in enumerate(given)]
    times = {name: _seconds(config.get(name, default), name, errors) for name, default in _TIMES.items()}
    needs: list[Need] = []
    codes: tuple[str, ...] | None = None
    for component in (strategy, sizer, selector, *risks):
        if component is not None:
            try:
                needs += _needs(component, errors)
                codes = cast(Selector, selector).codes() if component is selector else codes
            except Exception as error:  # as with a constructor: a config of a user's component may be wrong, and nothing else
                errors.append(f"{type(component).__name__} raised {type(error).__name__}: {error}")
    if sum(need.length * len(need.fields) for need in needs if need.interval != "tick") > MAX_BARS:
        errors.append(f"the components look at more than {MAX_BARS} values of bars of each code; take shorter periods or longer bars")
    if errors:
        raise BadConfig(errors)
    made = cast(Strategy, strategy)
    named = tuple((f"{i}:{type(risk).__name__}", type(risk).__name__, cast(RiskManager, risk)) for i, risk in enumerate(risks))
    return Kit(
        strategy=made, strategy_name=type(strategy).__name__, risks=named, sizer=cast(Sizer, sizer), sizer_name=type(sizer).__name__,
        codes=None if codes is None else frozenset(codes), interval=getattr(strategy, "interval", "tick"), history=int(made.history()),
        needs=tuple(needs), watching=_with("watch", named), forcing=_with("force", named), checking=_with("check", named),
        select=getattr(selector, "select", None), selector_name=type(selector).__name__,
        max_age=times["max_signal_age"], min_interval=times["min_signal_interval"], order_timeout=times["order_timeout"],
    )  # fmt: skip


def _with(method: str, risks: tuple[tuple[str, str, RiskManager], ...]) -> tuple[tuple[str, str, RiskManager], ...]:
    return tuple(named for named in risks if hasattr(named[2], method))


def _needs(component: Any, errors: list[str]) -> list[Need]:
    """What a component looks at."""
    name = type(component).__name__
    found: list[Need] = []
    if component.kind == "strategy":
        found.append(Need(getattr(component, "interval", "tick"), int(component.history())))
    if hasattr(component, "needs"):
        found += component.needs()
    for need in found:
        if need.interval not in ("tick", *SPANS) or not set(need.fields) <= set(FIELDS):
            errors.append(f"{name} needs {need}: intervals are tick, {', '.join(SPANS)}, and fields {', '.join(FIELDS)}")
        elif not 1 <= need.length <= MAX_LENGTH + 1:
            errors.append(f"{name} looks at {need.length} values of a code; 1 to {MAX_LENGTH + 1} can be kept")
    return found


def _seconds(value: Any, name: str, errors: list[str]) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86_400:
        errors.append(f"{name} = {value!r} is no number of seconds from 0 to 86400")
        return 0
    return round(value * 1000)


def _component(given: Any, where: str, kind: Kind, registry: Registry, errors: list[str]) -> object | None:
    """A component from `{"<kind>_id": …, "name": …, "params": {…}}`; id or name is enough."""
    if not isinstance(given, Mapping):
        missing = "is missing" if given is None else f"is {type(given).__name__}"
        errors.append(f'{where} {missing}; give an object such as {{"name": "{registry.names(kind)[0]}", "params": {{}}}}')
        return None
    id_key = f"{kind}_id"
    known = (id_key, "name", "params")
    errors += [f"{where} has an unknown key {key!r}; known: {', '.join(known)}" for key in given if key not in known]
    found = {key: registry.find(kind, given[key]) for key in (id_key, "name") if isinstance(given.get(key), str)}
    classes = {cls for cls in found.values() if cls is not None}
    if not classes:
        asked = given.get("name") or given.get(id_key)
        errors.append(f"{where}: unknown {kind} {asked!r}; known: {', '.join(registry.names(kind))}")
        return None
    if len(classes) > 1:
        errors.append(f"{where}: {id_key} {given[id_key]!r} and name {given['name']!r} are different components; give one of them")
        return None
    return _built(classes.pop(), given.get("params") or {}, where, errors)


def _built(cls: ComponentClass, params: Any, where: str, errors: list[str]) -> object | None:
    label = f"{where} {cls.__name__}"
    if not isinstance(params, Mapping):
        errors.append(f"{label}: params is {type(params).__name__}, not an object")
        return None
    before = len(errors)
    hints = get_type_hints(cls.Params, include_extras=True)
    fields = {f.encode_name: f for f in msgspec.structs.fields(cls.Params)}
    for name, value in params.items():
        if name not in fields:
            errors.append(f"{label}: unknown parameter {name!r}; known: {', '.join(fields) or 'none'}")
            continue
        try:
            msgspec.convert(value, hints[fields[name].name])
        except msgspec.ValidationError as error:
            errors.append(f"{label}: {name} = {value!r}: {error}{_description(hints[fields[name].name])}")
    errors += [
        f"{label}: parameter {name!r} is missing{_description(hints[field.name])}"
        for name, field in fields.items()
        if field.required and name not in params
    ]
    if len(errors) > before:
        return None
    try:
        return cast(object, cls(msgspec.convert(params, cls.Params)))
    except (msgspec.ValidationError, ValueError) as error:
        errors.append(f"{label}: {error}")
    except Exception as error:  # a user's code may raise anything, and that is an error of this config alone
        errors.append(f"{label} raised {type(error).__name__}: {error}")
    return None


def _description(hint: Any) -> str:
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return f" ({meta.description})"
    return ""
