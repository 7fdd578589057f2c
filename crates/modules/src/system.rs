//! Small facts about a machine that several modules ask for, and the lines that cloud-init puts above
//! files that it makes (`cloudinit/util.py`: `make_header`, `time_rfc2822`; `cloudinit/distros`:
//! `uses_systemd`, `manage_service`).

use crate::action::{Action, Content};
use crate::machine::{Distro, Facts, Machine};

/// The release of cloud-init whose behaviour this crate has. Headers and the final message name it.
pub const CLOUD_INIT: &str = "26.2";

/// Whether systemd is the machine's init: running, or installed in an image that has not booted.
#[must_use]
pub fn systemd(machine: &dyn Machine, distro: &Distro) -> bool {
    // Alpine's class says no whatever is installed.
    distro.variant != "alpine"
        && ["/run/systemd/system", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/usr/bin/systemctl"]
            .iter()
            .any(|path| machine.exists(path))
}

/// The beginning of the run as mails write it, or a word for it in a plan.
#[must_use]
pub fn timestamp(facts: &Facts) -> String {
    facts.now.map_or_else(|| "<time of the boot>".to_owned(), rfc2822)
}

/// The line above a file that cloud-init makes.
#[must_use]
pub fn header(what: &str, facts: &Facts) -> String {
    format!("# {what} by cloud-init v. {CLOUD_INIT} on {}", timestamp(facts))
}

/// `Thu, 01 Jan 1970 00:00:12 +0000` of seconds since 1970.
#[must_use]
pub fn rfc2822(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The year 10000 is far enough, and nothing overflows below it.
    let seconds = seconds.min(253_402_300_799);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let day_name = DAYS.get(usize::try_from(days % 7).unwrap_or(0)).copied().unwrap_or("Thu");
    // Howard Hinnant's civil_from_days, for years from 1970 on.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let month_name =
        usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or("Jan");
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{day_name}, {day:02} {month_name} {year:04} {hour:02}:{minute:02}:{second:02} +0000")
}

/// The command that does `action` to a service.
#[must_use]
pub fn service(action: &str, name: &str, machine: &dyn Machine, distro: &Distro) -> Vec<String> {
    let words: Vec<&str> = if systemd(machine, distro) {
        match action {
            "try-reload" => vec!["systemctl", "try-reload-or-restart", name],
            "reload" => vec!["systemctl", "reload-or-restart", name],
            "status" => vec!["systemctl", "status", name],
            _ => vec!["systemctl", action, name],
        }
    } else if distro.variant == "alpine" {
        match action {
            "enable" => vec!["rc-update", "--nocolor", "add", name],
            "disable" => vec!["rc-update", "--nocolor", "del", name],
            "reload" | "try-reload" => vec!["rc-service", "--nocolor", name, "restart"],
            _ => vec!["rc-service", "--nocolor", name, action],
        }
    } else {
        match action {
            "enable" | "start" => vec!["service", name, "start"],
            "disable" | "stop" => vec!["service", name, "stop"],
            "reload" | "try-reload" => vec!["service", name, "restart"],
            _ => vec!["service", name, action],
        }
    };
    words.into_iter().map(str::to_owned).collect()
}

/// Running `argv`, whose failure fails the module.
#[must_use]
pub fn run<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Action {
    Action::Run {
        argv: argv.into_iter().map(|word| word.as_ref().to_owned()).collect(),
        stdin: None,
        environment: Vec::new(),
        optional: false,
    }
}

/// Running `argv`, whose failure is told and forgotten.
#[must_use]
pub fn try_run<S: AsRef<str>>(argv: impl IntoIterator<Item = S>) -> Action {
    match run(argv) {
        Action::Run { argv, stdin, environment, .. } => {
            Action::Run { argv, stdin, environment, optional: true }
        }
        other => other,
    }
}

/// Writing a file that anybody may read, root's.
#[must_use]
pub fn write(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Action {
    write_mode(path, text, 0o644)
}

/// Writing a file with a mode.
#[must_use]
pub fn write_mode(path: impl Into<String>, text: impl Into<Vec<u8>>, mode: u32) -> Action {
    Action::Write { path: path.into(), content: Content::open(text), mode: Some(mode), owner: None }
}

/// The content of a file that people write passwords into: it is shown only where there is none.
#[must_use]
pub fn guarded(text: impl Into<String>) -> Content {
    let text = text.into();
    if has_password(&text) { Content::secret(text) } else { Content::open(text) }
}

/// Whether a line has a URL with a password, or `password=`.
fn has_password(text: &str) -> bool {
    text.lines().any(|line| {
        let in_url = line.split("://").skip(1).any(|rest| {
            let authority = rest.split(['/', '?', '#', ' ', '"']).next().unwrap_or_default();
            authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        });
        let lower = line.to_lowercase();
        let named = lower.match_indices("password").any(|(at, word)| {
            lower.get(at + word.len()..).is_some_and(|rest| rest.trim_start().starts_with('='))
        });
        in_url || named
    })
}

/// Writing such a file, root's, which anybody may read all the same.
#[must_use]
pub fn write_guarded(path: impl Into<String>, text: impl Into<String>) -> Action {
    Action::Write { path: path.into(), content: guarded(text), mode: Some(0o644), owner: None }
}

/// Text of a file, with U+FFFD for what is no UTF-8.
#[must_use]
pub fn read_text(machine: &dyn Machine, path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&machine.read(path)?).into_owned())
}

/// The architecture in Debian's words, from the header of one of the system's programs.
#[must_use]
pub fn architecture(machine: &dyn Machine) -> Option<&'static str> {
    let bytes = ["/usr/bin/dpkg", "/bin/sh", "/usr/bin/env", "/usr/lib/systemd/systemd"]
        .iter()
        .find_map(|path| machine.read(path).filter(|bytes| bytes.starts_with(b"\x7fELF")))?;
    let class = *bytes.get(4)?;
    let little = *bytes.get(5)? == 1;
    let pair = [*bytes.get(18)?, *bytes.get(19)?];
    let kind = if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
    Some(match (kind, class, little) {
        (62, ..) => "amd64",
        (3, ..) => "i386",
        (183, ..) => "arm64",
        (40, ..) => "armhf",
        (243, 2, _) => "riscv64",
        (21, _, true) => "ppc64el",
        (22, 2, _) => "s390x",
        (258, ..) => "loong64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_seen() {
        for text in [
            "deb https://u:p@host x",
            "a\nPassword = x\n",
            "Proxy \"http://u:p@h:3128\";",
            "x,username=a,password=b",
        ] {
            assert!(guarded(text).secret, "{text}");
        }
        for text in
            ["deb https://host/a:b@c x", "deb https://user@host", "# a password\n", "passwords are = x"]
        {
            assert!(!guarded(text).secret, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_in_mails() {
        for (seconds, text) in [
            (12, "Thu, 01 Jan 1970 00:00:12 +0000"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 +0000"),
            (1_795_277_381, "Sat, 21 Nov 2026 16:09:41 +0000"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(rfc2822(seconds), text);
        }
    }
}
