//! Venue depth messages, bytes in, levels out.

pub mod binance;
mod json;

pub use json::FeedError;
