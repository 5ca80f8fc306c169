"""The kill sequence, told as scripts: what happens, when, and what is to be done then."""

import pytest

from execactor.risk.kill_switch import (
    AccountSeen,
    BumpEpoch,
    FlattenAll,
    KillEffect,
    KillEvent,
    KillOrdered,
    KillReleased,
    KillSwitch,
    KillTick,
    LookAgain,
    ReleaseStops,
    Stage,
    step,
)

SECOND = 1_000_000_000
KILL = KillOrdered("the drawdown")
CLEAR = AccountSeen(flat=True, quiet=True)
OPEN = AccountSeen(flat=False, quiet=True)
UNQUIET = AccountSeen(flat=True, quiet=False)
TICK = KillTick()
RELEASE = KillReleased()
PULLED: list[KillEffect] = [BumpEpoch(), FlattenAll("the drawdown"), LookAgain()]

Script = list[tuple[float, KillEvent, list[KillEffect], Stage]]


def play(script: Script) -> KillSwitch:
    switch = KillSwitch()
    for at_s, event, effects, stage in script:
        switch, done = step(switch, event, round(at_s * SECOND))
        assert (done, switch.stage) == (effects, stage), (at_s, event)
    return switch


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            [(1, TICK, [], Stage.OFF), (1, CLEAR, [], Stage.OFF), (1, OPEN, [], Stage.OFF)],
            id="nothing happens before it is pulled",
        ),
        pytest.param(
            [
                (10, KILL, PULLED, Stage.FLATTENING),
                (10.5, OPEN, [], Stage.FLATTENING),
                (11, CLEAR, [], Stage.CONFIRMING),
                (11.5, TICK, [LookAgain()], Stage.CONFIRMING),
                (12.8, TICK, [LookAgain()], Stage.CONFIRMING),
                (12.9, CLEAR, [], Stage.CONFIRMING),
                (13, CLEAR, [ReleaseStops()], Stage.FLAT),
                (14, TICK, [], Stage.FLAT),
                (15, CLEAR, [], Stage.FLAT),
            ],
            id="flat twice, two seconds apart, and only then the stops go",
        ),
        pytest.param(
            [(10, KILL, PULLED, Stage.FLATTENING), (11, KillOrdered("again"), [], Stage.FLATTENING)],
            id="pulling it twice changes nothing",
        ),
        pytest.param(
            [
                (10, KILL, PULLED, Stage.FLATTENING),
                (11.9, TICK, [LookAgain()], Stage.FLATTENING),
                (12, TICK, [LookAgain(), FlattenAll("the drawdown")], Stage.FLATTENING),
                (13, TICK, [LookAgain()], Stage.FLATTENING),
                (14, TICK, [LookAgain(), FlattenAll("the drawdown")], Stage.FLATTENING),
            ],
            id="while something is open the wish is repeated every two seconds",
        ),
        pytest.param(
            [
                (10, KILL, PULLED, Stage.FLATTENING),
                (11, CLEAR, [], Stage.CONFIRMING),
                (12, OPEN, [], Stage.FLATTENING),
                (12.5, TICK, [LookAgain(), FlattenAll("the drawdown")], Stage.FLATTENING),
                (13, CLEAR, [], Stage.CONFIRMING),
                (14, CLEAR, [], Stage.CONFIRMING),
                (15, CLEAR, [ReleaseStops()], Stage.FLAT),
            ],
            id="a position that shows in between starts the two seconds again",
        ),
        pytest.param(
            [
                (10, KILL, PULLED, Stage.FLATTENING),
                (11, UNQUIET, [], Stage.FLATTENING),
                (12, CLEAR, [], Stage.CONFIRMING),
                (15, UNQUIET, [], Stage.FLATTENING),
            ],
            id="an entry that may still live is as bad as a position",
        ),
        pytest.param(
            [
                (10, KILL, PULLED, Stage.FLATTENING),
                (11, CLEAR, [], Stage.CONFIRMING),
                (13, CLEAR, [ReleaseStops()], Stage.FLAT),
                (20, RELEASE, [], Stage.OFF),
                (21, KILL, PULLED, Stage.FLATTENING),
            ],
            id="a person releases it, and it can be pulled again",
        ),
    ],
)
def test_sequence(script: Script) -> None:
    play(script)


def test_the_reason_is_that_of_the_first_pull() -> None:
    switch = play([(1, KILL, PULLED, Stage.FLATTENING), (2, KillOrdered("again"), [], Stage.FLATTENING)])
    assert switch.reason == "the drawdown"


def test_what_appears_while_the_switch_is_pulled_is_closed_too() -> None:
    play(
        [
            (10, KILL, PULLED, Stage.FLATTENING),
            (11, CLEAR, [], Stage.CONFIRMING),
            (13, CLEAR, [ReleaseStops()], Stage.FLAT),
            (19, TICK, [], Stage.FLAT),
            (20, TICK, [LookAgain()], Stage.FLAT),
            (20.1, OPEN, [FlattenAll("the drawdown")], Stage.FLATTENING),
            (21, CLEAR, [], Stage.CONFIRMING),
            (23, CLEAR, [ReleaseStops()], Stage.FLAT),
            (24, KILL, [LookAgain()], Stage.FLAT),
        ]
    )
