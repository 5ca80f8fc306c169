"""The command `execactor`: each command's module is imported when it is used, so that --help stays fast."""

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence

import click

from execactor import __version__
from execactor.domain.errors import ExecactorError
from execactor.service.exit_codes import Exit

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("execactor.service.run", "Run the engine of one account."),
    "status": ("execactor.service.queries", "Show the engine's state."),
    "positions": ("execactor.service.queries", "Show every symbol's trade."),
    "orders": ("execactor.service.queries", "Show orders of the last 24 hours."),
    "trades": ("execactor.service.queries", "Show closed trades."),
    "kill": ("execactor.service.switches", "Cancel entries, close every position, stay off."),
    "reconcile": ("execactor.service.reconcile", "Compare with the venue now, or only show what differs."),
    "resume": ("execactor.service.switches", "Trade again after a kill, SAFE MODE or a pause."),
    "doctor": ("execactor.service.doctor", "Check this installation and its configuration."),
    "simulator": ("execactor.service.simulator", "Run a simulated venue on loopback."),
    "simulate": ("execactor.service.simulate", "Prove the engine in virtual time, under faults drawn by seed."),
    "demo": ("execactor.service.demo", "Trade three decisions on a simulated venue, with a kill -9 in mid-trade."),
}


class _Commands(click.Group):
    """Knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as above
        if cmd_name not in _COMMANDS:
            return None
        found = getattr(importlib.import_module(_COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 a check failed, 2 usage, 3 refused, 4 not trading (status --check), "
    "69 engine or venue unavailable, 70 internal, 77 permission, 78 configuration.",
)
@click.version_option(__version__, prog_name="execactor")
def execactor() -> None:
    """Execute trading decisions, with a venue-confirmed stop on every position."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors become one line on stderr."""
    try:
        result = execactor.main(
            args=None if arguments is None else list(arguments), prog_name="execactor", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _fail("interrupted", 128 + 2)
    except ExecactorError as error:
        failures = importlib.import_module("execactor.service.failures")
        return _fail(failures.sentence(error), failures.exit_code(error))
    except BrokenPipeError:
        # The reader of our output is gone; point stdout elsewhere so that the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception:  # noqa: BLE001  the last net: a defect is shown whole, with its own exit code
        traceback.print_exc()
        return Exit.INTERNAL
    return result if isinstance(result, int) else Exit.OK


def _fail(text: str, code: int) -> int:
    click.echo(f"execactor: {text}", err=True)
    return code
