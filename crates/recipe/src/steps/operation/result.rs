//! What an event left, as one number: that of another result is another one.

use hardtack_guest::{FileType, GuestPath};
use sha2::{Digest as _, Sha256};

use super::MOST_PATHS;
use super::record::hex;
use crate::{Context, StepError};

/// What a copy holds at most, too.
const MOST_BYTES: u64 = 2 << 30;
/// Belongs to the path, and is given by every build.
const LABEL: &str = "security.selinux";

/// SHA-256 of everything at `place`: types, modes, owners, attributes, targets of links and contents,
/// without times. Secrets are left out of the contents: nobody shall be able to guess them. `None` when
/// nothing is there, or more than is looked at.
pub(super) fn fingerprint(place: &str, cx: &Context<'_, '_>) -> Result<Option<String>, StepError> {
    let stage = &*cx.stage;
    if stage.lstat(place)?.is_none() {
        return Ok(None);
    }
    let root = stage.resolve_parent(place)?;
    let mut sum = Sha256::new();
    let mut pending: Vec<GuestPath> = vec![root.clone()];
    let (mut paths, mut bytes) = (0_usize, 0_u64);
    while let Some(path) = pending.pop() {
        let Some(found) = stage.lstat(path.as_str())? else { continue };
        paths += 1;
        if found.kind == FileType::Regular {
            bytes = bytes.saturating_add(found.size);
        }
        if paths > MOST_PATHS || bytes > MOST_BYTES {
            return Ok(None);
        }
        part(&mut sum, path.strip_prefix(&root).unwrap_or_default().as_bytes());
        part(&mut sum, found.kind.describe().as_bytes());
        // Nobody sets the mode of a link.
        let mode = if found.kind == FileType::Symlink { 0 } else { found.mode };
        for number in [mode, found.uid, found.gid] {
            sum.update(number.to_be_bytes());
        }
        for (name, value) in stage.xattrs(path.as_str())?.iter().filter(|(name, _)| name != LABEL) {
            part(&mut sum, name.as_bytes());
            part(&mut sum, value);
        }
        match found.kind {
            FileType::Directory => {
                pending.extend(stage.list(path.as_str())?.iter().map(|entry| path.join(&entry.name)));
            }
            FileType::Regular => {
                let content = stage.read_limited(path.as_str(), MOST_BYTES)?.unwrap_or_default();
                part(&mut sum, &without(content, stage.secrets()));
            }
            FileType::Symlink => {
                part(&mut sum, stage.read_link(path.as_str())?.unwrap_or_default().as_bytes());
            }
            FileType::Special => {}
        }
    }
    Ok(Some(hex(sum)))
}

fn part(sum: &mut Sha256, bytes: &[u8]) {
    sum.update((bytes.len() as u64).to_be_bytes());
    sum.update(bytes);
}

/// `content` with each of `secrets` taken out.
fn without(content: Vec<u8>, secrets: &[String]) -> Vec<u8> {
    let mut secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    // One that holds another first, in whichever order they came.
    secrets.sort_by_key(|secret| (std::cmp::Reverse(secret.len()), *secret));
    secrets.into_iter().fold(content, |content, secret| {
        match regex::bytes::Regex::new(&regex::escape(secret)) {
            Ok(pattern) if pattern.is_match(&content) => pattern.replace_all(&content, &b""[..]).into_owned(),
            _ => content,
        }
    })
}
