"""`execactor simulate`: figures, stories, plans from files, exit codes."""

import json
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest

from execactor.service.cli import main
from execactor.service.exit_codes import Exit
from execactor.service.simulate import ended_once
from execactor.simulation.draw import draw_plan

SOUND = 3


def test_a_campaign_prints_its_figures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["simulate", "--seeds", "2", "--first-seed", str(SOUND), "--jobs", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (Exit.FAILED if told["violations"] else Exit.OK)
    assert (told["seeds"], told["first_seed"], told["jobs"]) == (2, SOUND, 1)
    assert told["events"] > 300
    assert told["events_per_s"] > 0
    assert told["seeds_per_s"] > 0
    assert 0 < told["transitions"] < 1


def test_a_story_has_the_plan_the_venue_and_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", str(SOUND), "--story"]) == Exit.OK
    told = capsys.readouterr().out
    assert "Decide key=d0" in told
    assert "no problem" in told
    requests = [line for line in told.splitlines() if " -> " in line and "capi_entry_d0" in line]
    intents = [line for line in told.splitlines() if " engine " in line and " intent capi_entry_d0" in line]
    assert requests
    assert intents
    assert told.index(intents[0]) < told.index(requests[0])  # journaled before it is sent


def test_a_plan_from_a_file_is_the_seed_of_that_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(msgspec.json.encode(draw_plan(SOUND)))
    assert main(["simulate", "--plan", str(path), "--json"]) == Exit.OK
    from_file = json.loads(capsys.readouterr().out)
    assert main(["simulate", "--seed", str(SOUND), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["digest"] == from_file["digest"]


def _signalled(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_campaign_and_a_second_one_does_not_disturb_its_end(first: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_once():
        with pytest.raises(KeyboardInterrupt):
            _signalled(first)
        for again in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), again)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--story"], id="a story of many"),
        pytest.param(["--seed", "1", "--plan", __file__], id="a seed and a plan"),
        pytest.param(["--plan", __file__], id="a file that holds no plan"),
        pytest.param(["--seeds", "0"], id="no seed"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *arguments]) == Exit.USAGE
    assert capsys.readouterr().out == ""
