//! What another machine's enrolment left on this disk, taken away before anybody can use it.
//!
//! An image that is made from an enrolled machine carries its secrets: `~/.google_authenticator` in every home, listed
//! in the recipe or not, what the agent remembers of them, and passwords that were made there. Homes are hostile:
//! each is opened once, nothing is followed, and a file that root of the other machine has nailed down is freed or covered.
//! Where even that fails the enrolment fails, and SSH does not start.

use hardtack_credentials::secret_file::FILE_NAME;

use super::password;
use crate::accounts::{self, Account};
use crate::config::{RUNTIME, STATE};
use crate::error::AgentError;
use crate::home::Home;
use crate::host::Host;
use crate::journal;

/// What could not be taken away.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Homes whose file is covered until the next boot.
    pub(super) covered: Vec<String>,
    /// Sentences about secrets that still work.
    pub(super) working: Vec<String>,
}

/// Takes away everything that an enrolment leaves: secrets, marks, made passwords. What is done is done, whatever else
/// fails; the second time is nothing to do.
pub(super) fn drop_all(host: &Host, user_data_sets_passwords: bool) -> Left {
    let mut left = Left::default();
    let homes = homes(host).unwrap_or_else(|error| {
        left.working.push(format!("nobody can say whose secrets there are: {error}"));
        Vec::new()
    });
    for account in &homes {
        clean(host, account, &mut left);
    }
    if let Err(error) = password::lock_all(host, user_data_sets_passwords) {
        left.working.push(format!("passwords that were made on another machine still work: {error}"));
    }
    // Marks last: they say that somebody was enrolled, should this be broken off.
    for path in [
        format!("{RUNTIME}/enrolled"),
        format!("{RUNTIME}/sealed"),
        format!("{RUNTIME}/passwords"),
        format!("{STATE}/operator"),
        format!("{STATE}/used"),
    ] {
        let path = host.path(&path);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                left.working.push(AgentError::io("remove", &path, error).to_string());
            }
            _ => {}
        }
    }
    left
}

/// The same for homes that an earlier boot could not clean.
pub(super) fn drop_left(host: &Host, homes: &[String]) -> Left {
    let mut left = Left::default();
    for home in homes {
        clean(host, &of_home(home), &mut left);
    }
    left
}

fn clean(host: &Host, account: &Account, left: &mut Left) {
    let may_work = |error: AgentError| format!("the secret of {} may still work: {error}", account.name);
    let home = match Home::open_anyones(host, account) {
        Ok(Some(home)) => home,
        Ok(None) => return,
        Err(error) => return left.working.push(may_work(error)),
    };
    // google-authenticator's own name on the way to a new file. No module reads it: nobody logs in with what stays.
    if let Err(error) = home.remove(&format!("{FILE_NAME}~")) {
        journal::say(&error.to_string());
    }
    match home.has_file(FILE_NAME) {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return left.working.push(may_work(error)),
    }
    let Err(error) = home.remove(FILE_NAME) else {
        journal::say(&format!("dropped the secret in {}: it was made for another machine", account.home));
        return;
    };
    match host.is_live().then(|| home.cover(FILE_NAME)) {
        Some(Ok(())) => {
            journal::say(&format!(
                "{error}; it was made for another machine, and is covered: nobody can log in with it, and {} is not enrolled",
                account.name
            ));
            left.covered.push(account.home.clone());
        }
        _ => left.working.push(format!(
            "{error}: the secret of {} was made for another machine and still works",
            account.name
        )),
    }
}

/// Every account's home, whatever its shell; besides, what lies in /home without an account: it may get one.
fn homes(host: &Host) -> Result<Vec<Account>, AgentError> {
    let mut list: Vec<Account> =
        accounts::all(host)?.into_iter().filter(|account| account.home.starts_with('/')).collect();
    for name in host.names("/home") {
        let home = format!("/home/{name}");
        if !list.iter().any(|account| account.home == home) {
            list.push(of_home(&home));
        }
    }
    let root = of_home("/root");
    if !list.iter().any(|account| account.home == root.home) {
        list.push(root);
    }
    Ok(list)
}

fn of_home(home: &str) -> Account {
    Account {
        name: home.rsplit('/').next().unwrap_or_default().to_owned(),
        uid: 0,
        gid: 0,
        home: home.to_owned(),
        shell: String::new(),
    }
}
