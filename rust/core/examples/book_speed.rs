//! Time per level change of reading alone, of applying alone, and of both, over messages on standard input:
//!
//! `gzip -dc CAPTURE | cut -d' ' -f2- | cargo run --release --example book_speed -- 0.10 0.001 futures 32768`

use execactor_core::book::{Book, Levels};
use execactor_core::feed::binance::Feed;
use execactor_core::fixed::Scale;
use execactor_core::sequence::{Ids, Rule};
use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

const ROUNDS: usize = 15;

enum Message {
    Snapshot(u64, Levels),
    Update(Ids, Levels),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tick, step, rule, window] = arguments.as_slice() else {
        return Err("usage: book_speed TICK STEP futures|spot WINDOW < messages".into());
    };
    let rule = if rule == "spot" { Rule::Spot } else { Rule::Futures };
    let window: usize = window.parse()?;
    let new_book = || Book::new(rule, window).ok_or("WINDOW must be a power of two from 64");
    let mut feed = Feed::new(rule, Scale::new(tick)?, Scale::new(step)?);
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| is_depth(line)).collect();

    let mut messages = Vec::new();
    for line in &lines {
        messages.push(match feed.read_update(line) {
            Ok(Some(ids)) => Message::Update(ids, feed.levels().clone()),
            _ => Message::Snapshot(feed.read_snapshot(line)?, feed.levels().clone()),
        });
    }
    let (mut read, mut apply, mut both, mut deltas) = (f64::MAX, f64::MAX, f64::MAX, 0.0);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for line in &lines {
            black_box(feed.read_update(line).is_ok());
        }
        read = read.min(started.elapsed().as_secs_f64());

        let mut book = new_book()?;
        let started = Instant::now();
        for message in &messages {
            match message {
                Message::Snapshot(id, levels) => book.apply_snapshot(*id, levels),
                Message::Update(ids, levels) => book.apply(*ids, levels),
            };
        }
        apply = apply.min(started.elapsed().as_secs_f64());
        deltas = f64::from(u32::try_from(book.counters().deltas)?);

        let mut book = new_book()?;
        let started = Instant::now();
        for line in &lines {
            if line.starts_with(b"{\"lastUpdateId\"") {
                feed.apply_snapshot(line, &mut book);
            } else {
                feed.apply(line, &mut book);
            }
        }
        both = both.min(started.elapsed().as_secs_f64());
    }
    println!("{} messages, {deltas} level changes; ns per change:", lines.len());
    println!("read {:.1}, apply {:.1}, both {:.1}", 1e9 * read / deltas, 1e9 * apply / deltas, 1e9 * both / deltas);
    Ok(())
}

fn is_depth(line: &[u8]) -> bool {
    let head = &line[..line.len().min(120)];
    let has = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
    has(b"\"depthUpdate\"") || has(b"\"lastUpdateId\"")
}
