"""E4: every kind of difference with the venue, alone and in every combination, is found once and counted."""

from collections import Counter
from itertools import chain, combinations
from typing import Any

import pytest
from rule_makers import SYMBOL, dec, execution, order, stop_intent, target_intent
from test_compare_orders import conditional, ours, regular

from execactor.domain.account import VenuePosition, VenueSnapshot
from execactor.domain.order import Order, OrderState
from execactor.domain.order_table import OrderTable
from execactor.reconcile.compare import compare_position
from execactor.reconcile.survey import survey

ALONE = ("missing stop", "missing target", "stray order", "foreign order", "missed execution", "entry gone")
FINDINGS = {
    "missing stop": ["order_gone"],
    "missing target": ["order_gone"],
    "stray order": ["stray_order"],
    "foreign order": ["foreign_order"],
    "missed execution": ["missed_execution"],
    "entry gone": ["order_gone"],
}
COMBINATIONS = list(chain.from_iterable(combinations(ALONE, size) for size in range(len(ALONE) + 1)))


def both_sides(differences: tuple[str, ...]) -> tuple[list[Order], VenueSnapshot]:
    """Our orders (an entry, a stop, a target) and a venue that differs in these respects."""
    entry = ours(venue_id="1001")
    stop = order(OrderState.ACKNOWLEDGED, stop_intent(), sent_ns=1)
    target = order(OrderState.ACKNOWLEDGED, target_intent(), sent_ns=1)
    listed: list[Any] = []
    if "entry gone" not in differences:
        listed.append(regular())
    if "missing stop" not in differences:
        listed.append(conditional())
    if "missing target" not in differences:
        listed.append(conditional(target.client_id, "6"))
    if "stray order" in differences:
        listed.append(regular("capi_entry_ghost", "2001"))
    if "foreign order" in differences:
        listed.append(regular("web_1", "2002"))
    trades = (execution(7),) if "missed execution" in differences else ()
    seen = VenueSnapshot(
        positions=(VenuePosition(symbol=SYMBOL, quantity=dec("0.05"), entry_price=dec(90_800)),),
        open_orders=tuple(each for each in listed if not hasattr(each, "trigger_price")),
        conditional_orders=tuple(each for each in listed if hasattr(each, "trigger_price")),
        wallet_balance=dec(10_000),
        trades=trades,
        requested_ns=1_000,
    )
    return [entry, stop, target], seen


@pytest.mark.parametrize("differences", COMBINATIONS, ids=lambda each: " + ".join(each) or "none")
def test_E4_every_combination_of_differences_is_found_and_counted(differences: tuple[str, ...]) -> None:  # noqa: N802
    orders, seen = both_sides(differences)
    surveyed = survey(SYMBOL, OrderTable(orders), (), seen, "capi")
    expected = Counter(chain.from_iterable(FINDINGS[difference] for difference in differences))
    assert Counter(str(finding.kind) for finding in surveyed.findings) == expected


@pytest.mark.parametrize(
    ("ours_", "theirs", "planned", "kind"),
    [
        ("0.05", "0.05", True, None),
        ("0", "0", False, None),
        ("0", "0.05", False, "orphan_position"),
        ("0.05", "0.05", False, "orphan_position"),
        ("0", "0.05", True, "orphan_position"),
        ("0.05", "0", True, "phantom_position"),
        ("0.05", "0.03", True, "quantity_mismatch"),
        ("0.05", "0.08", True, "quantity_mismatch"),
        ("0.05", "-0.05", True, "quantity_mismatch"),
    ],
)
def test_E4_positions(ours_: str, theirs: str, kind: str | None, *, planned: bool) -> None:  # noqa: N802
    compared = compare_position(dec(ours_), dec(theirs), planned=planned)
    assert (None if compared.kind is None else str(compared.kind)) == kind
