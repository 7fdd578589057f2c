//! The mail server listens to the machine itself only.

use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View, units};
use hardtack_guest::{Set, Stage};

const POSTFIX: &str = "/etc/postfix/main.cf";
/// What update-exim4.conf makes exim4's configuration from, at each start of the service.
const EXIM: &str = "/etc/exim4/update-exim4.conf.conf";
const SENDMAIL: &str = "/etc/mail/sendmail.mc";
const LOOPBACK: [&str; 5] = ["loopback-only", "localhost", "127.0.0.1", "::1", "[::1]"];

pub(super) struct MailLocal;

impl Measure for MailLocal {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        edit(bench.stage, POSTFIX, "inet_interfaces", " = ", "loopback-only", postfix)?;
        edit(bench.stage, EXIM, "dc_local_interfaces", "=", "'127.0.0.1 ; ::1'", exim)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        let mut found = false;
        // Without a setting Postfix listens to all, and so does Exim with an empty one (their manuals).
        for (path, key, read, service) in [
            (POSTFIX, "inet_interfaces", postfix as Read, "postfix.service"),
            (EXIM, "dc_local_interfaces", exim, "exim4.service"),
        ] {
            let Some(text) = text(view.stage, path) else { continue };
            found = true;
            let place = |line| Place { path: path.to_owned(), line };
            match read(&text, key) {
                Some((_, value)) if is_local(&value) => {}
                Some((lines, value)) => {
                    faults.push((place(Some(lines.start + 1)), format!("{service} listens to \"{value}\"")));
                }
                None => faults.push((place(None), format!("{service} listens to all networks: no {key}"))),
            }
        }
        if view.stage.stat(SENDMAIL)?.is_some() && !units::enabled(view.stage, "sendmail.service")?.is_empty()
        {
            found = true;
            let text = text(view.stage, SENDMAIL).unwrap_or_default();
            let open = text.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with("DAEMON_OPTIONS(")
                    && line.contains("smtp")
                    && !line.contains("127.0.0.1")
                    && !line.contains("::1")
            });
            if open || !text.contains("DAEMON_OPTIONS(") {
                faults.push((Place::file(SENDMAIL), "sendmail.service listens to the network".to_owned()));
            }
        }
        if !found {
            return Ok(Finding::NotApplicable("the image has no mail server".to_owned()));
        }
        Ok(Finding::of(faults))
    }
}

type Lines = std::ops::Range<usize>;
type Read = fn(&str, &str) -> Option<(Lines, String)>;

/// Puts the value in the place of what is in force, which is not local; else behind all.
fn edit(
    stage: &mut Stage<'_>,
    path: &str,
    key: &str,
    sign: &str,
    value: &str,
    read: Read,
) -> Result<(), Error> {
    let Some(text) = stage.read_text(path)? else { return Ok(()) };
    let line = format!("{key}{sign}{value}");
    let mut lines: Vec<&str> = text.lines().collect();
    match read(&text, key) {
        Some((_, there)) if is_local(&there) => return Ok(()),
        Some((place, _)) => {
            lines.splice(place, [line.as_str()]);
        }
        None => lines.push(&line),
    }
    crate::conffile::edit(stage, path, lines.join("\n") + "\n", Set::default())?;
    Ok(())
}

fn is_local(value: &str) -> bool {
    let mut words = value.split([' ', ',', ';', '\t']).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some() && words.all(|word| LOOPBACK.contains(&word) || word.starts_with("127."))
}

/// The last assignment of postconf(5), with the lines behind it that begin with a blank.
fn postfix(text: &str, key: &str) -> Option<(Lines, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut last = None;
    for (index, line) in lines.iter().enumerate() {
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.trim_end() != key {
            continue;
        }
        let more = lines[index + 1..].iter().take_while(|line| line.starts_with([' ', '\t']));
        let end = index + 1 + more.clone().count();
        let words = std::iter::once(value).chain(more.copied()).flat_map(str::split_whitespace);
        last = Some((index..end, words.collect::<Vec<_>>().join(" ")));
    }
    last
}

/// The last assignment of a file that the shell reads.
fn exim(text: &str, key: &str) -> Option<(Lines, String)> {
    let assignments = text.lines().enumerate().filter_map(|(index, line)| {
        let value = line.trim_start().strip_prefix(key)?.strip_prefix('=')?;
        Some((index..index + 1, value.trim().trim_matches(['\'', '"']).to_owned()))
    });
    assignments.last()
}
