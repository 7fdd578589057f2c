//! The report for people.

use std::fmt::Write as _;

use super::table::{table, wrapped};
use crate::Report;
use crate::buckets::Bucket;
use crate::groups::Group;
use crate::images::Images;
use crate::text::tame;

/// Public and odd objects that are named; all public ones are in JSON.
const NAMED: usize = 50;

/// The report as tables, not wider than `width` where that can be.
pub fn tables(report: &Report, width: usize) -> String {
    let mut out = String::new();
    if let Some(groups) = &report.groups {
        for group in groups {
            one_group(&mut out, group, width);
            out.push('\n');
        }
        let _ = writeln!(out, "{} in {}\n", count(groups.len(), "security group"), report.region);
    }
    if let Some(buckets) = &report.buckets {
        if !buckets.is_empty() {
            let rows: Vec<Vec<String>> = buckets.iter().map(bucket_row).collect();
            out.push_str(&table(&["BUCKET", "REGION", "LISTING", "OBJECTS"], &rows, 0, width));
            out.push('\n');
        }
        for bucket in buckets {
            objects(&mut out, bucket, width);
        }
        let _ = writeln!(out, "{}, asked for without credentials\n", count(buckets.len(), "bucket"));
    }
    if let Some(images) = &report.images {
        shared(&mut out, images, &report.region, width);
    }
    if !report.problems.is_empty() {
        out.push_str("NOT KNOWN\n");
        for problem in &report.problems {
            let of = problem.of.as_ref().map_or_else(String::new, |of| format!(" {of}"));
            bulleted(&mut out, &format!("{}{of}: {}", problem.part, problem.what), width);
        }
        out.push('\n');
    }
    match report.public.len() {
        0 => out.push_str("nothing was found that the world can reach\n"),
        found => {
            let _ = writeln!(out, "THE WORLD REACHES {}", count(found, "thing").to_uppercase());
            for line in &report.public {
                bulleted(&mut out, line, width);
            }
        }
    }
    out
}

fn one_group(out: &mut String, group: &Group, width: usize) {
    let mut heading = group.title();
    if let Some(vpc) = &group.vpc {
        heading.push_str(&format!(" in {vpc}"));
    }
    if group.unused == Some(true) {
        heading.push_str(": unused");
    }
    if !group.open_to_world.is_empty() {
        let words: Vec<String> = group.open_to_world.iter().map(crate::groups::Ports::words).collect();
        heading.push_str(&format!(": OPEN TO THE WORLD: {}", words.join(", ")));
    }
    for line in wrapped(&tame(&heading), width) {
        let _ = writeln!(out, "{line}");
    }
    if !group.description.is_empty() && group.description != group.name {
        for line in wrapped(&tame(&group.description), width.saturating_sub(2)) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let rows: Vec<Vec<String>> = group
        .ingress
        .iter()
        .map(|rule| {
            let said = match (rule.open, rule.wide) {
                (true, _) => "open to the world",
                (_, true) => "a wide network",
                _ => "",
            };
            vec![rule.ports.words(), rule.source.words(), said.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        out.push_str("  lets nothing in\n");
    } else {
        out.push_str(&table(&["PORTS", "FROM", ""], &rows, 2, width));
    }
    let rows: Vec<Vec<String>> = group
        .members
        .iter()
        .map(|member| {
            let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
            vec![
                member.id.clone(),
                text(member.name.as_deref()),
                text(member.public()),
                text(member.private_address.as_deref()),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.push_str(&table(&["MEMBER", "NAME", "PUBLIC", "PRIVATE"], &rows, 2, width));
    }
}

fn bucket_row(bucket: &Bucket) -> Vec<String> {
    let listing = match bucket.listing {
        Some(_) if bucket.public_listing => "PUBLIC".to_owned(),
        Some(status) => status.to_string(),
        None => "no answer".to_owned(),
    };
    let mut parts: Vec<String> =
        bucket.statuses.iter().map(|(status, count)| format!("{}: {status}", grouped(*count))).collect();
    if bucket.unanswered > 0 {
        parts.push(format!("{} without an answer", grouped(bucket.unanswered)));
    }
    if bucket.unaskable > 0 {
        parts.push(format!("{} not to be asked for", grouped(bucket.unaskable)));
    }
    if bucket.tried == 0 {
        parts.push("none tried".to_owned());
    }
    if bucket.cut {
        parts.push("there are more".to_owned());
    }
    vec![
        bucket.name.clone(),
        bucket.region.clone().unwrap_or_else(|| "-".to_owned()),
        listing,
        parts.join(", "),
    ]
}

fn objects(out: &mut String, bucket: &Bucket, width: usize) {
    for (heading, objects) in
        [("everybody can read", &bucket.public_objects), ("answered oddly", &bucket.odd_objects)]
    {
        if objects.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}: {heading}", bucket.name);
        let rows: Vec<Vec<String>> = objects
            .iter()
            .take(NAMED)
            .map(|object| vec![object.status.to_string(), grouped(object.size), object.key.clone()])
            .collect();
        out.push_str(&table(&["", "BYTES", "KEY"], &rows, 2, width));
        if let Some(more) = objects.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = writeln!(out, "  and {} more (--json names them)", grouped(more as u64));
        }
        out.push('\n');
    }
}

fn shared(out: &mut String, images: &Images, region: &str, width: usize) {
    let with = |public: bool, accounts: &[String]| {
        let mut words: Vec<String> = public.then(|| "EVERYBODY".to_owned()).into_iter().collect();
        words.extend_from_slice(accounts);
        words.join(", ")
    };
    let rows: Vec<Vec<String>> = images
        .images
        .iter()
        .map(|image| {
            let others: Vec<String> = image.accounts.iter().chain(&image.organizations).cloned().collect();
            vec![image.id.clone(), image.name.clone(), with(image.public, &others)]
        })
        .collect();
    if !rows.is_empty() {
        out.push_str(&table(&["IMAGE", "NAME", "SHARED WITH"], &rows, 0, width));
        out.push('\n');
    }
    let rows: Vec<Vec<String>> = images
        .snapshots
        .iter()
        .map(|snapshot| {
            let name = snapshot.name.clone().unwrap_or_else(|| "-".to_owned());
            vec![
                snapshot.id.clone(),
                name,
                format!("{} GiB", snapshot.size),
                with(snapshot.public, &snapshot.accounts),
            ]
        })
        .collect();
    if !rows.is_empty() {
        out.push_str(&table(&["SNAPSHOT", "NAME", "SIZE", "SHARED WITH"], &rows, 0, width));
        out.push('\n');
    }
    let line = |out: &mut String, all: usize, what: &str, found: usize| {
        let _ = writeln!(
            out,
            "{} in {region}, {} of them public or shared",
            count(all, what),
            grouped(found as u64)
        );
    };
    line(out, images.images_in_all, "image", images.images.len());
    line(out, images.snapshots_in_all, "snapshot", images.snapshots.len());
    for (what, block) in [("images", images.image_block), ("snapshots", images.snapshot_block)] {
        if let Some(block) = block {
            let _ = writeln!(out, "making {what} public is {} here", block.words());
        }
    }
    out.push('\n');
}

fn bulleted(out: &mut String, text: &str, width: usize) {
    for (index, line) in wrapped(&tame(text), width.saturating_sub(4)).iter().enumerate() {
        let _ = writeln!(out, "{}{line}", if index == 0 { "  - " } else { "    " });
    }
}

/// `1 bucket`, `12,004 buckets`.
fn count(number: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(number as u64), if number == 1 { "" } else { "s" })
}

/// `12,004`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
