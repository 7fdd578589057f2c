//! Users and groups of files by name or number, from the machine's own `/etc/passwd` and `/etc/group`.

use hardtack_modules::Owner;

use crate::accounts;
use crate::error::AgentError;
use crate::host::Host;

/// Numbers of user and group; `None` leaves that half as it is.
pub(crate) type Numbers = (Option<u32>, Option<u32>);

/// What `chown` is given for `owner`.
pub(crate) fn numbers(host: &Host, owner: &Owner) -> Result<Numbers, AgentError> {
    let user = match owner.user.as_deref() {
        None => None,
        Some(name) => Some(user(host, name)?.ok_or_else(|| unknown("user", name))?),
    };
    let group = match owner.group.as_deref() {
        None => None,
        Some(name) => Some(group(host, name)?.ok_or_else(|| unknown("group", name))?),
    };
    Ok((user, group))
}

fn unknown(what: &str, name: &str) -> AgentError {
    AgentError::text(format!("the machine has no {what} {name}: create it, or name one that it has"))
}

fn user(host: &Host, name: &str) -> Result<Option<u32>, AgentError> {
    if let Some(account) = accounts::find(host, name)? {
        return Ok(Some(account.uid));
    }
    // Without a database there is still root.
    Ok(if name == "root" { Some(0) } else { number(name) })
}

/// The number of the group `name`.
pub(crate) fn group(host: &Host, name: &str) -> Result<Option<u32>, AgentError> {
    let text = host.read_text("/etc/group")?.unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    Ok(found.or_else(|| if name == "root" { Some(0) } else { number(name) }))
}

/// `-1` of chown(2) is no number of anybody.
fn number(name: &str) -> Option<u32> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|number| plain && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn names_come_before_numbers() {
        let tree = Tree::new()
            .file("etc/passwd", "joe:x:1000:1000::/home/joe:/bin/sh\n7:x:70:70::/:/bin/sh\n")
            .file("etc/group", "adm:x:4:joe\nusers:x:100:\n");
        let host = tree.host();
        let owner = |user: Option<&str>, group: Option<&str>| {
            let owner = Owner { user: user.map(str::to_owned), group: group.map(str::to_owned) };
            numbers(&host, &owner).map_err(|error| error.to_string())
        };
        assert_eq!(owner(Some("joe"), Some("adm")), Ok((Some(1000), Some(4))));
        assert_eq!(owner(Some("7"), None), Ok((Some(70), None)));
        assert_eq!(owner(Some("8"), Some("9")), Ok((Some(8), Some(9))));
        assert_eq!(owner(Some("root"), Some("root")), Ok((Some(0), Some(0))));
        assert_eq!(owner(None, None), Ok((None, None)));
        for bad in ["nobody-here", "", "-1", "4294967295", "+5", "99999999999"] {
            assert!(owner(Some(bad), None).unwrap_err().contains("the machine has no user"), "{bad}");
        }
        assert!(owner(None, Some("wheel")).unwrap_err().contains("the machine has no group wheel"));
    }
}
