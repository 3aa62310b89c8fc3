"""`ginkgo components`: which strategies, risk managers, sizers and selectors there are, what they take, and a new one of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from ginkgo_streams.cli import render

app = typer.Typer(
    help="List and describe strategies, risk managers, sizers and selectors; begin a new one.", no_args_is_help=True, rich_markup_mode=None
)
new = typer.Typer(help="Write a new component with a test.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(new, name="new")

KINDS = ("strategy", "risk", "sizer", "selector")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_components(
    kind: Annotated[str | None, typer.Option(help="Only these: strategy, risk, sizer or selector.")] = None, as_json: Json = False
) -> None:
    """List the components that are installed. Those that cannot be loaded are named with the reason."""
    from ginkgo_streams.components import find

    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    found = find()
    classes = sorted(dict.fromkeys(found.registry.classes.values()), key=lambda cls: (KINDS.index(cls.kind), cls.__name__))
    described = [describe(cls) for cls in classes if kind in (None, cls.kind)]
    if as_json:
        broken = [{"name": each.name, "entry_point": each.value, "error": each.error} for each in found.broken]
        render.show_json({"components": described, "broken": broken})
        return
    header = ("KIND", "NAME", "ID", "PARAMETERS")
    rows = [(each["kind"], each["name"], each["id"], ", ".join(p["name"] for p in each["parameters"]) or "-") for each in described]
    typer.echo("\n".join(render.columns(header, rows)))
    for each in found.broken:
        typer.echo(f"[ERROR] {each.name} ({each.value}) cannot be used: {each.error}", err=True)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of a component.")], as_json: Json = False) -> None:
    """Describe a component and its parameters: type, unit, bounds, default."""
    from ginkgo_streams.components import find

    found = find()
    classes = [cls for (_, key), cls in found.registry.classes.items() if key == name]
    if not classes:
        broken = next((f"{each.name} cannot be used: {each.error}" for each in found.broken if each.name == name), "")
        raise UnknownComponent(broken or f"there is no component {name!r}; see `ginkgo components list`")
    described = describe(classes[0])
    if as_json:
        render.show_json(described)
        return
    lines = [f"{described['name']} ({described['kind']}, {described['id']})", "", *described["text"].splitlines(), "", "Parameters:"]
    lines += [_parameter_line(parameter) for parameter in described["parameters"]] or ["(none)"]
    typer.echo("\n".join([*lines, "", f"From: {described['module']}"]))


@new.command("strategy")
def new_strategy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its class name, such as BreakoutStrategy.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write it; by default a folder of its name.")] = None,
    as_json: Json = False,
) -> None:
    """Write a package with a strategy that works, and its test."""
    from ginkgo_streams.cli import scaffold

    files = scaffold.new_strategy(name, folder)
    if as_json:
        render.show_json({"name": name, "files": [str(path) for path in files]})
        return
    typer.echo("\n".join([
        *(f"Written: {path}" for path in files),
        f"Test it:    python -m pytest {files[0].parent}",
        f"Install it: pip install -e {files[0].parent}   (on every node; then restart it)",
        f"See it:     ginkgo components show {name}",
    ]))  # fmt: skip


class UnknownComponent(Exception):
    """A name that no component has."""


def describe(cls: type[Any]) -> dict[str, Any]:
    """A component class as people and scripts see it."""
    import inspect

    import msgspec

    _, definitions = msgspec.json.schema_components([cls.Params], ref_template="{name}")
    schema = definitions[cls.Params.__name__]
    required = schema.get("required", [])
    return {
        "kind": cls.kind, "name": cls.__name__, "id": cls.component_id, "module": cls.__module__, "text": inspect.getdoc(cls) or "",
        "parameters": [_parameter(name, given, name in required) for name, given in cast(dict[str, Any], schema["properties"]).items()],
    }  # fmt: skip


BOUNDS = {
    "minimum": "at least {}", "exclusiveMinimum": "more than {}", "maximum": "at most {}", "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters", "minItems": "at least {}", "pattern": "matching {}",
}  # fmt: skip


def _parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    bounds = {key: schema[key] for key in BOUNDS if key in schema}
    return {
        "name": name, "type": _type(schema), "required": required, "default": schema.get("default"), "bounds": bounds,
        "choices": schema.get("enum", []), "description": schema.get("description", ""),
    }  # fmt: skip


def _type(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items') or {})}"
    return str(schema.get("type") or ("text" if "enum" in schema else "any")).replace("string", "text")


def _parameter_line(parameter: dict[str, Any]) -> str:
    limits = [BOUNDS[key].format(value) for key, value in parameter["bounds"].items()]
    limits += [f"one of {', '.join(map(str, parameter['choices']))}"] * bool(parameter["choices"])
    default = "required" if parameter["required"] else f"default {parameter['default']!r}"
    return f"- {parameter['name']}: {parameter['type']}, {', '.join([*limits, default])}: {parameter['description']}"
