//! sshd: changing its configuration. What it amounts to is [`hardtack_login::sshd`].

#[cfg(test)]
mod tests;
mod write;

pub use hardtack_login::sshd::*;
pub use write::{Placement, comment_out, has_section, repeat_in_main, write_section};
