//! Asking all metadata services that may be there at once, each until it is there or its time is over.
//!
//! The first in the order of the list that is there counts. A later one that has answered waits [`GRACE`]
//! for an earlier one; and where the machine's marks name the earlier one, as long as that takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hardtack_http::Transport;

use crate::clock::Clock;
use crate::found::{Found, Source};
use crate::platform::Platform;
use crate::service::{Failure, Got, Service};
use crate::settings::{Settings, Waits};
use crate::{ec2, gce, openstack};

/// How long a machine waits for the cloud that its marks name.
pub const MARKED: Duration = Duration::from_secs(120);
/// How long it waits for a cloud that is only a guess. (Eucalyptus leaves no marks; while it starts, what
/// it answers is one, and then it is [`MARKED`].)
pub const GUESSED: Duration = Duration::from_secs(15);
/// How long an answer waits for an earlier one.
pub const GRACE: Duration = Duration::from_secs(2);
/// Data sources that are asked at once.
const MOST: usize = 7;
/// The first and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the first attempt waits for an answer to begin, and the longest; it doubles. Those that are
/// there answer within milliseconds, and nobody can be asked to come back from the first one sooner.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Attempts that bring the most, but not everything, before that is enough.
const INCOMPLETE: u32 = 4;

/// A data source that may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one. Those that are not asked over the network are passed over.
    pub source: Source,
    /// The machine's marks, or somebody's configuration, name it. If not, it is a guess.
    pub marked: bool,
}

/// What is asked with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The network.
    pub transport: &'a dyn Transport,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Told at once what is waited for, a line each, for a log. The same lines are in [`Outcome::notes`].
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// What is known before.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The system's settings.
    pub settings: &'a Settings,
    /// The machine's marks of clouds like EC2.
    pub platform: Platform,
    /// The first network card: OpenStack is asked by its link-local address, too.
    pub interface: Option<&'a str>,
    /// The name of the default user: on GCE the login keys of no other count.
    pub default_user: Option<&'a str>,
    /// Seconds since 1970: keys of GCE expire.
    pub now: Option<u64>,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What the data source said that is there.
    pub found: Option<Found>,
    /// What was waited for, in order, for a log.
    pub notes: Vec<String>,
    /// Why each of the others is not it: the last thing that it said.
    pub others: Vec<(Source, String)>,
}

/// Asks all `candidates` at once, at most until `deadline` by the clock.
#[must_use]
pub fn search(
    candidates: &[Candidate],
    question: &Question<'_>,
    means: &Means<'_>,
    deadline: Duration,
) -> Outcome {
    let log = Log { means, lines: Mutex::new(question.settings.notes.clone()) };
    let mut others = Vec::new();
    let mut asked = Vec::new();
    for candidate in candidates {
        let why = match candidate.source {
            Source::Ec2 if question.settings.ec2.strict_id && question.platform == Platform::Unknown => {
                "strict_id: true, and the machine has no marks of a cloud like EC2"
            }
            Source::Ec2 if question.settings.ec2.waits.max_wait == Some(Duration::ZERO) => "max_wait is 0",
            Source::Ec2 | Source::OpenStack | Source::Gce if asked.len() < MOST => {
                asked.push(*candidate);
                continue;
            }
            _ => continue,
        };
        others.push((candidate.source, why.to_owned()));
    }
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let stop = AtomicBool::new(false);
    if let [only] = asked.as_slice() {
        means.clock.enter();
        ended.insert(0, probe(only, question, &log, deadline, &stop));
        means.clock.leave();
    } else if !asked.is_empty() {
        let (sender, receiver) = channel();
        let receiver = &receiver;
        // All are there before time goes on.
        (0..=asked.len()).for_each(|_| means.clock.enter());
        std::thread::scope(|scope| {
            for (index, candidate) in asked.iter().enumerate() {
                let sender: Sender<(usize, Ended)> = sender.clone();
                let (log, stop) = (&log, &stop);
                scope.spawn(move || {
                    let ended = probe(candidate, question, log, deadline, stop);
                    // Who asked may have an answer already.
                    let _ = sender.send((index, ended));
                    means.clock.leave();
                });
            }
            drop(sender);
            ended = judge(&asked, receiver, means.clock);
            stop.store(true, Ordering::Relaxed);
            means.clock.leave();
        });
        // What the others said last.
        receiver.try_iter().for_each(|(index, end)| {
            ended.insert(index, end);
        });
    }
    let mut found = None;
    for (index, candidate) in asked.iter().enumerate() {
        match ended.remove(&index) {
            Some(Ok(this)) if found.is_none() => found = Some(*this),
            Some(Ok(_)) => {
                others.push((candidate.source, "it is there, and an earlier one is, too".to_owned()))
            }
            Some(Err(why)) => others.push((candidate.source, why)),
            None => others.push((candidate.source, "it had not answered when another one had".to_owned())),
        }
    }
    Outcome { found, notes: log.lines.into_inner().unwrap_or_else(PoisonError::into_inner), others }
}

type Ended = Result<Box<Found>, String>;

/// Waits until it is clear which one counts.
fn judge(
    asked: &[Candidate],
    receiver: &Receiver<(usize, Ended)>,
    clock: &dyn Clock,
) -> BTreeMap<usize, Ended> {
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut since = None;
    let mut pause = Duration::from_millis(1);
    loop {
        while let Ok((index, end)) = receiver.try_recv() {
            ended.insert(index, end);
        }
        if ended.len() == asked.len() {
            return ended;
        }
        if let Some(first) = ended.iter().find(|(_, end)| end.is_ok()).map(|(index, _)| *index) {
            let now = clock.now();
            let grace = since.get_or_insert(now).saturating_add(GRACE);
            let mut open =
                asked.iter().take(first).enumerate().filter(|(index, _)| !ended.contains_key(index));
            if open.all(|(_, candidate)| !candidate.marked && now >= grace) {
                return ended;
            }
        }
        clock.sleep(pause);
        pause = pause.saturating_mul(2).min(Duration::from_millis(25));
    }
}

struct Log<'a> {
    means: &'a Means<'a>,
    lines: Mutex<Vec<String>>,
}

impl Log<'_> {
    fn tell(&self, line: &str) {
        (self.means.tell)(line);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }
}

fn waits(source: Source, settings: &Settings) -> Waits {
    match source {
        Source::Ec2 => settings.ec2.waits,
        Source::OpenStack => settings.openstack.waits,
        Source::Gce => settings.gce.waits,
        Source::NoCloud | Source::ConfigDrive | Source::None => Waits::default(),
    }
}

/// Where `source` may be.
fn addresses(source: Source, question: &Question<'_>) -> Vec<String> {
    let settings = question.settings;
    let or = |set: &[String], usual: Vec<String>| if set.is_empty() { usual } else { set.to_vec() };
    let mut addresses = match source {
        Source::Ec2 => or(&settings.ec2.metadata_urls, ec2::ADDRESSES.map(str::to_owned).to_vec()),
        Source::OpenStack => or(&settings.openstack.metadata_urls, openstack::addresses(question.interface)),
        Source::Gce => match &settings.gce.metadata_url {
            Some(url) => vec![url.clone()],
            None => gce::ADDRESSES.map(str::to_owned).to_vec(),
        },
        Source::NoCloud | Source::ConfigDrive | Source::None => Vec::new(),
    };
    for address in &mut addresses {
        address.truncate(address.trim_end_matches('/').len());
        if source == Source::Gce {
            address.push('/');
        }
    }
    addresses
}

/// Asks one data source until it is there, or its time is over.
fn probe(
    candidate: &Candidate,
    question: &Question<'_>,
    log: &Log<'_>,
    deadline: Duration,
    stop: &AtomicBool,
) -> Ended {
    let clock = log.means.clock;
    let waits = waits(candidate.source, question.settings);
    let usual = if candidate.marked { MARKED } else { GUESSED };
    let once = waits.max_wait == Some(Duration::ZERO);
    let time = waits.max_wait.filter(|_| !once).unwrap_or(usual);
    let begun = clock.now();
    let mut ends = begun.saturating_add(time).min(deadline);
    let addresses = addresses(candidate.source, question);
    let longest = waits.timeout.unwrap_or(PATIENCE.1);
    let name = candidate.source.list_name();

    let mut pause = PAUSES.0;
    let mut patience = if once { longest } else { PATIENCE.0.min(longest) };
    let mut last = String::new();
    let mut best: Option<Got> = None;
    let mut incomplete = 0;
    let mut never = false;
    loop {
        let (mut heard, mut starting) = (Vec::new(), Vec::new());
        for address in &addresses {
            let mut service = service(log.means, ends, patience, stop);
            match attempt(&mut service, candidate, address, question) {
                Ok(got) if got.missing.is_empty() => return Ok(Box::new(got.found)),
                Ok(got) => {
                    incomplete += 1;
                    heard.push(format!("{address} did not give {}", got.missing.join(", ")));
                    if best.as_ref().is_none_or(|best| got.missing.len() <= best.missing.len()) {
                        best = Some(got);
                    }
                }
                Err(Failure::Starting(why)) => {
                    // These words are a mark: of Eucalyptus, which has no other.
                    ends = begun.saturating_add(waits.max_wait.unwrap_or(MARKED)).min(deadline);
                    starting.push(why);
                }
                Err(Failure::Later(why)) => heard.push(why),
                Err(Failure::Never(why)) => {
                    never = true;
                    heard = vec![why];
                    break;
                }
            }
        }
        let stopped = stop.load(Ordering::Relaxed);
        let over = stopped || clock.now().saturating_add(pause) >= ends;
        // When the time is over in the middle of an attempt, what was heard before it says more.
        // And what starts says more than who is not there.
        let text = if starting.is_empty() { heard } else { starting }.join("; ");
        if !stopped && !text.is_empty() && (last.is_empty() || !over) && text != last {
            log.tell(&format!("{name}: {text}{}", if over || once || never { "" } else { "; waiting" }));
            last = text;
        }
        if over || once || incomplete >= INCOMPLETE || never {
            let Some(Got { mut found, missing }) = best else {
                return Err(if last.is_empty() { "nobody answers".to_owned() } else { last });
            };
            found
                .notes
                .extend(missing.into_iter().map(|missing| format!("what could not be had: {missing}")));
            return Ok(Box::new(found));
        }
        rest(clock, pause, stop);
        pause = pause.saturating_mul(2).min(PAUSES.1);
        patience = patience.saturating_mul(2).min(longest);
    }
}

/// A pause that ends when nobody wants to know any more.
fn rest(clock: &dyn Clock, pause: Duration, stop: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(100);
    let until = clock.now().saturating_add(pause);
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_sub(clock.now());
        if left.is_zero() {
            return;
        }
        clock.sleep(left.min(STEP));
    }
}

fn service<'a>(means: &Means<'a>, ends: Duration, patience: Duration, stop: &'a AtomicBool) -> Service<'a> {
    Service { transport: means.transport, clock: means.clock, ends, patience, stop, requests: 0 }
}

fn attempt(
    service: &mut Service<'_>,
    candidate: &Candidate,
    address: &str,
    question: &Question<'_>,
) -> Result<Got, Failure> {
    match candidate.source {
        Source::Ec2 => ec2::attempt(service, address, question.platform),
        Source::OpenStack => openstack::attempt(service, address, question.settings.openstack.ignore_network),
        Source::Gce => {
            let Question { default_user, now, .. } = *question;
            gce::attempt(service, address, &gce::Asked { marked: candidate.marked, default_user, now })
        }
        Source::NoCloud | Source::ConfigDrive | Source::None => {
            Err(Failure::Never("it is not asked over the network".to_owned()))
        }
    }
}

/// Whose machine this is, at a later boot.
#[derive(Clone, Debug, PartialEq)]
pub enum Cached {
    /// The instance that it was.
    Same,
    /// Another one, as its service now says: an image was made of the machine.
    Other(Box<Found>),
    /// Nobody says. It stays what it was; the text says why.
    Unknown(String),
}

/// Asks the service that `found` came from whether this still is that instance, at most until `deadline`. A disk
/// is read again instead, not asked: for what came from there the answer is [`Cached::Unknown`].
#[must_use]
pub fn check_cached(found: &Found, question: &Question<'_>, means: &Means<'_>, deadline: Duration) -> Cached {
    let source = found.source;
    if !matches!(source, Source::Ec2 | Source::OpenStack | Source::Gce) {
        return Cached::Unknown(format!("{} is not asked over the network", source.list_name()));
    }
    let clock = means.clock;
    let never = AtomicBool::new(false);
    let mut addresses = addresses(source, question);
    // Where it was, first.
    let was = found.subplatform.strip_prefix("metadata (").and_then(|text| text.strip_suffix(')'));
    addresses.sort_by_key(|address| Some(address.as_str()) != was);
    let longest = waits(source, question.settings).timeout.unwrap_or(PATIENCE.1);
    let mut pause = PAUSES.0;
    let mut patience = PATIENCE.0.min(longest);
    clock.enter();
    let cached = loop {
        let mut heard = Vec::new();
        let mut id = None;
        for address in &addresses {
            let mut service = service(means, deadline, patience, &never);
            let answer = match source {
                Source::Ec2 => ec2::identity(&mut service, address, question.platform),
                Source::Gce => gce::identity(&mut service, address, true),
                // Its id is in the middle of everything else.
                _ => openstack::attempt(&mut service, address, true).map(|got| got.found.instance_id),
            };
            match answer {
                Ok(answer) => {
                    id = Some(answer);
                    break;
                }
                Err(Failure::Starting(why) | Failure::Later(why) | Failure::Never(why)) => heard.push(why),
            }
        }
        match id {
            Some(id) if id == found.instance_id => break Cached::Same,
            Some(id) => {
                let marked = Candidate { source, marked: true };
                let log = Log { means, lines: Mutex::default() };
                break match probe(&marked, question, &log, deadline, &never) {
                    Ok(other) if other.instance_id == id => Cached::Other(other),
                    Ok(_) => {
                        Cached::Unknown("the metadata service calls this machine now so, now so".to_owned())
                    }
                    Err(why) => Cached::Unknown(why),
                };
            }
            None if clock.now().saturating_add(pause) >= deadline => break Cached::Unknown(heard.join("; ")),
            None => {}
        }
        clock.sleep(pause);
        pause = pause.saturating_mul(2).min(PAUSES.1);
        patience = patience.saturating_mul(2).min(longest);
    };
    clock.leave();
    cached
}
