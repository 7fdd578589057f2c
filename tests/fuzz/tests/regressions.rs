//! What the fuzzers found once, and their seeds: every input must come back, quickly.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static MEMORY: hardtack_fuzz::Capped = hardtack_fuzz::Capped;

/// The time that one input may take; a loop would take forever.
const LIMIT: Duration = Duration::from_secs(20);

/// The bound on memory is the process's, so one test at a time may use it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn replay(folder: &str) -> usize {
    let _alone = alone();
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

/// Texts that are small and mean much, or that are as large as they may be: each within the memory that user-data
/// may take.
#[test]
fn bombs_are_answered() {
    let _alone = alone();
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut merges = "a0: &a0 {k0: 1, l0: 2}\n".to_owned();
    for level in 1..400 {
        let before = level - 1;
        let names = vec![format!("*a{before}"); 10].join(", ");
        aliases.push_str(&format!("a{level}: &a{level} [{names}]\n"));
        merges.push_str(&format!("a{level}: &a{level}\n  <<: [*a{before}, *a{before}]\n  k{level}: 1\n"));
    }
    aliases.truncate(16 << 10);
    merges.truncate(16 << 10);
    // As many values as are just allowed, in the kinds that take most memory.
    let limit = hardtack_userdata::limits::YAML.nodes;
    let maps = format!("x:\n{}", "- {a: }\n".repeat(limit / 3 - 10));
    let keys: String = (0..limit / 2 - 10).map(|number| format!("k{number}:\n")).collect();
    let lists = format!("x: [{}]", "[],".repeat(limit - 10));
    let anchored = format!("x: &x [{}]", "{a: },".repeat(limit / 6 - 10));
    let users = format!("users:\n{}", "- {name: 5, sudo: [[]]}\n".repeat(limit / 7 - 10));
    let copies = "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"},".repeat(60);
    let parts = vec![format!("- \"#cloud-config\\nx: [{}]\"\n", "{a: },".repeat(3000)); 40].concat();
    let patch = format!(
        "#cloud-config-archive\n- \"#cloud-config\\na: [x]\"\n- '#cloud-config-jsonp [{}]'\n",
        copies.trim_end_matches(',')
    );
    let long = "x: ".to_owned() + &"a".repeat(1 << 20);
    let yaml =
        [aliases, merges, "[".repeat(10_000), "- ".repeat(10_000), maps, keys, lists, anchored, users, long];
    let texts = yaml.into_iter().map(|text| format!("#cloud-config\n{text}"));
    for text in texts.chain([patch, format!("#cloud-config-archive\n{parts}")]) {
        let begun = Instant::now();
        println!("{}", text.chars().take(60).collect::<String>());
        hardtack_fuzz::userdata(text.as_bytes());
        hardtack_fuzz::yaml(text.as_bytes());
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }
}

/// Damage by chance, without a fuzzer: HARDTACK_MUTATIONS inputs for each target.
#[test]
fn random_damage_is_answered() {
    let _alone = alone();
    let count: u64 =
        std::env::var("HARDTACK_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    for (name, target) in hardtack_fuzz::TARGETS {
        for number in 0..count {
            let text = hardtack_fuzz::TEXTS.contains(name);
            let input = if text { damaged_text(name, number) } else { damage(number) };
            // Shown when the input makes the test fail: the number makes the same input again. The bytes
            // themselves would count among what is allocated.
            println!("{name} {number}");
            let begun = Instant::now();
            target(&input);
            assert!(begun.elapsed() < LIMIT, "{name}: input {number} takes {:?}", begun.elapsed());
        }
    }
}

/// A seed of a target that reads texts, with pieces of others in it.
fn damaged_text(name: &str, number: u64) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seed = |number: u64| std::fs::read(&paths[number as usize % paths.len()]).unwrap();
    let mut input = seed(number);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..1 + number % 5 {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let other = seed(state >> 40);
        let from = (state >> 20) as usize % (other.len() + 1);
        let piece = &other[from..(from + 1 + state as usize % 24).min(other.len()).max(from)];
        let at = (state >> 8) as usize % (input.len() + 1);
        let end = (at + (state >> 4) as usize % 6).min(input.len());
        input.splice(at..end, piece.iter().copied());
    }
    input
}

/// A base, and up to six patches with values that tables do not like.
fn damage(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: u64| {
        // xorshift64*: the same inputs in every run.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit
    };
    let repair = if below(3) > 0 { 0x80 } else { 0 };
    let mut input = vec![below(126) as u8 | repair];
    for _ in 0..1 + below(6) {
        input.extend(&below(1 << 24).to_le_bytes()[..3]);
        let random = below(1 << 32).to_le_bytes();
        let small = below(3000).to_le_bytes();
        let value = match below(8) {
            0 => &[0xff; 4][..],
            1 => &[0; 4],
            2 => &[0x80],
            3 => &[0xff; 2],
            4 => &random[..1],
            5 => &random[..4],
            6 => &small[..2],
            _ => &small[..4],
        };
        input.push(value.len() as u8 - 1);
        input.extend(value);
    }
    input
}
