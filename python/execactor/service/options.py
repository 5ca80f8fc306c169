"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

config_option = click.option(
    "-c",
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The engine's configuration file.",
)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("run"),
    show_default=True,
    metavar="DIR",
    help="The engine's data directory; -c takes precedence.",
)

exit_with_parent_option = click.option(
    "--exit-with-parent",
    is_flag=True,
    help="Stop when standard input ends, so that no process outlives the one that started it.",
)


def finds_engine(command: Decorated) -> Decorated:
    """Adds -c and --data-dir, by which a command finds its engine."""
    return config_option(data_dir_option(command))


def coloured(stream: IO[str]) -> bool:
    """Whether text on `stream` may carry colours: a terminal, and no NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")
