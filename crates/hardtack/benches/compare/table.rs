//! The results as text for the terminal and as tables for the documents.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::cases::Case;
use crate::measure::{Outcome, Sample};

const BEGIN: &str =
    "<!-- compare:begin, written by `cargo bench -p hardtack --bench compare -- --write-readme` -->";
const END: &str = "<!-- compare:end -->";

type Results = [(Case, Vec<Outcome>)];

/// Our output is synced when we end: that time, against theirs with and without a sync.
struct Ratios {
    /// To a peer that does not wait for the disk.
    plain: f64,
    /// To a peer whose output was synced as well.
    synced: f64,
}

fn ratios(outcomes: &[Outcome]) -> Ratios {
    let of = |time: fn(&Sample) -> Duration| outcomes[0].ratio(|own| own.wall, &outcomes[1], time);
    Ratios { plain: of(|theirs| theirs.wall), synced: of(|theirs| theirs.synced) }
}

/// The verdict on an aim, which is held against the harder of the two ratios.
fn verdict(case: &Case, ratios: &Ratios) -> String {
    match case.aim {
        None => "–".to_owned(),
        Some(aim) if ratios.plain <= aim => format!("≤ {aim:.2}: reached"),
        Some(aim) if ratios.synced <= aim => format!("≤ {aim:.2}: reached when both are synced"),
        Some(aim) => format!("≤ {aim:.2}: missed"),
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 0.02 => format!("{:.1} ms", short * 1000.0),
        long => format!("{long:.2} s"),
    }
}

/// A hundredth says nothing of a ratio that is one itself.
fn ratio(value: f64) -> String {
    if value < 0.1 { format!("{value:.3}") } else { format!("{value:.2}") }
}

/// One case for the terminal.
pub(crate) fn plain(case: &Case, outcomes: &[Outcome]) -> String {
    let mut text = format!("{}\n", case.name);
    for outcome in outcomes {
        let _ = writeln!(
            text,
            "  {:26} {:>8} synced {:>8} ({}) processor {:>8} peak {:>4} MiB",
            outcome.name,
            seconds(outcome.median(|sample| sample.wall)),
            seconds(outcome.median(|sample| sample.synced)),
            range(outcome),
            seconds(outcome.median(|sample| sample.processor)),
            peak(outcome),
        );
    }
    let ratios = ratios(outcomes);
    let _ = writeln!(
        text,
        "  ratio {:.3}, both synced {:.3}; {}",
        ratios.plain,
        ratios.synced,
        verdict(case, &ratios)
    );
    text
}

/// The README's table: one row for each case.
pub(crate) fn short(results: &Results) -> String {
    let mut text = "| work | ours | theirs | theirs, synced | ratio | both synced | aim | our peak |\n\
                    |---|--:|--:|--:|--:|--:|---|--:|\n"
        .to_owned();
    for (case, outcomes) in results {
        let (ours, theirs) = (&outcomes[0], &outcomes[1]);
        let ratios = ratios(outcomes);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} MiB |",
            case.name,
            seconds(ours.median(|sample| sample.wall)),
            seconds(theirs.median(|sample| sample.wall)),
            seconds(theirs.median(|sample| sample.synced)),
            ratio(ratios.plain),
            ratio(ratios.synced),
            verdict(case, &ratios),
            peak(ours),
        );
    }
    text
}

/// The table of docs/performance.md: one row for each contender.
pub(crate) fn long(results: &Results) -> String {
    let mut text = "| work | contender | wall | range | synced | processor | peak memory |\n\
                    |---|---|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (case, outcomes) in results {
        for outcome in outcomes {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} MiB |",
                case.name,
                outcome.name,
                seconds(outcome.median(|sample| sample.wall)),
                range(outcome),
                seconds(outcome.median(|sample| sample.synced)),
                seconds(outcome.median(|sample| sample.processor)),
                peak(outcome),
            );
        }
    }
    text
}

/// The least and the greatest wall time.
fn range(outcome: &Outcome) -> String {
    let of = |pick: fn(Duration, Duration) -> Duration| {
        outcome.samples.iter().map(|sample| sample.wall).reduce(pick).unwrap_or_default().as_secs_f64()
    };
    let (least, greatest) = (of(Duration::min), of(Duration::max));
    if greatest < 0.02 {
        format!("{least:.4}–{greatest:.4}")
    } else {
        format!("{least:.2}–{greatest:.2}")
    }
}

/// The largest peak of all runs, in MiB.
fn peak(outcome: &Outcome) -> u64 {
    outcome.samples.iter().map(|sample| sample.memory).max().unwrap_or_default().div_ceil(1 << 10)
}

/// Puts `text` between the markers of a document of the project.
pub(crate) fn replace(document: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let whole = std::fs::read_to_string(&path).unwrap();
    let found = whole.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = found else { panic!("{document}: no {BEGIN} and {END}") };
    std::fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", text.trim_end())).unwrap();
}
