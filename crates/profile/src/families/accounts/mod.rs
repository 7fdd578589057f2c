//! login.defs, useradd, shadow, umask and time-outs.
//!
//! login.defs and /etc/default/useradd are configuration files of packages that know no drop-ins: they are changed line
//! by line, and `dpkg -V` names them.

mod consoles;
mod defs;
mod shadow;
mod shells;
#[cfg(test)]
mod tests;

use crate::{Level, Rule};
use consoles::{NoNologin, Securetty, Sulogin};
use defs::{Hash, LOGIN_DEFS, Rounds, USERADD, Value};
use shadow::{Aging, Changed, Root};
pub(crate) use shells::PROFILE_D;
use shells::{RootUmask, Timeout, Umask};

fn between(text: &str, low: i64, high: i64) -> bool {
    text.parse::<i64>().is_ok_and(|number| (low..=high).contains(&number))
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "pass-max-days",
        "5.4.1.1",
        Level::One,
        "passwords are changed once a year",
        "a password that leaked unseen ends some day; accounts without one are left alone: an expired account lets nobody \
         in with a key, either",
        &Value {
            path: LOGIN_DEFS,
            key: "PASS_MAX_DAYS",
            value: "365",
            good: |said| between(said, 1, 365),
            wanted: "1 to 365",
            aging: Some(Aging {
                field: 4,
                what: "the days after which the password must be changed",
                value: "365",
                good: |said| between(said, 1, 365),
            }),
        },
    ),
    Rule::new(
        "pass-min-days",
        "5.4.1.2",
        Level::Two,
        "a new account's password stays a day",
        "who changes it 24 times in an hour has the old one back; passwords that are there already may be changed at once",
        &Value {
            path: LOGIN_DEFS,
            key: "PASS_MIN_DAYS",
            value: "1",
            good: |said| between(said, 1, i64::MAX),
            wanted: "1 or more",
            aging: None,
        },
    ),
    Rule::new(
        "pass-warn",
        "5.4.1.3",
        Level::One,
        "people are told a week before their password expires",
        "who learns it on the day is locked out",
        &Value {
            path: LOGIN_DEFS,
            key: "PASS_WARN_AGE",
            value: "7",
            good: |said| between(said, 7, i64::MAX),
            wanted: "7 or more",
            aging: None,
        },
    )
    .baseline(),
    Rule::new(
        "pass-hash",
        "5.4.1.4",
        Level::One,
        "tools that set passwords without PAM hash them by yescrypt or SHA-512",
        "a stolen shadow file is searched at the speed of its hashes",
        &Hash,
    )
    .baseline(),
    Rule::new(
        "pass-rounds",
        "",
        Level::None,
        "the tools' hashes cost more work",
        "lynis asks for it (AUTH-9230); PAM's own hashes have their own measure",
        &Rounds,
    ),
    Rule::new(
        "pass-inactive",
        "5.4.1.5",
        Level::One,
        "an account whose password expired 45 days ago is closed",
        "nobody needs it, and nobody would notice; accounts without a password are left alone: no key would open them again",
        &Value {
            path: USERADD,
            key: "INACTIVE",
            value: "45",
            good: |said| between(said, 0, 45),
            wanted: "0 to 45",
            aging: Some(Aging {
                field: 6,
                what: "the days after which an expired account is closed",
                value: "45",
                good: |said| between(said, 0, 45),
            }),
        },
    ),
    Rule::new(
        "pass-change-past",
        "5.4.1.6",
        Level::One,
        "no password was changed in the future",
        "it would not expire for years",
        &Changed,
    )
    .baseline(),
    Rule::new(
        "umask-login-defs",
        "5.4.3.3",
        Level::One,
        "new files of sessions are nobody else's",
        "pam_umask reads it, for every kind of session; a user's own group keeps its rights (USERGROUPS_ENAB)",
        &Value {
            path: LOGIN_DEFS,
            key: "UMASK",
            value: "027",
            good: |said| u32::from_str_radix(said, 8).is_ok_and(|mask| mask & 0o027 == 0o027),
            wanted: "027",
            aging: None,
        },
    ),
    Rule::new(
        "umask-profile",
        "5.4.3.3",
        Level::One,
        "new files of login shells are nobody else's",
        "where no pam_umask is asked the shell's own value counts",
        &Umask,
    ),
    Rule::new(
        "umask-root",
        "5.4.2.6",
        Level::One,
        "root's own files set no weaker umask",
        "what root makes is the most worth reading",
        &RootUmask,
    ),
    Rule::new(
        "tmout",
        "5.4.3.2",
        Level::One,
        "a shell that nobody types into ends after 15 minutes",
        "an open terminal is a login without a password; also tmux and screen end",
        &Timeout,
    ),
    Rule::new(
        "nologin-shells",
        "5.4.3.1",
        Level::Two,
        "nologin does not count as a shell",
        "programs that ask /etc/shells would take accounts for people's",
        &NoNologin,
    )
    .baseline(),
    Rule::new(
        "root-locked",
        "5.4.2.4",
        Level::One,
        "root has no password, or a strongly hashed one",
        "root's name is known to everybody; which of the two is the owner's to say: the serial console needs a password",
        &Root,
    ),
    Rule::new(
        "securetty",
        "",
        Level::None,
        "root logs in on consoles only",
        "telnet and rlogin gave root terminals; releases since Debian 11 no longer ask",
        &Securetty,
    ),
    Rule::new(
        "sulogin",
        "",
        Level::None,
        "the rescue shells ask for root's password",
        "who sits at the console is not yet root",
        &Sulogin,
    ),
];
