"""Texts from templates that lie beside the code that fills them in; in HTML and SVG whatever is filled in is escaped."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from training import text

_PACKAGE = Path(__file__).parent


def template(name: str) -> Template:
    """The template in a file of this package, `insight/report.html.j2`, which may call functions of `training.text`."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PACKAGE),
        autoescape=select_autoescape(("html.j2", "svg.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = (text.agree, text.count, text.shorten, text.with_interval)
    environment.globals |= {function.__name__: function for function in shown}
    return environment
