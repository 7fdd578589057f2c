//! A scenario that is killed again and again, and what has to be so afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hardtack_fake_cloud::{Cloud, Entry, Fault, FaultKind, RandomFaults};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::scenario::Scenario;
use crate::workshop::{Folder, Ran, cloud_with};

/// Until a run that goes wrong fails its test.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than anything that has to happen before a kill.
const LATE: Duration = Duration::from_millis(150);
const UNDO: &str = "undo web-1.journal";

/// Moments that were tried.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    name: &'static str,
    after: usize,
    between: usize,
    anywhere: usize,
    /// Kills that came when the run was over.
    over: usize,
    of_undo: usize,
    /// Requests that were sent again because nobody knew of their answer.
    again: usize,
    faults: usize,
}

impl std::fmt::Display for Numbers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, after, between, anywhere, over, of_undo, again, faults } = self;
        write!(
            formatter,
            "{name}: killed {after} times after a request, {between} before an answer, {anywhere} anywhere ({over} of \
             them too late), {of_undo} times while undoing; {again} sent again unanswered, {faults} faults"
        )
    }
}

pub(super) struct Killing {
    folder: Folder,
    cloud: Cloud,
    line: String,
    seed: u64,
    faults: Option<RandomFaults>,
    /// What a run that nobody ends makes.
    whole: BTreeSet<String>,
    /// What was there before.
    before: BTreeSet<String>,
    files: Vec<String>,
    requests: u64,
    of_undo: u64,
    time: Duration,
    leaves: &'static [&'static str],
    launches: bool,
    pub(super) numbers: Numbers,
}

impl Killing {
    pub(super) fn new(scenario: &Scenario, seed: u64, faults: Option<RandomFaults>) -> Self {
        let folder = Folder::new();
        // Volumes take a while, so that some runs end while theirs is being made.
        let cloud = cloud_with(scenario.euca, |options| {
            options.describe_misses = scenario.misses;
            options.volume_polls = 4;
        });
        let line = (scenario.prepare)(&folder, &cloud);
        std::fs::create_dir(folder.path("tmp")).unwrap();
        let before = cloud.leftovers();
        let mut new = Self {
            folder,
            cloud,
            line,
            seed,
            faults,
            whole: BTreeSet::new(),
            before,
            files: Vec::new(),
            requests: 0,
            of_undo: 0,
            time: Duration::ZERO,
            leaves: scenario.leaves,
            launches: false,
            numbers: Numbers { name: scenario.name, ..Numbers::default() },
        };
        new.launches = new.line.starts_with("launch ") || new.line.starts_with("stack ");
        new.cloud.clear_log();
        let line = new.line.clone();
        let started = Instant::now();
        new.expect("whole", &line);
        new.time = started.elapsed();
        new.whole = new.state();
        new.requests = new.cloud.log().len() as u64;
        new.cloud.clear_log();
        new.expect("whole", UNDO);
        new.forget_files();
        new.of_undo = new.cloud.log().len() as u64;
        new.files = new.folder.names(".");
        assert_eq!(new.cloud.leftovers(), new.before, "{}: undo of a whole run", new.numbers.name);
        let what = if new.launches { "instance " } else { "image " };
        assert!(new.whole.iter().any(|line| line.contains(what)), "{:?}", new.whole);
        new
    }

    /// Removes what stays on purpose.
    fn forget_files(&self) {
        for name in self.leaves {
            // A run that was killed early has not made it.
            let _ = std::fs::remove_file(self.folder.path(name));
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        Cloud::random(&mut self.seed) % below.max(1)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.folder.command_at(&self.cloud, line);
        command.env("HARDTACK_TEST_HASTE", "1").env("TMPDIR", self.folder.path("tmp"));
        command
    }

    fn expect(&self, turn: &str, line: &str) {
        let ran = Ran::of(&self.command(line).output().unwrap());
        let name = self.numbers.name;
        assert_eq!(ran.code, Some(0), "{name}, {turn}: {line}: {}{}", ran.out, ran.err);
    }

    /// Faults at random, others each time: where there are few requests, the first of one sequence have none.
    fn break_at_random(&mut self) {
        let faults = self.faults.clone().map(|faults| RandomFaults { seed: self.random(u64::MAX), ..faults });
        self.cloud.random_faults(faults);
    }

    /// One moment, and what follows it.
    pub(super) fn turn(&mut self, turn: u64, turns: u64) {
        let what = format!("turn {turn}");
        self.cloud.clear_log();
        self.break_at_random();
        let mut known = Known::default();
        let line = self.line.clone();
        let (requests, time) = (self.requests, self.time);
        self.kill(&line, turn, turns, requests, time);
        known.read(&self.folder, self.cloud.log().len());
        // Some runs are ended more than once before one comes to its end, or is undone.
        if turn % 4 == 1 {
            let turn = self.random(turns);
            self.kill(&line, turn, turns, requests, time);
            known.read(&self.folder, self.cloud.log().len());
        }
        let undone_first = turn % 5 == 4;
        if undone_first {
            self.kill_undo();
            // A key that was not undone with the rest is in the way of a run that begins anew.
            self.forget_files();
        }
        if turn.is_multiple_of(2) || undone_first {
            self.persist(&what, &line);
            assert_eq!(self.state(), self.whole, "{}, {what}: not as without a kill", self.numbers.name);
            if !undone_first && !self.launches {
                self.numbers.again +=
                    known.judge(&self.cloud.log(), &format!("{}, {what}", self.numbers.name));
            }
        }
        if turn.is_multiple_of(3) {
            self.kill_undo();
        }
        if self.folder.path("web-1.journal").exists() {
            self.persist(&what, UNDO);
        }
        self.numbers.faults +=
            self.cloud.log().iter().filter(|entry| entry.status == 0 || entry.status >= 500).count();
        self.cloud.heal();
        self.forget_files();
        let name = self.numbers.name;
        assert_eq!(self.cloud.leftovers(), self.before, "{name}, {what}: something is left");
        assert_eq!(self.folder.names("."), self.files, "{name}, {what}: a file is left");
        assert_eq!(self.folder.names("tmp"), [""; 0], "{name}, {what}: a temporary file is left");
    }

    /// Runs it; with faults at random, until it goes well.
    fn persist(&self, what: &str, line: &str) {
        if self.faults.is_some() {
            for _ in 0..8 {
                let ran = Ran::of(&self.command(line).output().unwrap());
                if ran.code == Some(0) {
                    return;
                }
                assert_eq!(ran.code, Some(5), "{what}: {line}: {}{}", ran.out, ran.err);
            }
        }
        self.expect(what, line);
    }

    fn kill_undo(&mut self) {
        let turn = self.random(3);
        if self.folder.path("web-1.journal").exists() {
            let (requests, time) = (self.of_undo, Duration::from_millis(40));
            self.kill(UNDO, turn, 3, requests, time);
            self.numbers.of_undo += 1;
        }
    }

    /// Starts it, and kills it at a moment of the kind that `turn` has: all over the run, one after the other.
    fn kill(&mut self, line: &str, turn: u64, turns: u64, requests: u64, time: Duration) {
        let seen = self.cloud.log().len();
        let nth = requests * turn / turns + self.random(requests / turns + 1);
        let kind = self.random(3);
        if kind == 1 {
            let after = usize::try_from(nth).unwrap();
            self.cloud.inject(Fault::any(FaultKind::Late(LATE)).after(after));
        }
        let mut child = self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wanted = seen + usize::try_from(nth).unwrap();
        let begun = Instant::now();
        let mut over = false;
        if kind < 2 {
            while !over && !self.cloud.wait_until(Duration::from_millis(5), |log| log.len() >= wanted) {
                over = child.try_wait().unwrap().is_some();
                assert!(begun.elapsed() < PATIENCE, "{}: {line} hangs", self.numbers.name);
            }
        } else {
            let micros = u64::try_from(time.as_micros()).unwrap();
            let at = micros * turn / turns + self.random(micros / turns + 1);
            std::thread::sleep(Duration::from_micros(at));
        }
        let more = self.random(if kind == 1 { 30_000 } else { 1500 });
        std::thread::sleep(Duration::from_micros(more));
        over |= child.try_wait().unwrap().is_some();
        // One that is over is no error.
        let _ = child.kill();
        child.wait().unwrap();
        if kind == 1 {
            self.cloud.heal();
            self.break_at_random();
        }
        assert!(self.cloud.settle(PATIENCE), "the cloud does not come to rest");
        let numbers = &mut self.numbers;
        numbers.over += usize::from(over);
        match kind {
            0 => numbers.after += 1,
            1 => numbers.between += 1,
            _ => numbers.anywhere += 1,
        }
    }

    /// Instances and what they were started with: each as often as it is there.
    fn instances(&self, all: &mut BTreeSet<String>) {
        let mut texts = Vec::new();
        let mut alive = BTreeSet::new();
        for one in self.cloud.instances().into_iter().filter(|one| one.state != "terminated") {
            texts.push(format!(
                "instance of {} {} {:?} {}",
                one.image, one.instance_type, one.key_name, one.tokens
            ));
            alive.insert(one.id);
        }
        for volume in self.cloud.volumes() {
            let device = volume.attached.filter(|(id, _)| alive.contains(id)).map(|(_, device)| device);
            texts.push(format!("volume of {} GiB at {device:?}", volume.size));
        }
        for group in self.cloud.groups().into_iter().filter(|group| group.name.starts_with("hardtack-")) {
            texts.push(format!("group {:?}", group.rules));
        }
        texts.extend(self.cloud.key_pairs().into_iter().map(|pair| format!("key pair {}", pair.name)));
        texts.sort();
        let mut before = (String::new(), 0);
        for text in texts {
            let count = if before.0 == text { before.1 + 1 } else { 1 };
            all.insert(format!("{text} ({count})"));
            before = (text, count);
        }
    }

    /// All that there is, without what is new each time.
    fn state(&self) -> BTreeSet<String> {
        // What an undo has ended goes on ending by itself.
        self.cloud.end_instances();
        let mut all = BTreeSet::new();
        let mut ids = BTreeMap::new();
        let mut twice = BTreeMap::<String, usize>::new();
        let snapshots = self.cloud.snapshots();
        for snapshot in &snapshots {
            let reader = self.cloud.read_snapshot(&snapshot.id).unwrap();
            // What was never written to an encrypted one is noise, other noise each time.
            let mut sum = Sha256::new();
            for index in reader.blocks() {
                sum.update(index.to_le_bytes());
                sum.update(reader.block(index));
            }
            let sum = &sum.finalize()[..8];
            let mut tags = snapshot.tags.clone();
            tags.remove("hardtack:journal");
            tags.retain(|_, value| !value.contains("snap-"));
            let text = format!(
                "{} snapshot {} {} GiB, {:?}, {tags:?}, for {:?}, {} blocks {sum:?}",
                snapshot.region,
                snapshot.state,
                snapshot.size,
                snapshot.key,
                snapshot.users,
                reader.blocks().len()
            );
            ids.insert(snapshot.id.clone(), text.clone());
            let count = twice.entry(text.clone()).or_default();
            *count += 1;
            all.insert(format!("{text} ({count})"));
        }
        for image in self.cloud.images() {
            let mut tags = image.tags.clone();
            tags.remove("hardtack:journal");
            let mut values = image.values.clone();
            // It says when.
            values.retain(|_, value| !value.starts_with("Installed on "));
            // An image of a snapshot has no location of its own.
            values.retain(|_, value| !value.contains(&image.id));
            let of: Vec<&String> = image.snapshots.iter().filter_map(|id| ids.get(id)).collect();
            let text = format!(
                "{} image {values:?}, {tags:?}, for {:?}, of {of:?} {:?}",
                image.region, image.launchers, image.sha256
            );
            ids.insert(image.id.clone(), format!("the image {}", values["Name"]));
            let count = twice.entry(text.clone()).or_default();
            *count += 1;
            all.insert(format!("{text} ({count})"));
        }
        self.instances(&mut all);
        for text in self.cloud.leftovers() {
            if text.starts_with("bucket ") || text.starts_with("object ") || text.contains(" stack ") {
                all.insert(text);
            } else if let Some((name, value)) = Some(&text)
                .filter(|text| text.contains(" parameter ") || text.starts_with("property "))
                .and_then(|text| text.split_once('='))
            {
                all.insert(format!("{name}={}", ids.get(value).map_or(value, |of| of.as_str())));
            }
        }
        all
    }
}

/// What the journal knew to be there whenever a run was killed.
#[derive(Default)]
struct Known(Vec<Kill>);

/// One of the kills.
struct Kill {
    /// Requests that had been seen.
    at: usize,
    /// What the journal knew to be there.
    known: BTreeSet<String>,
    /// Blocks that were on their way: written down, and not their digests.
    uncertain: BTreeSet<String>,
}

impl Known {
    /// Reads the journal as it is now, when so many requests have been seen.
    fn read(&mut self, folder: &Folder, requests: usize) {
        let text = std::fs::read_to_string(folder.path("web-1.journal")).unwrap_or_default();
        let (mut known, mut uncertain, mut objects) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        // The last line may be half a line.
        for record in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            match record["record"].as_str() {
                Some("keep") => {
                    let block = record["key"].as_str().unwrap().strip_prefix("block/").map(str::to_owned);
                    match record["value"].is_string() {
                        true => {
                            uncertain.retain(|one| Some(one) != block.as_ref());
                            known.extend(block);
                        }
                        false => uncertain.extend(block),
                    }
                }
                Some("intend") if record["resource"]["kind"] == "object" => {
                    let key = format!(
                        "{}/{}",
                        record["resource"]["bucket"].as_str().unwrap(),
                        record["resource"]["key"].as_str().unwrap()
                    );
                    objects.insert(record["ticket"].as_u64().unwrap(), key);
                }
                Some("made") => known.extend(objects.get(&record["ticket"].as_u64().unwrap()).cloned()),
                _ => {}
            }
        }
        self.0.push(Kill { at: requests, known, uncertain });
    }

    /// Nothing was sent twice, except what was on its way when the run was killed, or not answered. Objects can be
    /// looked at, so they were sent twice only where an answer was lost.
    fn judge(&self, log: &[Entry], what: &str) -> usize {
        let mut sent = BTreeMap::<(&str, &str, &str), Vec<usize>>::new();
        for (position, entry) in log.iter().enumerate() {
            let once = ["PutSnapshotBlock", "PutObject", "RegisterImage", "CopySnapshot"];
            if entry.done && once.contains(&&*entry.action) {
                sent.entry((&entry.action, &entry.region, &entry.key)).or_default().push(position);
            }
        }
        assert!(!sent.is_empty(), "{what}: nothing was sent");
        let mut again = 0;
        for ((action, _, key), positions) in sent {
            let mut used = BTreeSet::new();
            for pair in positions.windows(2) {
                let (first, second) = (pair[0], pair[1]);
                let unanswered = log[first].status == 0;
                let killed = action == "PutSnapshotBlock"
                    && self
                        .0
                        .iter()
                        .any(|kill| first < kill.at && kill.at <= second && !kill.known.contains(key));
                // What a killed run had sent may be read by a busy cloud when the cloud seemed to be at rest: once.
                let mut late = || {
                    let found =
                        self.0.iter().position(|kill| kill.at <= first && kill.uncertain.contains(key));
                    found.is_some_and(|kill| used.insert(kill))
                };
                // A copy that was read and deleted, by a run that was killed before it wrote down its end.
                let deleted = action == "CopySnapshot"
                    && log[first..second].iter().any(|entry| entry.action == "DeleteSnapshot" && entry.done);
                let lost = unanswered && (action == "PutSnapshotBlock" || action == "PutObject");
                assert!(
                    lost || killed || deleted || late(),
                    "{what}: {action} of {key} twice: {first}: {:?} {second}: {:?}, killed at {:?}",
                    log[first],
                    log[second],
                    self.0
                        .iter()
                        .map(|kill| (kill.at, kill.known.contains(key), kill.uncertain.contains(key)))
                        .collect::<Vec<_>>()
                );
                again += 1;
            }
        }
        again
    }
}
