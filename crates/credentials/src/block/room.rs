//! How long a block may get, and what is left out when it would be longer.
//!
//! Clouds keep 64 KiB of a console, with the whole boot in it. A user takes at most [`USER`] bytes,
//! the block of one user at most [`BLOCK`], and no block takes more than [`ALL`] for what stands in
//! its JSON already: the second copy of sealed parts, and QR codes. Bytes are counted as a serial
//! line carries them, with `\r\n`.

use super::human;
use super::part::{self, Extra};
use super::{BEGIN, Block, CHECKSUM_START, END, Surroundings, UserPart};

/// One user's lines and JSON.
pub(super) const USER: usize = 6 * 1024;
/// The block of one user; each further one adds [`USER`].
pub(super) const BLOCK: usize = 8 * 1024;
/// What is repeated is left out above this.
const ALL: usize = 48 * 1024;

/// What each user's section holds besides the necessary: the users in their order, each as much as
/// still fits.
pub(super) fn share(block: &Block, surroundings: &Surroundings, json: usize) -> Vec<Extra> {
    let mut extras = vec![Extra::Nothing; block.users.len()];
    let mut lines = Vec::new();
    human::write(block, surroundings, &extras, &mut lines);
    let frame = BEGIN.len() + 2 + json + 2 + CHECKSUM_START.len() + 64 + 2 + END.len() + 2;
    let mut total = bytes(&lines) + frame;
    let limit = (BLOCK + USER * block.users.len().saturating_sub(1)).min(ALL);
    for (user, extra) in block.users.iter().zip(&mut extras) {
        let section = |extra| {
            let mut lines = Vec::new();
            part::write(user, block, surroundings, extra, &mut lines);
            bytes(&lines)
        };
        let necessary = section(Extra::Nothing);
        // As in the list: with the comma before it.
        let json = super::text::escape_json(&serde_json::to_string(user).unwrap_or_default()).len() + 1;
        let wishes: &[Extra] = match user {
            UserPart::Plain(_) => &[Extra::BothCodes, Extra::UpperCode],
            UserPart::Sealed(_) => &[Extra::Armor],
            UserPart::Withheld(_) => &[],
        };
        for wish in wishes {
            let size = section(*wish);
            let grown = total - necessary.min(total) + size;
            if size + json <= USER && grown <= limit {
                *extra = *wish;
                total = grown;
                break;
            }
        }
    }
    extras
}

fn bytes(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + 2).sum()
}
