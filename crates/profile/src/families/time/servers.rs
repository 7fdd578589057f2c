//! Time servers, where somebody names them.

use hardtack_guest::Set;
use hardtack_report::Place;

use super::chrony;
use super::daemon::{Kind, chosen};
use crate::merged::Ini;
use crate::{Bench, Error, Finding, Measure, View};

const DROP_IN: &str = "/etc/systemd/timesyncd.conf.d/50-hardtack.conf";
const SOURCES: &str = "/etc/chrony/sources.d/hardtack.sources";
const CLOUD: &str = "the cloud's own time source, or that of DHCP, is nearer; name time servers in the settings of the \
                     profile to have others";

/// The servers as they were named, or a refusal of what cannot be a name or an address.
fn named<'s>(rule: &'static str, servers: &'s [String]) -> Result<&'s [String], Error> {
    let is_name = |name: &String| {
        !name.is_empty()
            && name.len() <= 255
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'))
    };
    match servers.iter().find(|name| !is_name(name)) {
        Some(name) => Err(Error::Refused {
            rule,
            what: format!("{name:?} is no name or address of a time server"),
            hint: "write names such as time.example.org, and addresses without a port".to_owned(),
        }),
        None => Ok(servers),
    }
}

pub(super) struct Timesyncd;

impl Measure for Timesyncd {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let servers = named("time-timesyncd-servers", &bench.settings.time_servers)?.join(" ");
        if !servers.is_empty() && chosen(bench.stage)?.is_none_or(|kind| kind == Kind::Timesyncd) {
            for line in [
                "[Time]",
                "NTP=",
                &format!("NTP={servers}"),
                "FallbackNTP=",
                &format!("FallbackNTP={servers}"),
            ] {
                bench.line(DROP_IN, 0o644, line);
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if chosen(view.stage)?.is_some_and(|kind| kind != Kind::Timesyncd) {
            return Ok(Finding::NotApplicable("systemd-timesyncd does not keep the time".to_owned()));
        }
        let wanted = &view.settings.time_servers;
        if wanted.is_empty() {
            return Ok(Finding::Exception(CLOUD.to_owned()));
        }
        let ini = Ini::systemd(view.stage, "timesyncd")?;
        let mut faults = Vec::new();
        for key in ["NTP", "FallbackNTP"] {
            let (words, last) = ini.words("Time", key);
            if words != wanted.iter().map(String::as_str).collect::<Vec<_>>() {
                let place = last.map_or_else(
                    || Place::file(DROP_IN),
                    |last| Place { path: last.path.clone(), line: Some(last.line) },
                );
                faults
                    .push((place, format!("{key} is \"{}\", not \"{}\"", words.join(" "), wanted.join(" "))));
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) struct Chrony;

impl Chrony {
    /// Those that chrony is not told of.
    fn missing<'s>(stage: &hardtack_guest::Stage<'_>, wanted: &'s [String]) -> Result<Vec<&'s str>, Error> {
        let directives = chrony::directives(stage)?;
        let asks = |name: &str| {
            directives.iter().any(|(word, rest)| {
                matches!(word.as_str(), "server" | "pool" | "peer")
                    && rest.value.split_whitespace().next() == Some(name)
            })
        };
        Ok(wanted.iter().map(String::as_str).filter(|name| !asks(name)).collect())
    }
}

impl Measure for Chrony {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let servers = named("time-chrony-servers", &bench.settings.time_servers)?;
        let Some(main) = chrony::main(bench.stage)? else { return Ok(()) };
        if servers.is_empty() {
            return Ok(());
        }
        let reads = chrony::directives(bench.stage)?.iter().any(|(word, rest)| {
            word == "sourcedir" && rest.value.split_whitespace().any(|path| path == "/etc/chrony/sources.d")
        });
        if reads {
            for server in servers {
                bench.line(SOURCES, 0o644, format!("server {server} iburst"));
            }
            return Ok(());
        }
        // Before chrony 4.0, and on RHEL, there is no directory of sources.
        let mut content = bench.stage.read_text(main)?.unwrap_or_default();
        let missing = Self::missing(bench.stage, servers)?;
        if !content.ends_with('\n') && !missing.is_empty() {
            content.push('\n');
        }
        for server in &missing {
            content.push_str(&format!("server {server} iburst\n"));
        }
        if !missing.is_empty() {
            crate::conffile::edit(bench.stage, main, content, Set::default())?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(main) = chrony::main(view.stage)? else {
            return Ok(Finding::NotApplicable("chrony is not in the image".to_owned()));
        };
        let wanted = &view.settings.time_servers;
        if wanted.is_empty() {
            return Ok(Finding::Exception(CLOUD.to_owned()));
        }
        let missing = Self::missing(view.stage, wanted)?;
        Ok(Finding::of(
            missing.iter().map(|name| (Place::file(main), format!("chrony does not ask {name}"))).collect(),
        ))
    }
}
