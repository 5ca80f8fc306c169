//! Venue depth messages, bytes in, levels out.

pub mod binance;
mod json;
mod levels;
mod prologue;

pub use json::FeedError;
