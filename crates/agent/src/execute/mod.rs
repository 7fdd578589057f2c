//! Carrying out what modules decide (`hardtack_modules::Action`), one action after the other.
//!
//! * [`files`]: files, directories and links.
//! * [`place`]: where a path leads, when others than root write to directories on the way.
//! * [`owners`]: whose they become.
//! * [`labels`]: what SELinux calls them.
//! * [`run`]: programs of the machine.
//! * [`host_keys`]: several keys of the SSH server at once.
//! * [`scripts`]: directories of scripts, and the entries of `runcmd` and `bootcmd` one by one.
//! * [`live`]: what only the running machine can decide.

mod files;
mod host_keys;
mod labels;
mod live;
mod owners;
mod place;
pub(crate) mod run;
mod scripts;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use live::power_wait;
pub(crate) use owners::{group, numbers};

use hardtack_datasource::Found;
use hardtack_http::Transport;
use hardtack_modules::{Action, Distro, Facts, Machine, Outcome};

use crate::error::AgentError;
use crate::host::Host;
use crate::log::Log;
use crate::record::Record;

/// What actions need.
pub(crate) struct Execution<'a> {
    /// The machine, for writing.
    pub(crate) host: &'a Host,
    /// The same, for questions that modules ask, too.
    pub(crate) machine: &'a dyn Machine,
    pub(crate) distro: &'a Distro,
    pub(crate) facts: &'a Facts,
    /// The whole configuration, for what an action alone does not tell: where an entry of `runcmd` ends.
    pub(crate) config: &'a hardtack_userdata::Map,
    /// What the data source said.
    pub(crate) found: &'a Found,
    pub(crate) log: &'a Log,
    pub(crate) web: &'a dyn Transport,
    pub(crate) record: &'a mut Record,
    /// The module whose actions these are.
    pub(crate) module: &'static str,
    /// Passwords that were made in this run, until they are printed: `user:password`.
    pub(crate) passwords: Vec<(String, String)>,
}

/// Carries out what a module decided. Returns what failed, in sentences without secrets; after the
/// first failure the rest is left, unless the module says otherwise.
pub(crate) fn carry_out(cx: &mut Execution<'_>, outcome: &Outcome) -> Vec<String> {
    let mut failures = Vec::new();
    let mut labels = labels::Labels::new(cx.host);
    let mut rest = &outcome.actions[..];
    while let Some((action, behind)) = rest.split_first() {
        labels.before(cx, action);
        let together = host_keys::together(cx, rest);
        let done = if together > 0 {
            let (keys, behind) = rest.split_at_checked(together).unwrap_or((rest, &[]));
            rest = behind;
            host_keys::make(cx, keys)
        } else {
            rest = behind;
            act(cx, action)
        };
        labels.behind(action);
        if let Err(error) = done {
            failures.push(error.to_string());
            if !outcome.keep_going {
                break;
            }
        }
    }
    labels.finish(cx);
    failures
}

fn act(cx: &mut Execution<'_>, action: &Action) -> Result<(), AgentError> {
    match action {
        // A swap file that could not be made has no line there.
        Action::Write { path, content, mode, owner } if path == "/etc/fstab" => {
            files::write(cx, path, &live::fstab(cx, &content.bytes), *mode, owner.as_ref())
        }
        Action::Write { path, content, mode, owner } => {
            files::write(cx, path, &content.bytes, *mode, owner.as_ref())
        }
        Action::Append { path, content, mode, owner } => {
            files::append(cx, path, &content.bytes, *mode, owner.as_ref())
        }
        Action::Directory { path, mode, owner } => files::directory(cx, path, *mode, owner.as_ref()),
        Action::Link { path, target } => files::link(cx, path, target),
        Action::Remove { path } => files::remove(cx, path),
        // Small images have no program for it.
        Action::Run { argv, .. }
            if cx.host.is_live()
                && kernel_name(argv)
                    .is_some_and(|name| rustix::system::sethostname(name.as_bytes()).is_ok()) =>
        {
            Ok(())
        }
        Action::Run { argv, stdin, environment, optional } => {
            let mut run =
                |cx: &mut Execution<'_>, argv: &[String]| run::run(cx, argv, stdin.as_ref(), environment);
            let done = live::apt(cx, argv, &mut run).unwrap_or_else(|| run(cx, argv));
            match done {
                Err(error) if *optional => {
                    cx.log.warn(&error.to_string());
                    Ok(())
                }
                done => done,
            }
        }
        Action::Fetch { url, headers, path, fallback, mode, owner } => {
            let bytes = match (crate::web::fetch(cx.host, url, headers), fallback) {
                (Ok(bytes), _) => bytes,
                (Err(error), Some(fallback)) => {
                    cx.log.warn(&format!("{path} gets what stands beside its source: {error}"));
                    fallback.bytes.clone()
                }
                (Err(error), None) => return Err(error),
            };
            files::write(cx, path, &bytes, *mode, owner.as_ref())
        }
        Action::Post { url, fields, tries } => {
            // Nobody at home is no failure of the machine's (`cc_phone_home`).
            if let Err(error) = crate::web::post(cx.host, url, fields, *tries) {
                cx.log.warn(&format!("{}: {error}", cx.module));
            }
            Ok(())
        }
        Action::Console { text } => {
            if text.secret {
                cx.log.console(&text.bytes);
            } else {
                cx.log.output(&text.bytes);
            }
            Ok(())
        }
        Action::Live { what, details } => live::live(cx, what, details),
    }
}

/// The name that `argv` gives the running kernel, where that is all that it does. The kernel takes any bytes; what
/// is no host's name is left to the program, which refuses it.
fn kernel_name(argv: &[String]) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match argv {
        [program, name] if program == "hostname" && !name.starts_with('-') && name.bytes().all(plain) => {
            Some(name).filter(|name| !name.is_empty()).map(String::as_str)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::kernel_name;

    #[test]
    fn a_system_call_stands_for_hostname_with_a_name_alone() {
        let name = |words: &[&str]| {
            let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            kernel_name(&argv).map(str::to_owned)
        };
        assert_eq!(name(&["hostname", "web"]).as_deref(), Some("web"));
        for other in [
            &["hostname"][..],
            &["hostname", "-f"],
            &["hostname", "-b", "x"],
            &["hostname", "w\u{e9}b x"],
            &["hostname", ""],
        ] {
            assert_eq!(name(other), None, "{other:?}");
        }
    }
}
