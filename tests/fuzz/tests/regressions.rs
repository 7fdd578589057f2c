//! What the fuzzers found once, and their seeds: every input must come back, quickly.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: hardtack_fuzz::Capped = hardtack_fuzz::Capped;

/// The time that one input may take; a loop would take forever.
const LIMIT: Duration = Duration::from_secs(20);

fn replay(folder: &str) -> usize {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut count = 0;
    for (name, target) in hardtack_fuzz::TARGETS {
        let Ok(entries) = std::fs::read_dir(top.join(name)) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let begun = Instant::now();
            // Shown when the input makes the test fail.
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            assert!(begun.elapsed() < LIMIT, "{} takes {:?}", path.display(), begun.elapsed());
            count += 1;
        }
    }
    count
}

#[test]
fn old_finds_are_answered() {
    replay("regressions");
}

#[test]
fn seeds_are_answered() {
    assert!(replay("corpus") > 80, "the corpus is missing");
}
