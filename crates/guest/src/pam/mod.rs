//! PAM: what a service's stack asks, and changing it.

mod auth_update;
mod block;
mod classic;
mod stack;

pub use auth_update::{Outcome, PROFILES, TOOL, Unmanaged, update};
pub use block::{Block, without_block};
pub use classic::{ThreeLines, three_lines};
pub use stack::{
    Answer, Entry, Facility, Line, PASSWORD_MODULES, Step, can_succeed, parse, service_path, steps,
};
