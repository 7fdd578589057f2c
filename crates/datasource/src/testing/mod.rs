//! Clouds for tests, here and in the crates above: what they answer, true or not, in memory and over TCP.
//!
//! * [`cloud`]: metadata services, and how they lie.
//! * [`server`]: one of them behind a port.
//! * [`table`]: one of them without a network.
//! * [`time`]: a clock for which nobody waits, and the real one.

pub mod cloud;
pub mod server;
pub mod table;
pub mod time;

pub use cloud::{Asked, Cloud, Reply};
pub use server::Server;
pub use table::Table;
pub use time::{RealClock, VirtualClock};
