//! What the core promises, as tables, properties against simple oracles, and mutated messages.

mod binance;
mod book;
mod fixed;
mod ladder;
mod matching;
mod random;
