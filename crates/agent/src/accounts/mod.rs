//! The machine's own users: /etc/passwd, shadow, group and gshadow, read and extended without the
//! image's libc. Line formats: passwd(5), shadow(5), group(5), gshadow(5).

mod create;
mod shadow;
#[cfg(test)]
mod tests;

pub(crate) use create::{create, day, lock, make_home, replace, replace_unsynced};
pub(crate) use shadow::Shadow;

use crate::error::AgentError;
use crate::host::Host;

/// nobody's number everywhere.
const NOBODY: u32 = 65534;
/// The first number of people's accounts where /etc/login.defs says nothing.
const UID_MIN: u32 = 1000;
const UID_MAX: u32 = 60000;

/// One line of /etc/passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl Account {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| {
            !name.is_empty() && !name.contains('/') && !name.starts_with(['+', '-', '#', '.'])
        })?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1)?;
        let shell = fields.next().unwrap_or_default();
        Some(Self { name: name.to_owned(), uid, gid, home: home.to_owned(), shell: shell.to_owned() })
    }

    /// Whether somebody can log in to it: a number of the people's range and a shell that lets in.
    fn is_for_people(&self, range: (u32, u32)) -> bool {
        let shell = self.shell.rsplit('/').next().unwrap_or_default();
        (range.0..=range.1).contains(&self.uid)
            && self.uid != NOBODY
            && !matches!(shell, "nologin" | "false" | "sync" | "shutdown" | "halt")
    }
}

/// All accounts, in the file's order. Lines that are no account (NIS, damage) are left out.
pub(crate) fn all(host: &Host) -> Result<Vec<Account>, AgentError> {
    let text = host.read_text("/etc/passwd")?.unwrap_or_default();
    Ok(text.lines().filter_map(Account::parse).collect())
}

/// The account called `name`; the first one counts, as for getpwnam(3).
pub(crate) fn find(host: &Host, name: &str) -> Result<Option<Account>, AgentError> {
    Ok(all(host)?.into_iter().find(|account| account.name == name))
}

/// Accounts that people log in to.
pub(crate) fn people(host: &Host) -> Result<Vec<Account>, AgentError> {
    let range = uid_range(host)?;
    Ok(all(host)?.into_iter().filter(|account| account.is_for_people(range)).collect())
}

/// UID_MIN and UID_MAX of /etc/login.defs.
fn uid_range(host: &Host) -> Result<(u32, u32), AgentError> {
    let number = |word: Option<String>, default| word.and_then(|word| word.parse().ok()).unwrap_or(default);
    Ok((number(login_defs(host, "UID_MIN")?, UID_MIN), number(login_defs(host, "UID_MAX")?, UID_MAX)))
}

/// A value of /etc/login.defs.
fn login_defs(host: &Host, key: &str) -> Result<Option<String>, AgentError> {
    let text = host.read_text("/etc/login.defs")?.unwrap_or_default();
    Ok(text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(key)).then(|| words.next().map(str::to_owned)).flatten()
    }))
}
