//! Fields of `/etc/shadow` that the machine has no program for (`cloudinit/distros/alpine.py`).

use std::os::unix::fs::MetadataExt;

use hardtack_modules::users::shadow;

use super::Details;
use crate::accounts;
use crate::error::AgentError;
use crate::execute::Execution;

const SHADOW: &str = "/etc/shadow";

/// `shadow-ages`.
pub(super) fn shadow_ages(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let user = details.need("user")?;
    let expires = match details.get("expiredate") {
        None => None,
        Some(date) => Some(shadow::days(date).ok_or_else(|| {
            AgentError::text(format!("{date} is not a day on which {user} can expire: write YYYY-MM-DD"))
        })?),
    };
    change(cx, user, |text| shadow::with_ages(text, user, details.get("inactive"), expires))
}

/// `expire-password`.
pub(super) fn expire_password(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let user = details.need("user")?;
    change(cx, user, |text| shadow::with_expired_password(text, user))
}

/// Rewrites the file whole, under the lock that the shadow tools take.
fn change(
    cx: &Execution<'_>,
    user: &str,
    change: impl FnOnce(&str) -> Option<String>,
) -> Result<(), AgentError> {
    let _lock = accounts::lock(cx.host)?;
    let bytes = cx.host.read(SHADOW)?.unwrap_or_default();
    let text = String::from_utf8(bytes)
        .map_err(|_| AgentError::text(format!("{SHADOW}: not UTF-8; it is left as it is")))?;
    let changed = change(&text).ok_or_else(|| AgentError::text(format!("{SHADOW} has no user {user}")))?;
    let path = cx.host.path(SHADOW);
    let before = path.metadata().map_err(|error| AgentError::io("read", &path, error))?;
    let owner = Some((before.uid(), before.gid()));
    accounts::replace(&path, changed.as_bytes(), before.mode() & 0o7777, owner)
}
