//! rsyslog's configuration, old words and new ones.

mod config;

use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use crate::{Bench, Error, Finding, Measure, View, units};
use config::{Line, MAIN, inputs, lines};

/// It comes first: the mode holds for what is defined behind it.
const DROP_IN: &str = "/etc/rsyslog.d/00-hardtack.conf";
const UNIT: &str = "rsyslog.service";
const NOT_CHOSEN: &str = "rsyslog does not keep the logs: journald does";

/// rsyslog keeps the logs: it is enabled, or there and no journald is.
pub(super) fn is_chosen(stage: &Stage<'_>) -> Result<bool, Error> {
    if stage.stat(MAIN)?.is_none() {
        return Ok(false);
    }
    Ok(!units::enabled(stage, UNIT)?.is_empty() || !super::journald::has(stage)?)
}

/// It reads the journal itself, as RHEL has it.
pub(super) fn reads_journal(stage: &Stage<'_>) -> Result<bool, Error> {
    Ok(lines(stage)?.iter().any(|line| line.text.contains("imjournal")))
}

fn not_chosen() -> Finding {
    Finding::NotApplicable(NOT_CHOSEN.to_owned())
}

fn place(line: &Line) -> Place {
    Place { path: line.path.clone(), line: Some(line.number) }
}

pub(super) struct On;

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if is_chosen(bench.stage)? { units::install(bench, UNIT) } else { Ok(()) }
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !is_chosen(view.stage)? {
            return Ok(not_chosen());
        }
        let enabled = !units::enabled(view.stage, UNIT)?.is_empty();
        Ok(if enabled { Finding::Pass } else { Finding::fail(format!("{UNIT} is not enabled")) })
    }
}

pub(super) struct Mode;

/// The mode that a line sets for files, in octal; the old word and the new ones.
fn mode(line: &Line) -> Option<(&str, u32)> {
    let text = line.text.as_str();
    let lower = text.to_ascii_lowercase();
    let at = lower.find("filecreatemode")? + "filecreatemode".len();
    let value = text.get(at..)?.trim_start_matches(['=', ' ', '\t', '"']);
    let digits = value.len() - value.trim_start_matches(|c: char| c.is_digit(8)).len();
    let value = value.get(..digits)?;
    Some((value, u32::from_str_radix(value, 8).ok()?))
}

impl Measure for Mode {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if bench.stage.stat(MAIN)?.is_none() {
            return Ok(());
        }
        bench.line(DROP_IN, 0o644, "$FileCreateMode 0640");
        for line in lines(bench.stage)?.into_iter().filter(|line| line.path != DROP_IN) {
            if let Some((value, bits)) = mode(&line)
                && bits & !0o640 != 0
            {
                let content = bench.stage.read_text(&line.path)?.unwrap_or_default();
                let changed: String = content
                    .lines()
                    .enumerate()
                    .map(|(index, there)| {
                        let this = index + 1 == line.number;
                        if this { there.replace(value, "0640") + "\n" } else { format!("{there}\n") }
                    })
                    .collect();
                crate::conffile::edit(bench.stage, &line.path, changed, Set::default())?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !is_chosen(view.stage)? {
            return Ok(not_chosen());
        }
        let mut faults = Vec::new();
        let mut set = false;
        for line in lines(view.stage)? {
            match mode(&line) {
                Some((value, bits)) if bits & !0o640 != 0 => {
                    faults.push((place(&line), format!("files get mode {value}, not 0640")));
                }
                Some(_) => set = true,
                None if line.file().is_some() && !set => {
                    faults.push((place(&line), "no mode is set before this: the file gets 0644".to_owned()));
                    set = true;
                }
                None => {}
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Rules;

impl Measure for Rules {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !is_chosen(view.stage)? {
            return Ok(not_chosen());
        }
        let kept = lines(view.stage)?;
        let takes = |facility: &str| {
            kept.iter().any(|line| {
                let selector = line.text.split_whitespace().next().unwrap_or_default();
                let named = selector.contains("*.*") || selector.contains(facility);
                line.file().is_some() && (named || line.text.starts_with("action("))
            })
        };
        let missing: Vec<&str> = ["auth", "cron", "kern"].into_iter().filter(|name| !takes(name)).collect();
        Ok(if missing.is_empty() {
            Finding::Pass
        } else {
            Finding::fail_at(MAIN, format!("no rule writes to a file: {}", missing.join(", ")))
        })
    }
}

pub(super) struct Remote;

/// Host and port.
fn log_host(view: &str) -> Option<(&str, u16)> {
    let (host, port) = view.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    (!host.is_empty() && host.chars().all(is_name)).then_some(())?;
    Some((host, port.parse().ok().filter(|port| *port > 0)?))
}

impl Measure for Remote {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(named) = bench.settings.log_host.as_deref() else { return Ok(()) };
        let Some((host, port)) = log_host(named) else {
            return Err(Error::Refused {
                rule: "rsyslog-remote",
                what: format!("{named:?} is no log host"),
                hint: "write HOST:PORT, such as logs.example.org:514 or [fd00::1]:514".to_owned(),
            });
        };
        if bench.stage.stat(MAIN)?.is_some() {
            // A receiver that is away must not stop what logs: what it misses waits, and in the end is dropped.
            let action = format!(
                "*.* action(type=\"omfwd\" target=\"{host}\" port=\"{port}\" protocol=\"tcp\" queue.type=\"LinkedList\" \
                 queue.size=\"10000\" action.resumeRetryCount=\"-1\")"
            );
            bench.line(DROP_IN, 0o644, action);
        } else {
            bench.notes.push(format!("rsyslog is not in the image: nothing is sent to the log host {named}"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(named) = view.settings.log_host.as_deref() else {
            return Ok(Finding::Exception(
                "no log host is known; name one in the settings of the profile".to_owned(),
            ));
        };
        let Some((host, port)) = log_host(named) else {
            return Ok(Finding::fail(format!("{named:?} is no log host")));
        };
        if !is_chosen(view.stage)? {
            return Ok(Finding::fail(format!("rsyslog is not enabled: nothing is sent to {named}")));
        }
        let new = [format!("target=\"{host}\""), format!("port=\"{port}\"")];
        let old = [format!("@@{host}:{port}"), format!("@@[{host}]:{port}")];
        let sends = lines(view.stage)?.iter().any(|line| {
            line.text.contains("omfwd") && new.iter().all(|word| line.text.contains(word))
                || line.text.split_whitespace().last().is_some_and(|last| old.iter().any(|word| last == word))
        });
        Ok(if sends {
            Finding::Pass
        } else {
            Finding::fail_at(DROP_IN, format!("nothing is sent to {named}"))
        })
    }
}

pub(super) struct NoListen;

impl Measure for NoListen {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (path, from, to) in inputs(&lines(bench.stage)?) {
            let content = bench.stage.read_text(&path)?.unwrap_or_default();
            let changed: String = content
                .lines()
                .enumerate()
                .map(|(index, line)| {
                    if (from..=to).contains(&(index + 1)) {
                        format!("#{line}\n")
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect();
            crate::conffile::edit(bench.stage, &path, changed, Set::default())?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if view.stage.stat(MAIN)?.is_none() {
            return Ok(Finding::NotApplicable("the image has no rsyslog".to_owned()));
        }
        let inputs = inputs(&lines(view.stage)?).into_iter();
        Ok(Finding::of(
            inputs
                .map(|(path, from, _)| {
                    (Place { path, line: Some(from) }, "rsyslog listens to the network".to_owned())
                })
                .collect(),
        ))
    }
}
