//! Who this machine is: what data sources say, what an earlier boot knew.
//!
//! Which data sources are asked is decided by ds-identify's rules ([`hardtack_datasource::identify`]), with one
//! exception: where they find nothing and nobody has ruled it out, EC2's service is asked all the same, for
//! a short time. Eucalyptus and others like it leave no marks in the machine.
//!
//! An outage never makes another machine of this one: what an earlier boot knew holds until somebody who can
//! know says otherwise.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use hardtack_datasource::clock::Clock;
use hardtack_datasource::identify::{self, Identified, Verdict};
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{self, Cached, Candidate, Means};
use hardtack_datasource::settings::Settings;
use hardtack_datasource::{Found, Local, Source, config_drive, nocloud};
use hardtack_http::Transport;
use hardtack_netconfig::proc::routes4;
use hardtack_userdata::{Key, Map, Value};

use crate::devices::{Devices, architecture, command_line};
use crate::host::Host;
use crate::instance::{self, RUN};
use crate::log::Log;

/// Says that the local stage of this boot has read a seed.
const SEEDED: &str = "/run/hardtack/seeded";
/// Says that the local stage of this boot has looked for one.
const LOOKED: &str = "/run/hardtack/looked-for-seeds";
/// Says that this boot's hardware is not that of the boot before.
const MOVED: &str = "/run/hardtack/moved";
/// All waiting for metadata together. SSH comes behind it.
const DEADLINE: Duration = Duration::from_secs(150);
/// How long a machine that has an identity, on the hardware that it had, waits for somebody who confirms it.
const OUTAGE: Duration = Duration::from_secs(15);
/// How long a cloud that is only a guess may have no route to it. What waits for the network has waited before.
const ROUTE: Duration = Duration::from_secs(3);
/// How long a cloud that is only a guess is asked where it was not there before.
const AGAIN: Duration = Duration::from_secs(5);
/// Where clouds have their metadata.
const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Between two attempts to fetch a seed.
const PAUSE: Duration = Duration::from_secs(2);

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) host: &'a Host,
    pub(crate) devices: &'a Devices,
    /// The machine's own configuration.
    pub(crate) system: &'a Map,
    pub(crate) log: &'a Log,
}

/// What the marks of the machine say, as ds-identify writes it down.
pub(crate) fn identify(question: &Question<'_>) -> Identified {
    let machine = question.devices.machine();
    let devices = question.devices.block_devices();
    let virtualization = identify::virtualization(machine);
    let identified = identify::identify(&identify::Question {
        machine,
        devices: &devices,
        virtualization: &virtualization,
        architecture: &architecture(),
        answers: &identify::Answers::default(),
    });
    for candidate in &identified.candidates {
        question.log.info(&format!("data source {}: {}", candidate.name, candidate.why));
    }
    for note in &identified.notes {
        question.log.warn(note);
    }
    identified
}

/// Whether the machine's owner wants nothing of this: the reason.
pub(crate) fn switched_off(identified: &Identified) -> Option<&'static str> {
    match identified.verdict {
        Verdict::Off => Some("cloud-init is switched off, by its file or on the kernel's command line"),
        Verdict::Disabled => {
            Some("the policy in ds-identify.cfg or on the kernel's command line is `disabled`")
        }
        _ => None,
    }
}

/// What a seed on the machine says.
pub(crate) fn local(question: &Question<'_>, identified: &Identified) -> Option<Found> {
    let _ = std::fs::remove_file(question.host.path(SEEDED));
    let _ = crate::config::directory(question.host, crate::config::RUNTIME);
    let _ = std::fs::write(question.host.path(LOOKED), "");
    if identified.verdict == Verdict::Kept {
        let kept = instance::cached(question.host)?;
        mark(question);
        return Some(kept);
    }
    for name in names(identified) {
        let found = match name {
            "NoCloud" => match read_nocloud(question) {
                nocloud::Outcome::Found(seed) => Some(seed.found),
                nocloud::Outcome::Unusable(why) => {
                    question.log.warn(&format!("the seed for NoCloud is not used: {why}"));
                    None
                }
                nocloud::Outcome::NeedsNetwork(pending) => {
                    question.log.info(&format!("the seed is at {}", pending.address()));
                    None
                }
                nocloud::Outcome::None => None,
            },
            "ConfigDrive" => match config_drive::read(question.devices, question.system) {
                config_drive::Outcome::Found(seed) => Some(seed.found),
                config_drive::Outcome::Unusable(why) => {
                    question.log.warn(&format!("the config drive is not used: {why}"));
                    None
                }
                config_drive::Outcome::None(notes) => {
                    notes.iter().for_each(|note| question.log.warn(note));
                    None
                }
            },
            _ => None,
        };
        if let Some(found) = found {
            mark(question);
            return Some(told(question, found));
        }
    }
    None
}

fn mark(question: &Question<'_>) {
    let _ = std::fs::write(question.host.path(SEEDED), "");
}

/// Whether the local stage of this boot has read a seed.
pub(crate) fn is_seeded(host: &Host) -> bool {
    host.exists(SEEDED)
}

/// Notes for the network stage whether the machine's disk was another machine's before.
pub(crate) fn note_moved(host: &Host, moved: bool) {
    if moved {
        let _ = crate::config::directory(host, crate::config::RUNTIME);
        let _ = std::fs::write(host.path(MOVED), "");
    } else {
        let _ = std::fs::remove_file(host.path(MOVED));
    }
}

fn read_nocloud(question: &Question<'_>) -> nocloud::Outcome {
    let machine = question.devices.machine();
    let container = identify::is_container(&identify::virtualization(machine));
    nocloud::read(&nocloud::Question {
        local: question.devices,
        command_line: &command_line(machine, container),
        container,
        config: question.system,
    })
}

/// The data sources to ask, in order.
fn names(identified: &Identified) -> Vec<&str> {
    match identified.verdict {
        // Nothing was looked for, so everything may be there.
        Verdict::Enabled => vec!["NoCloud", "ConfigDrive", "Ec2", "OpenStack", "GCE"],
        _ => identified.list.iter().map(String::as_str).collect(),
    }
}

/// What a metadata service says; what this or an earlier boot knows already; or nothing.
pub(crate) fn network(
    question: &Question<'_>,
    identified: &Identified,
    web: &dyn Transport,
    clock: &dyn Clock,
) -> Found {
    let known = instance::cached(question.host);
    if is_seeded(question.host)
        && let Some(known) = known
    {
        return known;
    }
    // The stage before was ended from outside, or never ran.
    if !question.host.exists(LOOKED)
        && let Some(found) = local(question, identified)
    {
        // What that stage does with a seed, it has not done.
        let _ = std::fs::remove_file(question.host.path(SEEDED));
        return found;
    }
    let known = known.filter(|known| {
        let out = is_ruled_out(identified, known.source);
        if out && known.source != Source::None {
            let name = known.source.list_name();
            question
                .log
                .info(&format!("{name} is ruled out by `datasource_list`: {} is over", known.instance_id));
        }
        !out
    });
    if names(identified).contains(&"NoCloud")
        && let nocloud::Outcome::NeedsNetwork(pending) = read_nocloud(question)
    {
        let address = pending.address().to_owned();
        match pending.fetch(web, &mut || {
            clock.sleep(PAUSE);
            clock.now() < DEADLINE
        }) {
            nocloud::Outcome::Found(seed) => return told(question, seed.found),
            nocloud::Outcome::Unusable(why) => question.log.warn(&format!("the seed at {address}: {why}")),
            _ => question.log.warn(&format!("there is no seed at {address}")),
        }
    }
    let machine = question.devices.machine();
    let settings = Settings::read(question.system);
    let interface = first_card(question.host);
    let tell = |line: &str| crate::journal::say(line);
    let means = Means { transport: web, clock, tell: &tell };
    let ask = search::Question {
        settings: &settings,
        platform: Platform::of(machine),
        interface: interface.as_deref(),
        default_user: default_user(question.system),
        now: Some(crate::now()),
    };
    if let Some(known) = &known
        && matches!(known.source, Source::Ec2 | Source::OpenStack | Source::Gce)
    {
        let patience = patience(question.host, known.source, &settings);
        match search::check_cached(known, &ask, &means, clock.now().saturating_add(patience).min(DEADLINE)) {
            Cached::Same => return said(question, known.clone()),
            Cached::Other(found) => return told(question, *found),
            Cached::Unknown(why) => {
                question.log.warn(&format!("{why}: this stays {}", known.instance_id));
                return known.clone();
            }
        }
    }
    let mut candidates = candidates(identified);
    // Whose seed was taken away, as one does with a disk, did not come into a cloud by that.
    let of_seed = |known: &Found| matches!(known.source, Source::NoCloud | Source::ConfigDrive);
    if known.as_ref().is_some_and(of_seed) && !question.host.exists(MOVED) {
        candidates.retain(|candidate| candidate.marked);
    }
    let is_usual = settings.ec2.metadata_urls.is_empty();
    if is_usual && candidates.iter().any(|candidate| !candidate.marked) && !routed(question.host, clock) {
        question.log.info(&format!("there is no route to {LINK_LOCAL}: only clouds with marks are asked"));
        candidates.retain(|candidate| candidate.marked);
    }
    // Where an earlier boot has found nobody, on this hardware, hardly anybody is there now.
    let in_vain = known.as_ref().is_some_and(|known| known.source == Source::None)
        && !question.host.exists(MOVED)
        && candidates.iter().all(|candidate| !candidate.marked);
    let deadline = if in_vain { clock.now().saturating_add(AGAIN) } else { DEADLINE };
    let outcome = search::search(&candidates, &ask, &means, deadline);
    for note in &outcome.notes {
        question.log.info(note);
    }
    if let Some(found) = outcome.found {
        return told(question, found);
    }
    for (source, why) in &outcome.others {
        question.log.warn(&format!("{}: {why}", source.list_name()));
    }
    if let Some(known) = known.filter(|known| known.source != Source::None) {
        let text = format!("no data source answers: this stays {}", known.instance_id);
        if candidates.is_empty() {
            question.log.info(&text)
        } else {
            question.log.warn(&text)
        }
        return known;
    }
    let text = "no data source was found: the machine keeps to what its image says";
    if is_switched_to_none(question.system) {
        question.log.info(text)
    } else {
        question.log.warn(text)
    }
    nothing()
}

/// How long a machine that has an identity asks whether it is its own still.
fn patience(host: &Host, source: Source, settings: &Settings) -> Duration {
    let waits = match source {
        Source::Ec2 => settings.ec2.waits,
        Source::OpenStack => settings.openstack.waits,
        _ => settings.gce.waits,
    };
    waits.max_wait.unwrap_or(if host.exists(MOVED) { DEADLINE } else { OUTAGE })
}

/// Whether there is a way to where metadata are, now or soon.
fn routed(host: &Host, clock: &dyn Clock) -> bool {
    let until = clock.now().saturating_add(ROUTE);
    loop {
        let text = host.read_text("/proc/net/route").ok().flatten().unwrap_or_default();
        if routes4(&text).iter().any(|route| covers(&route.destination, &route.mask)) {
            return true;
        }
        if clock.now() >= until {
            return false;
        }
        clock.sleep(Duration::from_millis(100));
    }
}

/// Whether the network is one that [`LINK_LOCAL`] is in.
fn covers(network: &str, mask: &str) -> bool {
    let number = |text: &str| text.parse::<Ipv4Addr>().map(u32::from);
    matches!((number(network), number(mask)), (Ok(network), Ok(mask)) if u32::from(LINK_LOCAL) & mask == network)
}

/// `datasource_list: [None]`: somebody wants it so (`cloudinit/config/cc_final_message.py`).
pub(crate) fn is_switched_to_none(system: &Map) -> bool {
    let names = system.get(&Key::text("datasource_list")).and_then(Value::as_list).unwrap_or_default();
    matches!(names, [name] if name.as_text() == Some("None"))
}

/// Whether somebody has named the data sources that count, and `source` is none of them.
fn is_ruled_out(identified: &Identified, source: Source) -> bool {
    let name = source.list_name();
    let is_told = matches!(identified.verdict, Verdict::Named | Verdict::Listed);
    // What was found on this boot rules nothing out: the other one may be away for a while.
    let listed = &identified.configured;
    (is_told && !names(identified).contains(&name))
        || (!listed.is_empty() && !listed.iter().any(|known| known == name))
}

/// The services to ask.
fn candidates(identified: &Identified) -> Vec<Candidate> {
    let marked = |name: &str| {
        identified.candidates.iter().any(|candidate| candidate.name == name && candidate.found)
            || matches!(identified.verdict, Verdict::Named | Verdict::Listed)
    };
    let mut candidates = Vec::new();
    for name in names(identified) {
        let source = match name {
            "Ec2" => Source::Ec2,
            "OpenStack" => Source::OpenStack,
            "GCE" => Source::Gce,
            _ => continue,
        };
        candidates.push(Candidate { source, marked: marked(name) });
    }
    let is_a_guess = matches!(identified.verdict, Verdict::NotFound | Verdict::Maybe | Verdict::Found);
    let ruled_out = is_ruled_out(identified, Source::Ec2);
    if is_a_guess && !ruled_out && !candidates.iter().any(|candidate| candidate.source == Source::Ec2) {
        candidates.push(Candidate { source: Source::Ec2, marked: false });
    }
    candidates
}

/// What the data source noted, told.
fn told(question: &Question<'_>, found: Found) -> Found {
    found.notes.iter().for_each(|note| question.log.warn(note));
    question.log.info(&format!("{}: {}", found.shown, found.instance_id));
    said(question, found)
}

/// Notes that a data source has said it in this boot: what an earlier boot knew is not enough for enrolment.
fn said(question: &Question<'_>, found: Found) -> Found {
    let _ = crate::config::directory(question.host, crate::config::RUNTIME);
    let path = question.host.path(crate::facts::SAID);
    if let Err(error) = crate::accounts::replace_unsynced(&path, found.instance_id.as_bytes(), 0o600) {
        question.log.warn(&error.to_string());
    }
    found
}

/// `system_info: {default_user: {name: …}}`.
fn default_user(system: &Map) -> Option<&str> {
    system.get(&Key::text("system_info"))?.get("default_user")?.get("name")?.as_text()
}

/// The first network card that is one.
fn first_card(host: &Host) -> Option<String> {
    host.names("/sys/class/net")
        .into_iter()
        .find(|name| host.exists(&format!("/sys/class/net/{name}/device")))
}

/// Time since the stage began.
pub(crate) struct Running(Instant);

impl Running {
    /// Now it begins.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Running {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The notes that a generator would leave: whether the stages run, and on which data sources.
pub(crate) fn note(host: &Host, identified: &Identified, off: bool) {
    let put = |name: &str, text: &str| {
        let path = host.path(&format!("{RUN}/{name}"));
        if let Err(error) = crate::accounts::replace(Path::new(&path), text.as_bytes(), 0o644, None) {
            crate::journal::say(&error.to_string());
        }
    };
    let (is, is_not) = if off { ("disabled", "enabled") } else { ("enabled", "disabled") };
    let _ = std::fs::remove_file(host.path(&format!("{RUN}/{is_not}")));
    put(is, "");
    // Where nothing is found the stages run all the same.
    put(".ds-identify.result", if off { "1\n" } else { "0\n" });
    let mut log = format!("verdict: {:?}\nlist: {}\n", identified.verdict, identified.list.join(" "));
    for identify::Candidate { name, found, why } in &identified.candidates {
        log.push_str(&format!("{name}: {}: {why}\n", if *found { "found" } else { "maybe" }));
    }
    identified.notes.iter().for_each(|note| log.push_str(&format!("note: {note}\n")));
    put("ds-identify.log", &log);
    if let Some(text) = &identified.text {
        put("cloud.cfg", text);
    }
}

/// What holds without any data source (`cloudinit/sources/DataSourceNone.py`).
pub(crate) fn nothing() -> Found {
    Found {
        source: Source::None,
        shown: "DataSourceNone".to_owned(),
        cloud_name: "none".to_owned(),
        platform: "none".to_owned(),
        subplatform: "config".to_owned(),
        instance_id: "iid-datasource-none".to_owned(),
        metadata: serde_json::Value::Null,
        extra: serde_json::Value::Null,
        user_data: None,
        vendor_data: None,
        vendor_data2: None,
        network: None,
        files: Vec::new(),
        maybe_base64: false,
        known: Default::default(),
        notes: Vec::new(),
    }
}
