"""The rate limiter on a clock that tests move by hand."""

from hypothesis import given
from hypothesis import strategies as st

from execactor.runtime.clock import ManualClock
from execactor.venues.rate_limit import Cost, Limit, RateLimiter

SECOND = 1_000_000_000
ORDER = Cost(orders=1)


def limiter_of(*limits: Limit) -> tuple[RateLimiter, ManualClock]:
    clock = ManualClock()
    return RateLimiter(clock, limits), clock


def spend_all(limiter: RateLimiter, cost: Cost, *, urgent: bool) -> int:
    spent = 0
    while not limiter.delay_ns(cost, urgent=urgent):
        limiter.spend(cost)
        spent += 1
    return spent


def test_entries_leave_a_fifth_of_the_limit_to_what_reduces_risk() -> None:
    limiter, _ = limiter_of(Limit("orders", 300, 10))
    assert spend_all(limiter, ORDER, urgent=False) == 240
    assert spend_all(limiter, ORDER, urgent=True) == 60
    assert limiter.delay_ns(ORDER, urgent=True) > 0


def test_capacity_comes_back_when_the_oldest_request_leaves_the_window() -> None:
    limiter, clock = limiter_of(Limit("orders", 5, 10))
    limiter.spend(ORDER)
    clock.advance(4 * SECOND)
    spend_all(limiter, ORDER, urgent=True)
    assert limiter.delay_ns(ORDER, urgent=True) == 6 * SECOND
    clock.advance(6 * SECOND)
    assert limiter.delay_ns(ORDER, urgent=True) == 0


def test_a_large_request_waits_for_as_much_as_it_needs() -> None:
    limiter, clock = limiter_of(Limit("weight", 100, 60))
    for _ in range(4):
        limiter.spend(Cost(weight=25))
        clock.advance(SECOND)
    assert limiter.delay_ns(Cost(weight=25), urgent=True) == 56 * SECOND
    assert limiter.delay_ns(Cost(weight=40), urgent=True) == 57 * SECOND


def test_the_tightest_window_counts() -> None:
    limiter, clock = limiter_of(Limit("orders", 10, 10), Limit("orders", 12, 60))
    assert spend_all(limiter, ORDER, urgent=True) == 10
    clock.advance(10 * SECOND)
    assert spend_all(limiter, ORDER, urgent=True) == 2
    assert limiter.delay_ns(ORDER, urgent=True) == 50 * SECOND


def test_orders_and_weight_are_counted_apart() -> None:
    limiter, _ = limiter_of(Limit("orders", 1, 10), Limit("weight", 1, 60))
    limiter.spend(ORDER)
    assert limiter.delay_ns(Cost(weight=1), urgent=True) == 0
    assert limiter.delay_ns(ORDER, urgent=True) > 0


def test_what_others_spent_from_the_same_address_counts_too() -> None:
    limiter, _ = limiter_of(Limit("weight", 2_400, 60))
    limiter.spend(Cost(weight=10))
    limiter.observe("weight", 60, 2_399)
    assert limiter.delay_ns(Cost(weight=1), urgent=True) == 0
    assert limiter.delay_ns(Cost(weight=2), urgent=True) == 60 * SECOND
    limiter.observe("weight", 60, 5)
    assert limiter.delay_ns(Cost(weight=2), urgent=True) == 60 * SECOND


def test_a_stop_holds_back_even_what_is_urgent_and_the_longest_one_counts() -> None:
    limiter, clock = limiter_of(Limit("orders", 300, 10))
    limiter.stop(30 * SECOND, "429")
    limiter.stop(5 * SECOND, "another 429")
    assert limiter.delay_ns(Cost(), urgent=True) == 30 * SECOND
    assert limiter.stop_reason == "429"
    clock.advance(30 * SECOND)
    assert limiter.delay_ns(ORDER, urgent=True) == 0
    assert limiter.stop_reason == ""


def test_new_limits_keep_what_was_spent_under_the_old_ones() -> None:
    limiter, _ = limiter_of(Limit("orders", 300, 10))
    for _ in range(50):
        limiter.spend(ORDER)
    limiter.configure((Limit("orders", 50, 10), Limit("weight", 2_400, 60)))
    assert limiter.delay_ns(ORDER, urgent=True) == 10 * SECOND


@given(
    gaps_ms=st.lists(st.integers(0, 4_000), max_size=80),
    urgencies=st.lists(st.booleans(), min_size=80, max_size=80),
)
def test_no_window_ever_holds_more_than_its_limit(gaps_ms: list[int], urgencies: list[bool]) -> None:
    limit = Limit("orders", 10, 10)
    limiter, clock = limiter_of(limit)
    sent: list[int] = []
    for gap_ms, urgent in zip(gaps_ms, urgencies, strict=False):
        clock.advance(gap_ms * 1_000_000)
        if not limiter.delay_ns(ORDER, urgent=urgent):
            limiter.spend(ORDER)
            sent.append(clock.monotonic_ns())
    for start in sent:
        assert sum(start <= when < start + 10 * SECOND for when in sent) <= limit.most


@given(gap_ms=st.integers(0, 9_999), count=st.integers(1, 30))
def test_the_delay_is_exact(gap_ms: int, count: int) -> None:
    limiter, clock = limiter_of(Limit("orders", 7, 10))
    for _ in range(count):
        if limiter.delay_ns(ORDER, urgent=True):
            break
        limiter.spend(ORDER)
        clock.advance(gap_ms * 100_000)
    delay_ns = limiter.delay_ns(ORDER, urgent=True)
    if delay_ns:
        clock.advance(delay_ns - 1)
        assert limiter.delay_ns(ORDER, urgent=True) == 1
        clock.advance(1)
    assert limiter.delay_ns(ORDER, urgent=True) == 0
