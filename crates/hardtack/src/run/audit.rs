//! `hardtack audit`.

use std::io::Write as _;

use hardtack_audit::buckets::{self, Cloud};
use hardtack_audit::{Problem, Report, groups, images, render};
use hardtack_cloud::{Client, Kind, Service};
use hardtack_publish::Teller as _;

use super::publish::{Site, Talker, find};
use crate::args::{AuditArgs, AuditFormat, AuditPart, FailOn};
use crate::environment;
use crate::error::{CliError, NO, REMOTE};
use crate::talk;
use crate::terminal::Terminal;

/// Columns without a terminal.
const WIDTH: u16 = 80;

/// Runs the verb.
pub(crate) fn run(arguments: &AuditArgs) -> Result<u8, CliError> {
    let parts = parts(arguments)?;
    let environment = environment::of_process();
    let Site::Cloud(client) = find(&arguments.place, Service::Ec2, &environment)? else {
        return Err(CliError::usage(
            "what is audited is an account of a cloud, and the local catalog is none: --on aws or --on euca",
        ));
    };
    client.provider().get()?;
    let report = gather(&client, &parts, arguments.objects)?.concluded();
    show(&report, arguments)?;
    // Tables have them already; what goes to a program has not.
    if arguments.format != AuditFormat::Table || arguments.json {
        for Problem { part, of, what } in &report.problems {
            let of = of.as_ref().map_or_else(String::new, |of| format!(" {of}"));
            talk::line(&format!("{part}{of}: {what}"));
        }
    }
    Ok(match (arguments.fail_on, report.public.is_empty(), report.problems.is_empty()) {
        (Some(FailOn::Public), false, _) => NO,
        (_, _, false) => REMOTE,
        _ => 0,
    })
}

/// What is looked at. Graphs are of groups.
fn parts(arguments: &AuditArgs) -> Result<Vec<AuditPart>, CliError> {
    let all = [AuditPart::Groups, AuditPart::Buckets, AuditPart::Images];
    let graph = arguments.format != AuditFormat::Table;
    let named = |part: &AuditPart| arguments.what.is_empty() || arguments.what.contains(part);
    match graph {
        false => Ok(all.into_iter().filter(named).collect()),
        true if arguments.what.iter().all(|part| *part == AuditPart::Groups) => Ok(vec![AuditPart::Groups]),
        true => {
            Err(CliError::usage("dot and svg show security groups only: hardtack audit groups --format dot"))
        }
    }
}

/// Asks for all parts. One that cannot be asked does not hinder the others.
fn gather(client: &Client, parts: &[AuditPart], objects: u64) -> Result<Report, CliError> {
    let place = client.place();
    let kind = if place.kind == Kind::Aws { "aws" } else { "euca" };
    let mut report = Report::new(kind, &place.region);
    let tell = Talker::default();
    let mut first = None;
    for part in parts {
        let problems = &mut report.problems;
        let (name, failed) = match part {
            AuditPart::Groups => ("groups", keep(groups::gather(client, problems), &mut report.groups)),
            AuditPart::Buckets => {
                let world = Cloud::new(client);
                let found = buckets::gather(&world, objects, &|text| tell.waiting(text), problems);
                ("buckets", keep(found, &mut report.buckets))
            }
            AuditPart::Images => ("images", keep(images::gather(client, problems), &mut report.images)),
        };
        if let Some(error) = failed {
            report.problems.push(Problem { part: name, of: None, what: error.to_string() });
            first.get_or_insert(error);
        }
    }
    match first {
        // Nothing at all was answered: that is an error, and no report.
        Some(error) if report.groups.is_none() && report.buckets.is_none() && report.images.is_none() => {
            Err(error.into())
        }
        _ => Ok(report),
    }
}

/// Keeps what was found; gives what went wrong.
fn keep<T>(found: Result<T, hardtack_audit::Error>, slot: &mut Option<T>) -> Option<hardtack_audit::Error> {
    match found {
        Ok(found) => {
            *slot = Some(found);
            None
        }
        Err(error) => Some(error),
    }
}

fn show(report: &Report, arguments: &AuditArgs) -> Result<(), CliError> {
    let groups = report.groups.as_deref().unwrap_or_default();
    let text = match arguments.format {
        _ if arguments.json => {
            let mut text = serde_json::to_string_pretty(report)
                .map_err(|error| CliError::refused(format!("the report cannot be written: {error}")))?;
            text.push('\n');
            text
        }
        AuditFormat::Table => render::tables(report, Terminal::of_stdout().width.unwrap_or(WIDTH).into()),
        AuditFormat::Dot => render::dot(groups),
        AuditFormat::Svg => render::svg(groups),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)
}
