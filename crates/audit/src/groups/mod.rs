//! Security groups: rules in words, members, what is open to the world.
//!
//! - `gather` asks the cloud, `build` puts groups, rules and members together.
//! - `ports` has the words, `world` adds networks up.

mod build;
mod gather;
mod model;
mod ports;
mod world;

pub use build::{Allowed, Described, Named, Origin, Placed, build};
pub use gather::gather;
pub use model::{Group, Member, Rule, Source};
pub use ports::Ports;
