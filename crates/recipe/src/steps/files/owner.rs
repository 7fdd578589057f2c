//! Owners by name, from the image's own users and groups.

use hardtack_guest::accounts;

use super::At;
use crate::{Context, StepError};

/// The numeric owner and group that `owner` means for `at.path`; what it leaves open stays as it
/// is on an existing file and is root on a new one.
pub(super) fn resolve(
    at: &At<'_>,
    owner: Option<&str>,
    cx: &Context<'_, '_>,
) -> Result<Option<(u32, u32)>, StepError> {
    let Some(owner) = owner else { return Ok(None) };
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let now = cx.stage.stat(at.path)?.map_or((0, 0), |metadata| (metadata.uid, metadata.gid));
    let uid = if user.is_empty() { now.0 } else { user_id(at, user, cx)? };
    let gid = match group {
        Some(group) => group_id(at, group, cx)?,
        None => now.1,
    };
    Ok(Some((uid, gid)))
}

fn user_id(at: &At<'_>, name: &str, cx: &Context<'_, '_>) -> Result<u32, StepError> {
    match accounts::user(cx.stage, name)? {
        Some(user) => Ok(user.uid),
        None => number(name).ok_or_else(|| {
            at.refused(format!("the image has no user `{name}` in /etc/passwd"))
                .hint("cloud-init makes its users at first boot; use a number or an existing user")
        }),
    }
}

fn group_id(at: &At<'_>, name: &str, cx: &Context<'_, '_>) -> Result<u32, StepError> {
    match accounts::group_id(cx.stage, name)? {
        Some(id) => Ok(id),
        None => number(name).ok_or_else(|| {
            at.refused(format!("the image has no group `{name}` in /etc/group"))
                .hint("cloud-init makes its groups at first boot; use a number or an existing group")
        }),
    }
}

/// As chown(1): a name is looked up first, and only then read as a number.
fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}
