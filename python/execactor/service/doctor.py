"""`execactor doctor`: what is wrong here, and how to put it right."""

import asyncio
import sys
from pathlib import Path

import click
import msgspec

from execactor.service import checks
from execactor.service.checks import Finding, Verdict
from execactor.service.exit_codes import Exit
from execactor.service.options import coloured, config_option, json_option
from execactor.service.tables import table

DEFAULT_CONFIG = Path("execactor.toml")
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


@click.command(epilog="Example: execactor doctor -c execactor.toml")
@config_option
@json_option
def doctor_command(config_file: Path | None, as_json: bool) -> int:
    """Check the installation and, with a configuration file, everything that the engine needs to run.

    Without -c, ./execactor.toml is checked if it exists. Exit codes: 0 no check failed (warnings may be there),
    1 at least one failed.
    """
    file = config_file or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    findings = asyncio.run(_examine(file))
    failed = any(finding.verdict is Verdict.FAIL for finding in findings)
    if as_json:
        click.echo(msgspec.json.encode({"ok": not failed, "findings": findings}))
    else:
        click.echo(table(("", "", ""), [_row(finding) for finding in findings]))
    return Exit.FAILED if failed else Exit.OK


async def _examine(file: Path | None) -> list[Finding]:
    findings = [*checks.extension(), *checks.sqlite()]
    if file is None:
        absent = "no -c and no execactor.toml here"
        findings.append(Finding("configuration", Verdict.WARN, absent, "start from examples/execactor.toml"))
        return findings
    config, finding = checks.settings(file)
    findings.append(finding)
    if config is not None:
        findings += [*checks.keys(config), *checks.permissions(config), *checks.disk(config)]
        clock, engine = await asyncio.gather(checks.clock(config), checks.engine(config))
        findings += [clock, *engine]
    return findings


def _row(finding: Finding) -> tuple[str, str, str]:
    verdict = str(finding.verdict)
    shown = click.style(verdict, fg=_COLOURS[finding.verdict]) if coloured(sys.stdout) else verdict
    return shown, finding.check, f"{finding.detail}; {finding.fix}" if finding.fix else finding.detail
