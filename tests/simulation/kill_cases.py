"""At which order of which trade the engine is killed: four variations for each point of the protocol."""

from collections.abc import Mapping
from typing import Any

import msgspec
from kill_course import Course, Trade

from execactor.domain.side import Side
from execactor.simulator.config import FaultProfile

LONG, SHORT = Side.BUY, Side.SELL
_FIRST_SEED = 7_000  # a request whose sender dies before the answer is carried out in some cases, in others not
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class Variation(msgspec.Struct, frozen=True, kw_only=True):
    """The nth time that an order of `role` comes to the point in `trade`."""

    role: str
    trade: Trade
    nth: int = 1


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, one trade, one SIGKILL."""

    point: str
    number: int
    variation: Variation
    seed: int
    symbol: str
    faults: FaultProfile

    @property
    def name(self) -> str:
        """For people and directories."""
        trade = self.variation.trade
        words = [self.point, str(self.number), self.variation.role, trade.side, trade.course.name, self.faults]
        words += ["resting"] * trade.resting + [f"{trade.parts} parts"] * bool(trade.parts)
        words += ["meanwhile"] * trade.meanwhile + [f"nth {self.variation.nth}"] * (self.variation.nth > 1)
        return " ".join(words)


def _at(role: str, side: Side, course: Course, *, nth: int = 1, **trade: Any) -> Variation:
    return Variation(role=role, nth=nth, trade=Trade(side=side, course=course, **trade))


VARIATIONS: Mapping[str, tuple[Variation, Variation, Variation, Variation]] = {
    "entry_request": (
        _at("entry", LONG, Course.TARGETS),
        _at("entry", SHORT, Course.TARGETS, meanwhile=True),
        _at("entry", SHORT, Course.STOPPED, resting=True, meanwhile=True),
        _at("entry", LONG, Course.TURNED_BACK, parts=3),
    ),
    "exit_request": (
        _at("exit", LONG, Course.FLAT),
        _at("exit", SHORT, Course.FLAT),
        _at("exit", SHORT, Course.FLAT, resting=True),
        _at("exit", LONG, Course.FLAT, parts=3),
    ),
    "stop_request": (
        _at("sl", LONG, Course.TARGETS),
        _at("sl", SHORT, Course.STOPPED, meanwhile=True),
        _at("slt", LONG, Course.TURNED_BACK, meanwhile=True),
        _at("slt", SHORT, Course.TARGETS),
    ),
    "take_profit_request": (
        _at("tp1", SHORT, Course.TARGETS),
        _at("tp2", LONG, Course.TARGETS, meanwhile=True),
        _at("tp1", SHORT, Course.STOPPED, nth=2, parts=3),
        _at("tp2", LONG, Course.TURNED_BACK, parts=3, meanwhile=True),
    ),
    "cancel_request": (
        _at("sl", LONG, Course.TARGETS),
        _at("tp2", SHORT, Course.STOPPED),
        _at("entry", LONG, Course.NEVER_ENTERED),
        _at("tp1", SHORT, Course.TARGETS, parts=3),
    ),
    "order_event": (
        _at("entry", LONG, Course.TARGETS),
        _at("entry", SHORT, Course.STOPPED, nth=3, parts=3, meanwhile=True),
        _at("tp1", LONG, Course.TARGETS, meanwhile=True),
        _at("sl", SHORT, Course.STOPPED),
    ),
    "fill": (
        _at("entry", LONG, Course.TARGETS, nth=2, parts=3),
        _at("tp1", SHORT, Course.TARGETS, meanwhile=True),
        _at("slt", LONG, Course.TURNED_BACK),
        _at("sl", SHORT, Course.STOPPED),
    ),
}

POINTS = tuple(f"{step}.{moment}" for step in VARIATIONS for moment in ("before", "after"))


def cases(point: str) -> list[Case]:
    """The four cases of a point; before and after differ in side, seed, symbol and which of them meet faults."""
    step, _, moment = point.partition(".")
    after = moment == "after"
    made = []
    for number, variation in enumerate(VARIATIONS[step], start=1):
        trade = variation.trade
        side = trade.side.opposite if after else trade.side
        made.append(
            Case(
                point=point,
                number=number,
                variation=msgspec.structs.replace(variation, trade=msgspec.structs.replace(trade, side=side)),
                seed=_FIRST_SEED + 100 * (1 + list(VARIATIONS).index(step)) + 10 * after + number,
                symbol=_SYMBOLS[(number + after) % len(_SYMBOLS)],
                faults="default" if (number + after) % 2 == 0 else "none",
            )
        )
    return made
