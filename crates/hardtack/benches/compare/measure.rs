//! One measurement: a process, its wall time, processor time and peak memory.
//!
//! GNU time tells processor time and peak memory, as wait4(2) knows them.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::{Case, Contender};

/// One run of a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Until the command ended.
    pub(crate) wall: Duration,
    /// Until its output was on the disk as well.
    pub(crate) synced: Duration,
    /// User and system time.
    pub(crate) processor: Duration,
    /// Largest resident set in KiB.
    pub(crate) memory: u64,
}

/// All runs of a contender.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) samples: Vec<Sample>,
}

impl Outcome {
    /// The median of what `of` takes from the samples.
    pub(crate) fn median<T: PartialOrd + Copy>(&self, of: impl Fn(&Sample) -> T) -> T {
        median(self.samples.iter().map(of).collect())
    }

    /// The median of the rounds' ratios to another contender: what slows the machine down for a
    /// while slows both down.
    pub(crate) fn ratio(
        &self,
        own: impl Fn(&Sample) -> Duration,
        peer: &Self,
        of: impl Fn(&Sample) -> Duration,
    ) -> f64 {
        let rounds = self.samples.iter().zip(&peer.samples);
        median(rounds.map(|(ours, theirs)| own(ours).as_secs_f64() / of(theirs).as_secs_f64()).collect())
    }
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).unwrap());
    values[values.len() / 2]
}

/// Runs the contenders of `case` in turn, `runs` times and once more before that, which does not
/// count: it fills the page cache.
pub(crate) fn interleaved(case: &Case, runs: usize) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> =
        case.contenders.iter().map(|one| Outcome { name: one.name, samples: Vec::new() }).collect();
    for round in 0..=runs {
        for (contender, outcome) in case.contenders.iter().zip(&mut outcomes) {
            let sample = start(contender);
            if round > 0 {
                outcome.samples.push(sample);
            }
        }
    }
    outcomes
}

/// Prepares and measures one run.
fn start(contender: &Contender) -> Sample {
    // What is overwritten gives its memory to the writer at once: nobody is to gain by that.
    let _ = std::fs::remove_file(&contender.output);
    if let Some(copied) = &contender.on_copy_of {
        std::fs::copy(copied, &contender.output).unwrap();
        sync(&contender.output);
    }
    let report = contender.output.with_extension("time");
    let mut command = Command::new("time");
    command.args(["-f", "%U %S %M", "-o"]).arg(&report).args(&contender.command).env("CI", "true");
    if let Some(input) = &contender.standard_input {
        command.stdin(File::open(input).unwrap());
    } else {
        command.stdin(Stdio::null());
    }
    let begun = Instant::now();
    let ended = command.output().unwrap();
    let wall = begun.elapsed();
    let text = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{:?}: {}: {text}", contender.command, ended.status);
    sync(&contender.output);
    let synced = begun.elapsed();
    let _ = std::fs::remove_file(&contender.output);
    let said = std::fs::read_to_string(&report).unwrap();
    let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [user, system, memory] = numbers[..] else { panic!("{said}") };
    Sample { wall, synced, processor: Duration::from_secs_f64(user + system), memory: memory as u64 }
}

/// A command without an output has nothing to wait for.
fn sync(file: &Path) {
    if file.exists() {
        File::open(file).unwrap().sync_all().unwrap();
    }
}
