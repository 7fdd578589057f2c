//! The rules against the table that they were made of, where it is at hand.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::Path;

use hardtack_profile::{Level, Rule, rules};

/// What the table says of one row.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    cis: String,
    level: Option<Level>,
    baseline: bool,
}

/// `1.1.2.3.2–3` with the dash of rules, nothing for a number of nobody's benchmark.
fn number(cell: &str) -> String {
    let text = cell.replace('–', "-").replace("4.4.x", "4.4.1-3");
    let text = text.trim().trim_start_matches(['D', 'U']).trim();
    if text.starts_with(|c: char| c.is_ascii_digit()) { text.to_owned() } else { String::new() }
}

fn row(cis: &str, level: &str) -> Row {
    let words: Vec<&str> = level.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    let level = match level.trim() {
        text if text.starts_with("D:2 U:1") || text.starts_with("D2 U1") => Some(Level::UbuntuOne),
        text if text.starts_with("D:1 U:2") || text.starts_with("D1 U2") => Some(Level::DebianOne),
        _ if has("1") => Some(Level::One),
        _ if has("2") => Some(Level::Two),
        _ => Some(Level::None),
    };
    Row { cis: number(cis), level, baseline: has("B") }
}

/// The rows of all tables with the columns `id`, `CIS` and `lvl`, or `id` and `CIS`.
fn table(text: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("| id | CIS | lvl |") {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|---") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            rows.insert(cells[0].to_owned(), row(cells[1], cells[2]));
        }
    }
    rows
}

fn of(rule: &Rule) -> Row {
    Row { cis: rule.cis.to_owned(), level: Some(rule.level), baseline: rule.baseline }
}

#[test]
fn every_row_is_a_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/hardening.md");
    let shared = std::env::var_os("HARDTACK_SHARED")
        .map_or(path, |folder| Path::new(&folder).join("reference/hardening.md"));
    let Ok(text) = std::fs::read_to_string(&shared) else {
        eprintln!("SKIPPED: {} is not there", shared.display());
        return;
    };
    let rows = table(&text);
    assert!(rows.len() > 200, "{}", rows.len());
    let mut wrong = Vec::new();
    for (id, row) in &rows {
        match rules().iter().find(|rule| rule.id == id) {
            None => wrong.push(format!("{id}: no rule")),
            Some(rule) if of(rule) != *row => {
                wrong.push(format!("{id}: is {:?}, the table has {row:?}", of(rule)))
            }
            Some(_) => {}
        }
    }
    let others: Vec<&str> = rules().iter().map(|rule| rule.id).filter(|id| !rows.contains_key(*id)).collect();
    eprintln!("{} rows, {} rules; not in the table: {others:?}", rows.len(), rules().len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
