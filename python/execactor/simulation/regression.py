"""Plans that broke something once, kept as files and run with the tests for ever after."""

from pathlib import Path

import msgspec

from execactor.simulation.plan import Plan
from execactor.simulation.trial import Verdict


class Regression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan and what it broke when it was found; problems: sentences of that day."""

    broken: tuple[str, ...]
    problems: tuple[str, ...]
    plan: Plan


def keep(plan: Plan, verdict: Verdict, directory: Path) -> Path:
    """Write the plan and what it broke into a file of that directory, named by seed and check."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"seed-{plan.seed}-{verdict.broken[0]}.json"
    found = Regression(broken=verdict.broken, problems=verdict.problems, plan=plan)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return path


def read_plan(path: Path) -> Plan:
    """The plan of a file, which holds a plan or a regression.

    Raises OSError when it cannot be read and ValueError when it is neither.
    """
    raw = path.read_bytes()
    try:
        fields = msgspec.json.decode(raw)
        if isinstance(fields, dict) and "plan" in fields:
            return msgspec.convert(fields, Regression).plan
        return msgspec.convert(fields, Plan)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} holds no plan: {error}") from error
