//! Price-time priority against a list of orders that is searched from the start every time.

use crate::random::Random;
use execactor_core::matching::TimeInForce::{Fok, Gtc, Ioc, PostOnly};
use execactor_core::matching::{
    Fill, LIMIT, MatchingBook, MatchingError, NewOrder, Outcome, Resting, Side, TimeInForce,
};

fn order(id: u64, side: Side, ticks: i64, lots: i64) -> NewOrder {
    NewOrder { id, owner: u32::try_from(id % 7).unwrap(), side, ticks, lots }
}

fn fill(maker: u64, ticks: i64, lots: i64) -> Fill {
    Fill { maker_id: maker, maker_owner: u32::try_from(maker % 7).unwrap(), ticks, lots }
}

/// Asks 1: 5 @ 101, 2: 5 @ 101, 3: 5 @ 103; bid 4: 5 @ 99.
fn book() -> MatchingBook {
    let mut book = MatchingBook::new();
    for (id, side, ticks) in [(1, Side::Sell, 101), (2, Side::Sell, 101), (3, Side::Sell, 103), (4, Side::Buy, 99)] {
        let outcome = book.limit(order(id, side, ticks, 5), Gtc).unwrap();
        assert_eq!(outcome, Outcome { resting: 5, ..Outcome::default() });
    }
    book
}

#[test]
fn each_time_in_force_does_what_it_says() {
    let (first, both) =
        (vec![fill(1, 101, 5), fill(2, 101, 2)], vec![fill(1, 101, 5), fill(2, 101, 5), fill(3, 103, 2)]);
    let cases = [
        ("GTC below the best ask rests", 100, 7, Gtc, vec![], 7, false),
        ("GTC takes at the makers' price, oldest first", 102, 7, Gtc, first.clone(), 0, false),
        ("GTC takes the best level first and goes on", 103, 12, Gtc, both.clone(), 0, false),
        ("GTC rests what its price does not reach", 102, 12, Gtc, vec![fill(1, 101, 5), fill(2, 101, 5)], 2, false),
        ("IOC drops what its price does not reach", 102, 12, Ioc, vec![fill(1, 101, 5), fill(2, 101, 5)], 0, false),
        ("IOC below the best ask does nothing", 100, 7, Ioc, vec![], 0, false),
        ("FOK fills all", 103, 12, Fok, both, 0, false),
        ("FOK that cannot fill all is rejected whole", 102, 12, Fok, vec![], 0, true),
        ("post-only below the best ask rests", 100, 7, PostOnly, vec![], 7, false),
        ("post-only that would take is rejected whole", 101, 7, PostOnly, vec![], 0, true),
    ];
    for (name, ticks, lots, time_in_force, fills, resting, rejected) in cases {
        let mut book = book();
        let outcome = book.limit(order(9, Side::Buy, ticks, lots), time_in_force).unwrap();
        assert_eq!(outcome, Outcome { fills, resting, rejected }, "{name}");
        assert_eq!(book.order(9).is_some(), resting > 0, "{name}");
    }
}

#[test]
fn a_market_order_takes_what_is_there_within_its_limit() {
    assert_eq!(book().market(Side::Buy, 100, Some(101)), Ok((vec![fill(1, 101, 5), fill(2, 101, 5)], 90)));
    assert_eq!(book().market(Side::Sell, 7, None), Ok((vec![fill(4, 99, 5)], 2)));
    assert_eq!(MatchingBook::new().market(Side::Sell, 7, None), Ok((vec![], 7)));
}

#[test]
fn an_amended_order_keeps_its_place_only_when_it_shrinks_at_its_price() {
    let cases = [("the same", 101, 5, 1), ("smaller", 101, 2, 1), ("larger", 101, 6, 2), ("away and back", 102, 5, 2)];
    for (name, ticks, lots, first) in cases {
        let mut book = book();
        assert_eq!(book.amend(1, ticks, lots), Ok(Outcome { resting: lots, ..Outcome::default() }), "{name}");
        book.amend(1, 101, lots).unwrap();
        assert_eq!(book.order(1), Some(Resting { side: Side::Sell, ticks: 101, lots }), "{name}");
        assert_eq!(book.depth(Side::Sell, 1), [(101, 5 + lots)], "{name}");
        assert_eq!(book.market(Side::Buy, 1, None).unwrap().0[0].maker_id, first, "{name}");
    }
    let mut book = book();
    let taken = Outcome { fills: vec![fill(1, 101, 5), fill(2, 101, 1)], ..Outcome::default() };
    assert_eq!(book.amend(4, 102, 6), Ok(taken));
    assert_eq!((book.order(4), book.best()), (None, (None, Some(101))));
}

#[test]
fn bad_orders_leave_the_book_as_it_was() {
    let mut book = book();
    let before = (book.depth(Side::Sell, 9), book.depth(Side::Buy, 9), book.len());
    assert_eq!(book.limit(order(1, Side::Buy, 100, 1), Gtc), Err(MatchingError::DuplicateOrder(1)));
    assert_eq!(book.amend(9, 100, 1), Err(MatchingError::UnknownOrder(9)));
    assert_eq!(book.cancel(9), None);
    for bad in [0, -1, LIMIT + 1, i64::MAX, i64::MIN] {
        assert_eq!(book.limit(order(9, Side::Buy, bad, 1), Gtc), Err(MatchingError::Ticks(bad)));
        assert_eq!(book.limit(order(9, Side::Buy, 1, bad), Ioc), Err(MatchingError::Lots(bad)));
        assert_eq!(book.market(Side::Buy, bad, None), Err(MatchingError::Lots(bad)));
        assert_eq!(book.market(Side::Buy, 1, Some(bad)), Err(MatchingError::LimitTicks(bad)));
        assert_eq!(book.amend(1, bad, 1), Err(MatchingError::Ticks(bad)));
        assert_eq!(book.amend(1, 1, bad), Err(MatchingError::Lots(bad)));
    }
    assert_eq!((book.depth(Side::Sell, 9), book.depth(Side::Buy, 9), book.len()), before);
}

#[test]
fn a_level_of_largest_orders_does_not_overflow() {
    let mut book = MatchingBook::new();
    for id in 0..2000 {
        book.limit(order(id, Side::Sell, LIMIT, LIMIT), Gtc).unwrap();
    }
    assert_eq!(book.depth(Side::Sell, 1), [(LIMIT, i64::MAX)]);
    assert!(!book.limit(order(9999, Side::Buy, LIMIT, LIMIT), Fok).unwrap().rejected);
    (1..2000).for_each(|id| assert_eq!(book.cancel(id), Some(LIMIT)));
    assert!(book.is_empty() && book.best() == (None, None));
}

/// Orders in the order they came to their place in the queue.
#[derive(Default)]
struct Oracle(Vec<NewOrder>);

impl Oracle {
    fn best_maker(&self, side: Side, limit: i64) -> Option<usize> {
        let sign = if side == Side::Buy { 1 } else { -1 };
        let makers = self.0.iter().enumerate().filter(|(_, maker)| maker.side != side);
        let reached = makers.filter(|(_, maker)| sign * maker.ticks <= sign.saturating_mul(limit));
        reached.min_by_key(|(at, maker)| (sign * maker.ticks, *at)).map(|(at, _)| at)
    }

    fn take(&mut self, side: Side, mut lots: i64, limit: i64) -> (Vec<Fill>, i64) {
        let mut fills = Vec::new();
        while let (Some(at), true) = (self.best_maker(side, limit), lots > 0) {
            let taken = lots.min(self.0[at].lots);
            fills.push(fill(self.0[at].id, self.0[at].ticks, taken));
            lots -= taken;
            self.0[at].lots -= taken;
            if self.0[at].lots == 0 {
                self.0.remove(at);
            }
        }
        (fills, lots)
    }

    fn limit(&mut self, order: NewOrder, time_in_force: TimeInForce) -> Outcome {
        let mut trial = Self(self.0.clone());
        let (fills, left) = trial.take(order.side, order.lots, order.ticks);
        if (time_in_force == Fok && left > 0) || (time_in_force == PostOnly && !fills.is_empty()) {
            return Outcome { rejected: true, ..Outcome::default() };
        }
        *self = trial;
        let resting = if time_in_force == Ioc { 0 } else { left };
        if resting > 0 {
            self.0.push(NewOrder { lots: left, ..order });
        }
        Outcome { fills, resting, rejected: false }
    }

    fn amend(&mut self, id: u64, ticks: i64, lots: i64) -> Option<Outcome> {
        let at = self.0.iter().position(|order| order.id == id)?;
        if self.0[at].ticks == ticks && lots <= self.0[at].lots {
            self.0[at].lots = lots;
            return Some(Outcome { resting: lots, ..Outcome::default() });
        }
        let order = NewOrder { ticks, lots, ..self.0.remove(at) };
        Some(self.limit(order, Gtc))
    }

    fn depth(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels = std::collections::BTreeMap::new();
        for order in self.0.iter().filter(|order| order.side == side) {
            *levels.entry(order.ticks).or_insert(0) += order.lots;
        }
        let levels = levels.into_iter();
        if side == Side::Buy { levels.rev().collect() } else { levels.collect() }
    }
}

#[test]
fn random_orders_match_as_in_a_searched_list() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let (mut book, mut oracle) = (MatchingBook::new(), Oracle::default());
        for id in 0..1000 {
            let side = if random.once_in(2) { Side::Buy } else { Side::Sell };
            let (ticks, lots) = (1 + random.units(25), 1 + random.units(20));
            let known = oracle.0.get(random.index(40)).map_or(id, |order| order.id);
            match random.below(8) {
                0 => {
                    let left = oracle.0.iter().position(|order| order.id == known).map(|at| oracle.0.remove(at).lots);
                    assert_eq!(book.cancel(known), left);
                }
                1 => assert_eq!(book.amend(known, ticks, lots).ok(), oracle.amend(known, ticks, lots)),
                2 => assert_eq!(book.market(side, lots, Some(ticks)), Ok(oracle.take(side, lots, ticks))),
                3 => {
                    let any = if side == Side::Buy { i64::MAX } else { i64::MIN + 1 };
                    assert_eq!(book.market(side, lots, None), Ok(oracle.take(side, lots, any)));
                }
                _ => {
                    let new = order(id, side, ticks, lots);
                    let time_in_force = [Gtc, Gtc, Ioc, Fok, PostOnly][random.index(5)];
                    assert_eq!(book.limit(new, time_in_force), Ok(oracle.limit(new, time_in_force)));
                }
            }
            let (bids, asks) = (book.depth(Side::Buy, usize::MAX), book.depth(Side::Sell, usize::MAX));
            assert_eq!((&bids, &asks), (&oracle.depth(Side::Buy), &oracle.depth(Side::Sell)), "lots are conserved");
            let best = (bids.first().map(|level| level.0), asks.first().map(|level| level.0));
            assert_eq!((book.best(), book.len()), (best, oracle.0.len()));
            assert!(best.0.is_none_or(|bid| best.1.is_none_or(|ask| bid < ask)), "crossed");
            for order in &oracle.0 {
                let resting = Resting { side: order.side, ticks: order.ticks, lots: order.lots };
                assert_eq!(book.order(order.id), Some(resting));
            }
        }
    }
}
