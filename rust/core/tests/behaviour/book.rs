//! Sequencing: a live book is the venue's book at its id, whatever happens to the messages on their way.

use crate::random::Random;
use execactor_core::book::{Bbo, Book, Levels, Side, State, Vwap};
use execactor_core::flags::{APPLIED, BBO_CHANGED, BUFFERED, CROSSED, GAP, IGNORED, MALFORMED, SYNCED};
use execactor_core::ladder::Change;
use execactor_core::sequence::{Ids, Rule};
use std::collections::BTreeMap;

type Sides = [BTreeMap<i64, i64>; 2];

fn book(rule: Rule) -> Book {
    Book::new(rule, 64).unwrap()
}

fn ids(first: u64, last: u64, previous: u64) -> Ids {
    Ids { first, last, previous }
}

fn levels(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Levels {
    let changes = |side: &[(i64, i64)], sign| {
        side.iter().map(|(ticks, lots)| Change { key: sign * ticks, lots: *lots }).collect()
    };
    Levels { bids: changes(bids, 1), asks: changes(asks, -1) }
}

fn quiet() -> Levels {
    levels(&[(100, 5)], &[(102, 5)])
}

fn synced(rule: Rule, id: u64) -> Book {
    let mut book = book(rule);
    assert_eq!(book.apply_snapshot(id, &quiet()), SYNCED | APPLIED | BBO_CHANGED);
    book
}

#[test]
fn the_first_message_after_a_snapshot_must_reach_it() {
    let cases = [
        ("older", Rule::Futures, ids(80, 99, 79), IGNORED, State::Live),
        ("ends at the snapshot", Rule::Futures, ids(90, 100, 89), APPLIED, State::Live),
        ("spans the snapshot", Rule::Futures, ids(90, 110, 89), APPLIED, State::Live),
        ("starts after it but follows what it holds", Rule::Futures, ids(105, 110, 98), APPLIED, State::Live),
        ("follows something that is missing", Rule::Futures, ids(105, 110, 101), GAP | BUFFERED, State::Stale),
        ("ends at the snapshot", Rule::Spot, ids(90, 100, 0), IGNORED, State::Live),
        ("spans the snapshot", Rule::Spot, ids(90, 110, 0), APPLIED, State::Live),
        ("is the next", Rule::Spot, ids(101, 110, 0), APPLIED, State::Live),
        ("leaves one out", Rule::Spot, ids(102, 110, 0), GAP | BUFFERED, State::Stale),
    ];
    for (name, rule, ids, flags, state) in cases {
        let mut book = synced(rule, 100);
        assert_eq!((book.apply(ids, &quiet()), book.state()), (flags, state), "{rule:?}: {name}");
    }
}

#[test]
fn every_later_message_must_follow_the_one_before() {
    let cases = [
        ("next", Rule::Futures, ids(115, 120, 110), APPLIED, State::Live),
        ("duplicate", Rule::Futures, ids(101, 110, 99), IGNORED, State::Live),
        ("older", Rule::Futures, ids(90, 100, 89), IGNORED, State::Live),
        ("one left out", Rule::Futures, ids(125, 130, 120), GAP | BUFFERED, State::Stale),
        ("overlap with another previous id", Rule::Futures, ids(105, 115, 104), GAP | BUFFERED, State::Stale),
        ("next", Rule::Spot, ids(111, 120, 0), APPLIED, State::Live),
        ("duplicate", Rule::Spot, ids(101, 110, 0), IGNORED, State::Live),
        ("one left out", Rule::Spot, ids(112, 120, 0), GAP | BUFFERED, State::Stale),
        ("overlap", Rule::Spot, ids(110, 120, 0), GAP | BUFFERED, State::Stale),
    ];
    for (name, rule, ids, flags, state) in cases {
        let mut book = synced(rule, 100);
        assert_eq!(book.apply(super::book::ids(101, 110, 99), &quiet()), APPLIED);
        assert_eq!((book.apply(ids, &quiet()), book.state()), (flags, state), "{rule:?}: {name}");
    }
}

#[test]
fn ids_at_the_end_of_their_range_do_not_overflow() {
    for rule in [Rule::Futures, Rule::Spot] {
        let mut book = synced(rule, u64::MAX);
        assert_eq!(book.apply(ids(u64::MAX, u64::MAX, u64::MAX), &quiet()) & GAP, 0);
        assert_eq!(book.state(), State::Live);
    }
}

#[test]
fn a_late_snapshot_never_takes_a_book_back_in_time() {
    let mut book = synced(Rule::Futures, 100);
    book.apply(ids(101, 110, 99), &levels(&[(100, 9)], &[]));
    assert_eq!(book.apply_snapshot(105, &quiet()), IGNORED);
    assert_eq!(book.bbo().unwrap().bid_lots, 9);
    book.lose_message();
    assert_eq!((book.apply_snapshot(105, &quiet()), book.state()), (IGNORED, State::Stale));
    assert_eq!((book.apply_snapshot(110, &quiet()) & SYNCED, book.state()), (SYNCED, State::Live));
}

#[test]
fn a_snapshot_older_than_what_waits_leaves_it_waiting_for_the_next() {
    let mut book = book(Rule::Futures);
    assert_eq!(book.apply(ids(111, 120, 110), &levels(&[(101, 1)], &[])), BUFFERED);
    assert_eq!((book.apply_snapshot(105, &quiet()), book.state()), (GAP, State::Stale));
    assert_eq!(book.apply_snapshot(112, &quiet()), SYNCED | APPLIED | BBO_CHANGED);
    assert_eq!((book.last_update_id(), book.bbo().unwrap().bid_ticks), (120, 101));
}

#[test]
fn a_hole_among_the_waiting_messages_asks_for_a_snapshot_beyond_it() {
    let mut book = book(Rule::Futures);
    for (first, last, previous) in [(101, 110, 100), (111, 120, 110), (131, 140, 130), (141, 150, 140)] {
        assert_eq!(book.apply(ids(first, last, previous), &quiet()), BUFFERED);
    }
    assert_eq!((book.apply_snapshot(115, &quiet()), book.state()), (GAP, State::Stale));
    assert_eq!((book.apply_snapshot(130, &quiet()) & SYNCED, book.last_update_id()), (SYNCED, 150));
}

#[test]
fn a_repeated_message_does_not_break_the_chain_that_waits() {
    for again in [(101, 110, 100), (111, 120, 110)] {
        let mut book = book(Rule::Futures);
        for (first, last, previous) in [(101, 110, 100), (111, 120, 110)] {
            book.apply(ids(first, last, previous), &quiet());
        }
        assert_eq!(book.apply(ids(again.0, again.1, again.2), &quiet()), IGNORED);
        assert_eq!((book.apply_snapshot(105, &quiet()) & SYNCED, book.last_update_id()), (SYNCED, 120));
    }
}

#[test]
fn a_message_that_could_not_be_read_makes_the_book_stale_until_a_snapshot() {
    let mut book = synced(Rule::Spot, 100);
    assert_eq!((book.lose_message(), book.state(), book.tradable()), (MALFORMED, State::Stale, false));
    assert_eq!(book.apply(ids(101, 110, 0), &quiet()), BUFFERED);
    assert_eq!(book.apply_snapshot(105, &quiet()) & SYNCED, SYNCED);
    assert!(book.tradable());
}

#[test]
fn a_crossed_or_one_sided_book_is_not_tradable_and_recovers_by_itself() {
    let mut book = synced(Rule::Spot, 100);
    assert_eq!(book.apply(ids(101, 101, 0), &levels(&[(102, 1)], &[])), APPLIED | BBO_CHANGED | CROSSED);
    assert!(book.crossed() && !book.tradable() && book.state() == State::Live);
    assert_eq!(book.apply(ids(101, 101, 0), &quiet()), IGNORED | CROSSED);
    assert_eq!(book.apply(ids(102, 102, 0), &levels(&[], &[(102, 0), (103, 4)])), APPLIED | BBO_CHANGED);
    assert!(book.tradable());
    assert_eq!(book.apply(ids(103, 103, 0), &levels(&[], &[(103, 0)])), APPLIED | BBO_CHANGED);
    assert_eq!((book.bbo(), book.tradable(), book.crossed()), (None, false, false));
}

#[test]
fn a_flag_says_whether_the_best_level_or_its_size_changed() {
    let mut book = synced(Rule::Spot, 100);
    assert_eq!(book.apply(ids(101, 101, 0), &levels(&[(99, 8)], &[(103, 1)])), APPLIED);
    assert_eq!(book.apply(ids(102, 102, 0), &levels(&[(100, 6)], &[])), APPLIED | BBO_CHANGED);
    assert_eq!(book.bbo(), Some(Bbo { bid_ticks: 100, bid_lots: 6, ask_ticks: 102, ask_lots: 5 }));
}

#[test]
fn an_order_is_priced_against_the_side_it_takes_from() {
    let mut book = book(Rule::Spot);
    book.apply_snapshot(1, &levels(&[(100, 5), (98, 10)], &[(101, 2), (1_000_000, 3)]));
    assert_eq!(book.vwap(Side::Buy, 3), Vwap { filled_lots: 3, notional: 202 + 1_000_000, worst_ticks: 1_000_000 });
    assert_eq!(book.vwap(Side::Buy, 9), Vwap { filled_lots: 5, notional: 202 + 3_000_000, worst_ticks: 1_000_000 });
    assert_eq!(book.vwap(Side::Sell, 6), Vwap { filled_lots: 6, notional: 598, worst_ticks: 98 });
    assert_eq!(book.vwap(Side::Sell, 0), Vwap::default());
}

#[test]
fn waiting_messages_are_bounded_and_the_newest_stay() {
    let mut book = book(Rule::Spot);
    let many: Vec<(i64, i64)> = (1..=10_000).map(|ticks| (ticks, 1)).collect();
    for id in 1..=40 {
        assert_eq!(book.apply(ids(id, id, 0), &levels(&many, &[])), BUFFERED);
    }
    assert_eq!(book.apply_snapshot(10, &quiet()), GAP);
    assert_eq!(book.apply_snapshot(35, &levels(&[], &[(20_000, 1)])) & SYNCED, SYNCED);
    assert_eq!((book.last_update_id(), book.bids().count()), (40, 10_000));
    for first in [201, 301] {
        book.lose_message();
        for id in first..first + 20 {
            assert_eq!(book.apply(ids(id, id, 0), &levels(&many, &[])), BUFFERED);
        }
    }
    assert_eq!(book.apply_snapshot(300, &quiet()) & SYNCED, SYNCED, "what a hole made useless takes no room");
    let huge: Vec<(i64, i64)> = (1..=300_000).map(|ticks| (ticks, 1)).collect();
    book.lose_message();
    book.apply(ids(401, 401, 0), &levels(&huge, &[]));
    assert_eq!(book.apply_snapshot(401, &quiet()) & SYNCED, SYNCED);
}

#[test]
fn reset_forgets_everything_but_the_counters() {
    let mut book = synced(Rule::Spot, 100);
    book.apply(ids(101, 101, 0), &levels(&[(99, 8)], &[(103, 1)]));
    assert_eq!(book.apply(ids(200, 200, 0), &quiet()), GAP | BUFFERED);
    book.reset();
    assert_eq!((book.state(), book.bbo(), book.last_update_id()), (State::Empty, None, 0));
    assert_eq!((book.bids().count(), book.asks().count()), (0, 0));
    assert_eq!((book.counters().messages, book.counters().deltas), (3, 2));
    assert_eq!(book.apply_snapshot(7, &quiet()) & SYNCED, SYNCED);
    assert_eq!(book.last_update_id(), 7);
}

/// A venue's feed: messages of one to four changes, each with an id, and the book after every id.
struct Venue {
    messages: Vec<(Ids, Levels)>,
    books: BTreeMap<u64, Sides>,
}

impl Venue {
    fn new(rule: Rule, random: &mut Random) -> Self {
        let mut sides = Sides::default();
        let (mut id, mut previous, mut centre) = (1000, 1000, 500);
        let mut venue = Self { messages: Vec::new(), books: BTreeMap::from([(id, sides.clone())]) };
        for _ in 0..120 {
            // Futures ids are shared with other symbols: there are holes between the messages of one.
            let first = id + 1 + if rule == Rule::Futures { random.below(6) } else { 0 };
            id = first - 1;
            centre += random.units(9) - 4;
            let mut changed: [BTreeMap<i64, i64>; 2] = Default::default();
            for _ in 0..=random.below(4) {
                id += 1;
                let side = random.index(2);
                let offset = 1 + random.units(40);
                let ticks = if side == 0 { centre - offset } else { centre + offset };
                let lots = if random.once_in(3) { 0 } else { 1 + random.units(50) };
                changed[side].insert(ticks, lots);
                sides[side].insert(ticks, lots);
                sides[side].retain(|_, lots| *lots > 0);
                venue.books.insert(id, sides.clone());
            }
            let side = |side: &BTreeMap<i64, i64>| side.iter().map(|(ticks, lots)| (*ticks, *lots)).collect::<Vec<_>>();
            venue.messages.push((ids(first, id, previous), levels(&side(&changed[0]), &side(&changed[1]))));
            previous = id;
        }
        venue
    }

    fn at(&self, id: u64) -> &Sides {
        self.books.range(..=id).next_back().unwrap().1
    }

    fn snapshot(&self, id: u64) -> Levels {
        let side = |side: &BTreeMap<i64, i64>| side.iter().map(|(ticks, lots)| (*ticks, *lots)).collect::<Vec<_>>();
        levels(&side(&self.at(id)[0]), &side(&self.at(id)[1]))
    }

    fn assert_true(&self, book: &Book) {
        if book.state() == State::Live {
            let sides = self.at(book.last_update_id());
            assert!(book.bids().eq(sides[0].iter().rev().map(|(ticks, lots)| (*ticks, *lots))));
            assert!(book.asks().eq(sides[1].iter().map(|(ticks, lots)| (*ticks, *lots))));
        }
    }
}

#[test]
fn a_live_book_is_the_venues_whatever_is_lost_repeated_swapped_or_late() {
    for seed in 0..400 {
        let rule = if seed % 2 == 0 { Rule::Futures } else { Rule::Spot };
        let mut random = Random::new(seed);
        let venue = Venue::new(rule, &mut random);
        let mut wire = venue.messages.clone();
        for _ in 0..random.below(8) {
            let at = random.index(wire.len() - 1);
            match random.below(3) {
                0 => drop(wire.remove(at)),
                1 => wire.insert(at, wire[at].clone()),
                _ => wire.swap(at, at + 1),
            }
        }
        let mut book = book(rule);
        let newest = *venue.books.keys().next_back().unwrap();
        for (ids, levels) in &wire {
            if random.once_in(150) {
                book.lose_message();
            }
            book.apply(*ids, levels);
            venue.assert_true(&book);
            if random.once_in(6) {
                // Taken at any time: long ago, or after messages that have yet to arrive.
                let id = (ids.last + random.below(60)).saturating_sub(30).clamp(1000, newest);
                book.apply_snapshot(id, &venue.snapshot(id));
                venue.assert_true(&book);
            }
        }
        assert_eq!(book.apply_snapshot(newest, &venue.snapshot(newest)) & GAP, 0, "seed {seed}");
        assert_eq!((book.state(), book.last_update_id()), (State::Live, newest), "seed {seed}");
        venue.assert_true(&book);
    }
}
