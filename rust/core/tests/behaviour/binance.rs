//! The depth reader: against the number-by-number reading of a plain JSON parser, and on mutated messages.

use crate::random::Random;
use execactor_core::book::{Book, Levels, State};
use execactor_core::feed::FeedError;
use execactor_core::feed::binance::Feed;
use execactor_core::fixed::{DecimalError, Scale};
use execactor_core::flags::{IGNORED, MALFORMED, SYNCED};
use execactor_core::ladder::Change;
use execactor_core::sequence::{Ids, Rule};

fn feed(rule: Rule, tick: &str, step: &str) -> Feed {
    Feed::new(rule, Scale::new(tick).unwrap(), Scale::new(step).unwrap())
}

fn usdm() -> Feed {
    feed(Rule::Futures, "0.10", "0.001")
}

type Pairs = Vec<(i64, i64)>;

fn pairs(changes: &[Change]) -> Pairs {
    changes.iter().map(|change| (change.key, change.lots)).collect()
}

const EVENT: &str = r#"{"e":"depthUpdate","E":1,"T":2,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["61796.70","1.5"]],"a":[["61796.80","0"]]}"#;

#[test]
fn an_event_is_read_however_it_is_written() {
    let wrapped = format!(r#"{{"stream":"btcusdt@depth@0ms","data":{EVENT}}}"#);
    let turned = format!(r#"{{"data":{EVENT},"stream":"btcusdt@depth"}}"#);
    let cases = [
        EVENT,
        &wrapped,
        &turned,
        r#" { "a" : [ [ "61796.80" , "0.000" ] ] , "b":[["61796.7","1.500",["x"],{}]],"pu":149,"u":160 , "U":157 , "e":"depthUpdate" } "#,
        r#"{"u":160,"U":157,"b":[["61796.70","1.5"]],"nested":{"a":[[1,2],{"b":"]}"}],"U":null},"a":[["61796.8","0"]],"pu":149,"x":-1.5e3,"y":"\"\\","z":[]}"#,
        r#"{"e":"depthUpdate","E":1,"T":2,"s":"BTCUSDT","ps":"BTCUSD","U":157,"u":160,"pu":149,"b":[["61796.70","1.5"]],"a":[["61796.80","0"]],"ps":"BTCUSDT","st":1}"#,
    ];
    let mut feed = usdm();
    for text in cases {
        let ids = Ids { first: 157, last: 160, previous: 149 };
        assert_eq!(feed.read_update(text.as_bytes()), Ok(Some(ids)), "{text}");
        assert_eq!(pairs(&feed.levels().bids), [(617_967, 1500)], "{text}");
        assert_eq!(pairs(&feed.levels().asks), [(-617_968, 0)], "{text}");
    }
}

#[test]
fn a_snapshot_is_read_however_it_is_written() {
    let cases = [
        r#"{"lastUpdateId":160,"E":1,"T":2,"bids":[["61796.70","1.5"]],"asks":[["61796.80","2.000"]]}"#,
        r#"{"asks": [["61796.80", "2"]], "bids": [["61796.70", "1.5"]], "lastUpdateId": 160}"#,
        r#"{"lastUpdateId":160,"bids":[["61796.70000000","1.50000000",[]]],"asks":[["61796.80000000","2.00000000",[]]]}"#,
    ];
    let mut feed = usdm();
    for text in cases {
        assert_eq!(feed.read_snapshot(text.as_bytes()), Ok(160), "{text}");
        assert_eq!(pairs(&feed.levels().bids), [(617_967, 1500)], "{text}");
        assert_eq!(pairs(&feed.levels().asks), [(-617_968, 2000)], "{text}");
    }
}

#[test]
fn other_events_are_ignored_and_leave_the_book_alone() {
    let events = [
        r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":160,"s":"BTCUSDT","b":"1.0","B":"2","a":"1.1","A":"3","T":1,"E":2}}"#,
        r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#,
        r#"{"e":"aggTrade","E":1,"a":9445517,"s":"SANDUSDT","p":"0.69067","q":"369","f":12,"l":12,"T":1,"m":true}"#,
        r#"{"E":1,"a":9445517,"s":"SANDUSDT","p":"0.69067","e":"aggTrade"}"#,
    ];
    let mut feed = usdm();
    let mut book = Book::new(Rule::Futures, 64).unwrap();
    feed.apply_snapshot(br#"{"lastUpdateId":160,"bids":[["1.0","1"]],"asks":[["2.0","1"]]}"#, &mut book);
    for text in events {
        assert_eq!((feed.apply(text.as_bytes(), &mut book), book.state()), (IGNORED, State::Live), "{text}");
    }
}

#[test]
fn what_is_no_whole_depth_message_is_refused() {
    let cut: Vec<&str> = (0..EVENT.len()).map(|length| &EVENT[..length]).collect();
    let broken = [
        "null",
        "[]",
        "{}",
        r#"{"result":null,"id":1}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":161,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[],"a":[],"b":[]}"#,
        r#"{"e":"depthUpdate","U":157,"U":157,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":"157","u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":-157,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","E":,"s":"","U":157,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["600000000000000000","2"]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157.5,"u":160,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":99999999999999999999,"u":99999999999999999999,"pu":149,"b":[],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":null,"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":"1","a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["1"]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[[1,2]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["1","2"],],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["-1","2"]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["0","2"]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[["0.00","2.000"]],"a":[]}"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[],"a":[]}x"#,
        r#"{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[],"a":[]}}"#,
        r#"{"data":{"data":{"e":"depthUpdate","U":157,"u":160,"pu":149,"b":[],"a":[]}}}"#,
    ];
    for text in cut.iter().chain(&broken) {
        assert!(usdm().read_update(text.as_bytes()).is_err(), "{text}");
        assert!(usdm().read_snapshot(text.as_bytes()).is_err(), "{text}");
    }
    let deep =
        format!(r#"{{"x":{}{},"U":157,"u":160,"pu":149,"b":[],"a":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(usdm().read_update(deep.as_bytes()).is_err());
}

#[test]
fn a_price_or_size_off_its_grid_is_refused_and_never_rounded() {
    for (price, size, error) in [
        ("61796.75", "1.000", DecimalError::Precision),
        ("61796.70", "1.0005", DecimalError::Precision),
        ("61796.70", "99999999999999999999.000", DecimalError::Overflow),
    ] {
        for padding in ["", r#",["61796.60","1.000"],["61796.50","1.000"],["61796.40","1.000"]"#] {
            let text =
                format!(r#"{{"U":1,"u":2,"pu":0,"b":[["61796.80","1.000"],["{price}","{size}"]{padding}],"a":[]}}"#);
            let mut feed = usdm();
            assert!(
                matches!(feed.read_update(text.as_bytes()), Err(FeedError::Number(_, found)) if found == error),
                "{text}"
            );
        }
    }
    let (mut feed, mut book) = (usdm(), Book::new(Rule::Futures, 64).unwrap());
    let snapshot = br#"{"lastUpdateId":160,"bids":[["1.0","1"]],"asks":[["2.0","1"]]}"#;
    assert_eq!(feed.apply_snapshot(snapshot, &mut book) & SYNCED, SYNCED);
    let half_good = br#"{"U":161,"u":162,"pu":160,"b":[["1.1","1"]],"a":[["1.95","1"]]}"#;
    assert_eq!((feed.apply(half_good, &mut book), book.state()), (MALFORMED, State::Stale));
    assert_eq!(book.bbo().unwrap().bid_ticks, 10, "all or nothing");
}

/// A number of `decimals` decimals, of any length.
fn number(random: &mut Random, decimals: usize) -> String {
    let shift = 10 + random.below(44);
    let digits = format!("{:0width$}", (random.next() << 16) >> shift, width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let zeros = "0".repeat(random.index(3) * 3);
    match (decimals, zeros.is_empty()) {
        (0, true) => whole.to_string(),
        _ => format!("{whole}.{fraction}{zeros}"),
    }
}

fn side(random: &mut Random, price_decimals: usize, size_decimals: usize) -> (String, Vec<(String, String)>) {
    let spaced = random.once_in(10);
    let levels: Vec<_> =
        (0..random.below(20)).map(|_| (number(random, price_decimals), number(random, size_decimals))).collect();
    let gap = if spaced { " " } else { "" };
    let texts: Vec<_> = levels.iter().map(|(price, size)| format!("[\"{price}\",{gap}\"{size}\"]")).collect();
    (texts.join(&format!(",{gap}")), levels)
}

#[test]
fn numbers_of_every_length_are_read_as_one_by_one() {
    let mut random = Random::new(7);
    for _ in 0..6_000 {
        let (price_decimals, size_decimals) = (random.index(9), random.index(10));
        let unit = |decimals| {
            if decimals == 0 { "1".to_string() } else { format!("0.{:0>1$}", 1, decimals) }
        };
        let (tick, step) = (Scale::new(&unit(price_decimals)).unwrap(), Scale::new(&unit(size_decimals)).unwrap());
        let (bids, bid_levels) = side(&mut random, price_decimals, size_decimals);
        let (asks, ask_levels) = side(&mut random, price_decimals, size_decimals);
        let text = format!(r#"{{"e":"depthUpdate","U":1,"u":2,"b":[{bids}],"a":[{asks}]}}"#);
        let mut feed = Feed::new(Rule::Spot, tick, step);
        let read = feed.read_update(text.as_bytes());
        let expected = |sign, levels: &[(String, String)]| {
            let level = |(price, size): &(String, String)| {
                let ticks = tick.parse(price.as_bytes()).ok().filter(|ticks| (1..1 << 62).contains(ticks))?;
                Some((sign * ticks, step.parse(size.as_bytes()).ok()?))
            };
            levels.iter().map(level).collect::<Option<Vec<_>>>()
        };
        match (expected(1, &bid_levels), expected(-1, &ask_levels)) {
            (Some(bids), Some(asks)) => {
                assert!(read.is_ok(), "{text} {read:?}");
                assert_eq!((pairs(&feed.levels().bids), pairs(&feed.levels().asks)), (bids, asks), "{text}");
            }
            _ => assert!(read.is_err(), "{text}"),
        }
    }
}

#[derive(Debug)]
enum Json {
    Text(String),
    Other,
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A plain parser of what the reader is to understand; `None` for anything that is not JSON at heart.
fn parse(text: &mut &[u8]) -> Option<Json> {
    let next = |text: &mut &[u8]| {
        *text = text.trim_ascii_start();
        text.first().copied()
    };
    let take = |text: &mut &[u8]| *text = &text[1..];
    match next(text)? {
        b'"' => {
            let mut end = 1;
            while *text.get(end)? != b'"' {
                end += if text[end] == b'\\' { 2 } else { 1 };
            }
            let content = String::from_utf8_lossy(&text[1..end]).into_owned();
            *text = &text[end + 1..];
            Some(Json::Text(content))
        }
        open @ (b'[' | b'{') => {
            take(text);
            let (mut list, mut object) = (Vec::new(), Vec::new());
            let close = open + 2;
            let mut more = next(text)? != close;
            if !more {
                take(text);
            }
            while more {
                if open == b'{' {
                    let Json::Text(key) = parse(text)? else {
                        return None;
                    };
                    if next(text)? != b':' {
                        return None;
                    }
                    take(text);
                    object.push((key, parse(text)?));
                } else {
                    list.push(parse(text)?);
                }
                more = next(text)? == b',';
                if !more && next(text)? != close {
                    return None;
                }
                take(text);
            }
            Some(if open == b'{' { Json::Object(object) } else { Json::List(list) })
        }
        _ => {
            let end =
                text.iter().position(|byte| b",]}{[:\" \t\r\n".contains(byte) || *byte < b' ').unwrap_or(text.len());
            *text = &text[end..];
            (end > 0).then_some(Json::Other)
        }
    }
}

fn plain_levels(json: &Json, sign: i64) -> Option<Pairs> {
    let (tick, step) = (Scale::new("0.1").unwrap(), Scale::new("0.001").unwrap());
    let Json::List(levels) = json else {
        return None;
    };
    let level = |level: &Json| match level {
        Json::List(level) => match level.as_slice() {
            [Json::Text(price), Json::Text(size), ..] => {
                Some((sign * tick.parse(price.as_bytes()).ok()?, step.parse(size.as_bytes()).ok()?))
            }
            _ => None,
        },
        _ => None,
    };
    levels.iter().map(level).collect()
}

fn plain_reading(message: &[u8]) -> Option<(Pairs, Pairs)> {
    let Json::Object(mut fields) = parse(&mut &*message)? else {
        return None;
    };
    if let Some(at) = fields.iter().position(|(key, value)| key == "data" && matches!(value, Json::Object(_))) {
        let Json::Object(inner) = fields.swap_remove(at).1 else {
            return None;
        };
        fields.extend(inner);
    }
    let find = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    Some((plain_levels(find("b")?, 1)?, plain_levels(find("a")?, -1)?))
}

fn mutate(random: &mut Random, message: &mut Vec<u8>) {
    const BYTES: &[u8] = b"\"[]{},:.0123456789-eEabUup \\\x00\x7f\xff\n";
    for _ in 0..=random.below(3) {
        if message.is_empty() {
            return;
        }
        let at = random.index(message.len());
        let byte = BYTES[random.index(BYTES.len())];
        match random.below(6) {
            0 => message[at] = byte,
            1 => message[at] ^= 1 << random.below(8),
            2 => message.insert(at, byte),
            3 => drop(message.remove(at)),
            4 => message.truncate(at),
            _ => {
                let end = (at + random.index(40)).min(message.len());
                let piece = message[at..end].to_vec();
                let target = random.index(message.len());
                message.splice(target..target, piece);
            }
        }
    }
}

#[test]
fn a_mutated_message_is_refused_or_read_as_a_plain_parser_reads_it() {
    let mut random = Random::new(11);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let (bids, asks) = (side(&mut random, 1, 3).0, side(&mut random, 1, 3).0);
        let event = format!(
            r#"{{"e":"depthUpdate","E":17,"T":16,"s":"BTCUSDT","U":11,"u":12,"pu":10,"b":[{bids}],"a":[{asks}]}}"#
        );
        let wrapped = format!(r#"{{"stream":"btcusdt@depth","data":{event}}}"#);
        let mut message = if random.once_in(2) { event.into_bytes() } else { wrapped.into_bytes() };
        mutate(&mut random, &mut message);
        let mut feed = usdm();
        if let Ok(Some(_)) = feed.read_update(&message) {
            accepted += 1;
            let read = (pairs(&feed.levels().bids), pairs(&feed.levels().asks));
            assert_eq!(plain_reading(&message), Some(read), "{}", String::from_utf8_lossy(&message));
        }
        let mut snapshot = format!(r#"{{"lastUpdateId":12,"bids":[{bids}],"asks":[{asks}]}}"#).into_bytes();
        mutate(&mut random, &mut snapshot);
        if usdm().read_snapshot(&snapshot).is_ok() {
            accepted += 1;
        }
    }
    assert!(accepted > 2_000, "most mutations of digits leave a message readable: {accepted}");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(13);
    let (mut feed, mut book) = (usdm(), Book::new(Rule::Futures, 64).unwrap());
    for _ in 0..10_000 {
        let bytes: Vec<u8> = (0..random.below(80)).map(|_| random.next().to_le_bytes()[0]).collect();
        feed.apply(&bytes, &mut book);
        feed.apply_snapshot(&bytes, &mut book);
    }
    assert_eq!(book.counters().parse_errors, 20_000);
    assert_eq!(*feed.levels(), Levels::default());
}
