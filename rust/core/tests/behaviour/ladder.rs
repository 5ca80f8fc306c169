//! The ladder against a sorted map, in windows so small that levels keep leaving and entering them.

use crate::random::Random;
use execactor_core::ladder::{Change, KEY_LIMIT, Ladder, Walk};
use std::collections::BTreeMap;

type Oracle = BTreeMap<i64, i64>;

fn set(ladder: &mut Ladder, oracle: &mut Oracle, key: i64, lots: i64) {
    ladder.set(Change { key, lots });
    if lots == 0 {
        oracle.remove(&key);
    } else {
        oracle.insert(key, lots);
    }
}

fn walk(oracle: &Oracle, lots: i64) -> Walk {
    let mut walk = Walk::default();
    for (key, available) in oracle.iter().rev() {
        let taken = (lots - walk.filled).min(*available);
        if taken > 0 {
            walk.filled += taken;
            walk.notional += i128::from(*key) * i128::from(taken);
            walk.worst = *key;
        }
    }
    walk
}

fn assert_same(ladder: &Ladder, oracle: &Oracle, lots: i64) {
    assert_eq!(ladder.best(), oracle.last_key_value().map(|(key, lots)| (*key, *lots)));
    assert_eq!((ladder.len(), ladder.is_empty()), (oracle.len(), oracle.is_empty()));
    assert_eq!(ladder.walk(lots), walk(oracle, lots));
    assert!(ladder.levels().eq(oracle.iter().rev().map(|(key, lots)| (*key, *lots))));
}

/// A key near the centre, further away, or anywhere.
fn key(random: &mut Random, centre: i64, window: i64) -> i64 {
    let reach = match random.below(20) {
        0 => 1_000_000,
        1..5 => 4 * window,
        5..9 => window / 2,
        _ => 12,
    };
    centre + random.units(2 * reach) - reach
}

#[test]
fn random_messages_leave_the_same_levels_as_in_a_sorted_map() {
    for (seed, window) in [64, 128, 256, 512, 1024].into_iter().cycle().take(20).enumerate() {
        let mut random = Random::new(seed as u64);
        let (mut ladder, mut oracle) = (Ladder::new(window).unwrap(), Oracle::new());
        let window = i64::try_from(window).unwrap();
        let mut centre = random.units(4_000_000) - 2_000_000;
        for _ in 0..1000 {
            centre += match random.below(200) {
                0 => random.units(200_000) - 100_000,
                1..4 => random.units(4 * window) - 2 * window,
                _ => random.units(7) - 3,
            };
            for _ in 0..random.below(30) {
                let lots = if random.once_in(3) { 0 } else { 1 + random.units(1000) };
                let key = key(&mut random, centre, window);
                set(&mut ladder, &mut oracle, key, lots);
            }
            if random.once_in(40) {
                for key in oracle.keys().copied().collect::<Vec<_>>() {
                    if !random.once_in(50) {
                        set(&mut ladder, &mut oracle, key, 0);
                    }
                }
            }
            ladder.settle();
            assert_same(&ladder, &oracle, random.units(20_000));
            if random.once_in(300) {
                ladder.clear();
                oracle.clear();
                assert_same(&ladder, &oracle, 1);
            }
        }
        assert!(ladder.cold_ops() > 0 && ladder.recentres() > 0, "the test must leave the window");
    }
}

#[test]
fn the_best_moves_to_levels_outside_the_window_when_the_window_empties() {
    let (mut ladder, mut oracle) = (Ladder::new(64).unwrap(), Oracle::new());
    for key in [0, -1000, -500_000] {
        set(&mut ladder, &mut oracle, key, 7);
    }
    for key in [0, -1000, -500_000] {
        ladder.settle();
        assert_same(&ladder, &oracle, 10);
        set(&mut ladder, &mut oracle, key, 0);
    }
    ladder.settle();
    assert_same(&ladder, &oracle, 10);
}

#[test]
fn the_window_follows_a_best_that_drifts_down() {
    let (mut ladder, mut oracle) = (Ladder::new(1024).unwrap(), Oracle::new());
    for key in (0..50_000).rev() {
        set(&mut ladder, &mut oracle, key, 1);
        set(&mut ladder, &mut oracle, key - 200, 1);
        set(&mut ladder, &mut oracle, key + 1, 0);
        ladder.settle();
    }
    assert_same(&ladder, &oracle, 1);
    assert!(ladder.recentres() < 100 && ladder.cold_ops() < 100, "{} {}", ladder.recentres(), ladder.cold_ops());
}

#[test]
fn a_far_print_that_is_taken_back_in_the_same_message_changes_nothing() {
    let (mut ladder, mut oracle) = (Ladder::new(64).unwrap(), Oracle::new());
    (0..40).for_each(|key| set(&mut ladder, &mut oracle, key, 1 + key));
    ladder.settle();
    set(&mut ladder, &mut oracle, 1_000_000_000, 5);
    set(&mut ladder, &mut oracle, 1_000_000_000, 0);
    ladder.settle();
    assert_same(&ladder, &oracle, 100);
}

#[test]
fn extreme_keys_do_not_overflow() {
    let (mut ladder, mut oracle) = (Ladder::new(1024).unwrap(), Oracle::new());
    for key in [KEY_LIMIT - 1, 1 - KEY_LIMIT, 0, KEY_LIMIT - 2, 2 - KEY_LIMIT] {
        set(&mut ladder, &mut oracle, key, i64::MAX);
        ladder.settle();
        assert_same(&ladder, &oracle, i64::MAX);
    }
}

#[test]
fn only_powers_of_two_are_windows() {
    for window in [0, 1, 32, 63, 100, 65, 1 << 25, usize::MAX] {
        assert!(Ladder::new(window).is_none(), "{window}");
    }
    assert!(Ladder::new(64).is_some() && Ladder::new(1 << 24).is_some());
}
