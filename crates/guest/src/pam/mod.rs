//! PAM: changing a service's stack. What it asks is [`hardtack_login::pam`].

mod auth_update;
mod block;
mod classic;

pub use auth_update::{Outcome, PROFILES, TOOL, Unmanaged, update};
pub use block::{Block, without_block};
pub use classic::{ThreeLines, three_lines};
pub use hardtack_login::pam::*;
