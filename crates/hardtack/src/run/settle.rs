//! `hardtack build --settle`: the result is booted once, so that what is left for the first boot is done in the image.
//!
//! A temporary disk gets the recipe (without `overlayroot`, above which nothing would stay), a unit that powers the machine
//! off behind the deferred work, and conditions that keep the agent from enrolling anybody and cloud-init from running.
//! What the boot left is generalised, then the recipe is staged once more above it, and that is what is written.

use std::fs::{DirBuilder, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use hardtack_credentials::agent_config::TASKS;
use hardtack_credentials::{AgentConfig, PackagesOutcome};
use hardtack_guest::{FileType, Set, Stage};
use hardtack_inspect::facts::{Facts, Init};
use hardtack_inspect::ways::NEVER;
use hardtack_local::instance::DiskBus;
use hardtack_local::qemu::{self, Card, Disk, Firmware, Link, Machine, Reconnect, Start};
use hardtack_recipe::model::Step;
use hardtack_recipe::model::generalize::{GeneralizeStep, defaults};
use hardtack_recipe::{Recipe, Surroundings, stage_recipe};
use serde_json::Value;

use super::written::Written;
use crate::args::{AccelName, BuildArgs, Format, SourceArgs, TargetArgs};
use crate::error::{CliError, LOCAL_IO};
use crate::image::Image;
use crate::source::Input;
use crate::{environment, random, signals, talk};

const AGENT: &str = "/etc/hardtack/agent.json";
const PACKAGES: &str = "/var/lib/hardtack/packages.json";
const LOG: &str = "/var/log/hardtack-tasks.log";
const UNITS: &str = "/etc/systemd/system";
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
/// The boot came to its end.
const MARK: &str = "/var/lib/hardtack/settled";
const NO_CLOUD_INIT: &str = "/etc/cloud/cloud-init.disabled";
const TIMERS: &str = "/var/lib/systemd/timers";
const RESOLVER: &str = "/etc/resolv.conf";
/// What begins files of ours that have to go again.
const SETTLING: &str = "# hardtack: settling\n";
const CONDITION: &str = "zz-hardtack-settle.conf";
const OURS: [(&str, &str); 2] = [
    ("hardtack-settle-network.service", include_str!("settle/network.service")),
    ("hardtack-settle.service", include_str!("settle/settle.service")),
];
/// What this boot is not for: secrets, what prints them, and what user-data asks for.
const NOT_NOW: [&str; 12] = [
    "hardtack-enrol.service",
    "hardtack-credentials.service",
    "hardtack-credentials-again.service",
    "hardtack-coreos.service",
    "hardtack-host-keys.service",
    "cloud-init-local.service",
    "cloud-init.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init-network-late.service",
    "cloud-config.service",
    "cloud-final.service",
];
/// Operations that are done by default and take away what people put into an image; no boot has made that.
const OF_PEOPLE: [&str; 9] = [
    "backup-files",
    "container-state",
    "google-authenticator",
    "ipa-client",
    "kerberos-hostkeytab",
    "known-hosts",
    "mail-spool",
    "resolv-conf",
    "ssh-userdir",
];
/// Lines of a log that are shown.
const SHOWN: usize = 40;
/// A guest that says nothing for so long after it was started under KVM stands still.
const STILL: Duration = Duration::from_secs(30);

/// What became of the image.
pub(super) struct Booted {
    /// Its disk, opened anew if it was booted.
    pub(super) image: Image,
    /// "kvm" or "tcg", where it was booted.
    pub(super) accel: Option<&'static str>,
}

/// Boots what the recipe makes of `image`, and gives the disk that came of it; the image as it is where nothing is left
/// for a boot.
///
/// # Errors
/// The image cannot be booted here, the boot does not come to its end, or something of the work fails.
pub(super) fn boot(
    image: Image,
    written: Written<'_>,
    early: &Recipe,
    surroundings: &Surroundings,
    arguments: &BuildArgs,
    output: &Path,
) -> Result<Booted, CliError> {
    let (edits, secrets, uefi) = {
        let mut stage = Stage::new(&image.guest);
        let mut recipe = match written.settle(early, &stage)? {
            Some(recipe) => recipe,
            None => written.read()?,
        };
        recipe.steps.retain(|step| !matches!(step, Step::Overlayroot(_)));
        stage_recipe(&recipe, &mut stage, surroundings)
            .map_err(|error| CliError::from(error).redacted(stage.secrets()))?;
        let config = config(&stage)?;
        if !is_left(&stage, &config)? {
            talk::note("--settle: nothing is left for the first boot, so nothing is booted");
            drop(stage);
            return Ok(Booted { image, accel: None });
        }
        let uefi = can_boot(&stage)?;
        prepare(&mut stage)?;
        (stage.edits()?, stage.secrets().to_vec(), uefi)
    };
    let around = environment::of_process();
    if qemu::find(qemu::QEMU, &around).is_none() {
        let text = format!("--settle boots the image, and {} is not in PATH", qemu::QEMU);
        return Err(CliError::new(LOCAL_IO, text).hint("install QEMU (Debian's package is qemu-system-x86)"));
    }
    let firmware = match uefi {
        true => Some(qemu::firmware("--settle").map_err(|error| CliError::new(LOCAL_IO, error.to_string()))?),
        false => None,
    };
    let (epoch, grown) = (image.epoch, image.grown.clone());
    let directory = Scratch::beside(output)?;
    let disk = directory.0.join("disk.raw");
    let options =
        TargetArgs { format: Some(Format::Raw), no_sync: true, no_sparsify: true, ..TargetArgs::default() };
    image.write(&edits, &disk, &options)?;
    let machine = |accel: &str| Machine {
        accel: accel.to_owned(),
        processors: 2,
        memory: 1024,
        uuid: None,
        smbios: None,
        firmware: firmware.as_ref().map(|(code, _)| Firmware { code: code.clone(), variables: None }),
        disks: vec![Disk {
            file: disk.clone(),
            format: "raw",
            bus: DiskBus::Virtio,
            serial: None,
            snapshot: false,
            read_only: false,
        }],
        cards: vec![Card {
            link: Link::User { ports: Default::default(), metadata: None },
            mac: None,
            capture: None,
            boot: false,
        }],
        console: directory.0.join("console.log"),
        monitor: None,
        ends_at_reboot: true,
        reconnect: Reconnect::default(),
    };
    let accel = accelerator(arguments.accel)?;
    let limit = Duration::from_secs(arguments.settle_timeout);
    talk::note(&format!("--settle: booting the image once ({accel})"));
    let mut accel = accel;
    let pristine = directory.0.join("pristine.raw");
    let may_hang = accel == "kvm" && arguments.accel != Some(AccelName::Kvm);
    if may_hang {
        std::fs::copy(&disk, &pristine).map_err(|error| CliError::io(&pristine, "copy the disk", error))?;
    }
    let mut console = run(&machine(accel), limit, may_hang)?;
    if console.is_none() {
        talk::note("--settle: under KVM the machine stands still; booting it again without (tcg)");
        std::fs::rename(&pristine, &disk).map_err(|error| CliError::io(&disk, "put the disk back", error))?;
        accel = "tcg";
        console = run(&machine(accel), limit, false)?;
    }
    let _ = std::fs::remove_file(&pristine);
    let file = File::open(&disk).map_err(|error| CliError::io(&disk, "open it", error))?;
    let length = file.metadata().map_err(|error| CliError::io(&disk, "look at it", error))?.len();
    // Open it stays readable; its name goes with the directory.
    drop(directory);
    let name = Path::new("the settled disk");
    let input = Input::open_spooled((file, length), name, &SourceArgs::default(), Some(output))?;
    let mut image = Image::open(input, Some(epoch), None)?;
    image.grown = grown;
    judge(&image, &console.unwrap_or_default()).map_err(|error| error.redacted(&secrets))?;
    Ok(Booted { image, accel: Some(accel) })
}

/// What the agent was told.
fn config(stage: &Stage<'_>) -> Result<AgentConfig, CliError> {
    let text = stage.read_text(AGENT)?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Something is to be done at first boot that no boot has done.
fn is_left(stage: &Stage<'_>, config: &AgentConfig) -> Result<bool, CliError> {
    let mut left = config.packages.is_some();
    for task in &config.tasks {
        left |= stage.stat(&format!("{TASKS}/{}.json", task.name))?.is_none();
    }
    Ok(left)
}

/// Whether the machine needs UEFI; an image that cannot be settled is refused.
fn can_boot(stage: &Stage<'_>) -> Result<bool, CliError> {
    let facts = Facts::read(stage)?;
    if !matches!(facts.architecture, Some("amd64" | "i386")) {
        let of = facts.architecture.unwrap_or("an unknown architecture");
        return Err(CliError::refused(format!("--settle: images of {of} are not booted on this machine")));
    }
    if facts.init != Some(Init::Systemd) {
        return Err(CliError::refused("--settle: the image does not start systemd, which ends the boot"));
    }
    for path in ["/etc/overlayroot.conf", "/etc/overlayroot.local.conf"] {
        let text = stage.read_text(path)?.unwrap_or_default();
        let value = text.lines().filter_map(|line| line.trim().strip_prefix("overlayroot=")).next_back();
        let value = value.unwrap_or_default().trim_matches(['"', '\'']);
        if !value.is_empty() && value != "disabled" {
            let text =
                format!("--settle: {path} of the source is in force: nothing that a boot writes stays");
            return Err(CliError::refused(text).hint("start from an image without overlayroot"));
        }
    }
    Ok(facts.uefi && !facts.bios)
}

/// What this boot alone has.
fn prepare(stage: &mut Stage<'_>) -> Result<(), CliError> {
    stage.set_step("settle");
    for (name, text) in OURS {
        let path = format!("{UNITS}/{name}");
        stage.write(&path, text, Set::all(0o644, 0, 0))?;
        stage.symlink(&format!("{WANTS}/{name}"), &path)?;
    }
    for unit in NOT_NOW {
        let text = format!("[Unit]\n{NEVER}\n");
        stage.write(&format!("{UNITS}/{unit}.d/{CONDITION}"), text, Set::all(0o644, 0, 0))?;
    }
    if stage.stat("/etc/cloud")?.is_some() && stage.stat(NO_CLOUD_INIT)?.is_none() {
        stage.write(NO_CLOUD_INIT, SETTLING, Set::all(0o644, 0, 0))?;
    }
    // The network's unit mounts another above it.
    if stage.lstat(RESOLVER)?.is_none() {
        stage.write(RESOLVER, SETTLING, Set::all(0o644, 0, 0))?;
    }
    Ok(())
}

/// Takes away what [`prepare`] put there and what the boot left, so that the next one is the first.
///
/// # Errors
/// The image cannot be changed.
pub(super) fn forget(stage: &mut Stage<'_>, surroundings: &Surroundings) -> Result<(), CliError> {
    stage.set_step("settle");
    for (name, _) in OURS {
        stage.remove(&format!("{UNITS}/{name}"))?;
        stage.remove(&format!("{WANTS}/{name}"))?;
    }
    for unit in NOT_NOW {
        let folder = format!("{UNITS}/{unit}.d");
        stage.remove(&format!("{folder}/{CONDITION}"))?;
        if stage.stat(&folder)?.is_some() && stage.list(&folder)?.is_empty() {
            stage.remove(&folder)?;
        }
    }
    for path in [NO_CLOUD_INIT, RESOLVER] {
        let is_file = stage.lstat(path)?.is_some_and(|found| found.kind == FileType::Regular);
        if is_file && stage.read_text(path)?.is_some_and(|text| text.starts_with(SETTLING)) {
            stage.remove(path)?;
        }
    }
    for path in [MARK, PACKAGES, LOG] {
        stage.remove(path)?;
    }
    // When timers last went off (systemd.timer(5), Persistent=).
    if stage.stat(TIMERS)?.is_some() {
        for stamp in stage.list(TIMERS)? {
            stage.remove(&format!("{TIMERS}/{}", stamp.name))?;
        }
    }
    outcomes(stage)?;
    let operations = defaults().into_iter().filter(|name| !OF_PEOPLE.contains(name)).collect();
    let step = GeneralizeStep { operations, ..GeneralizeStep::default() };
    // A name that no recipe has: whatever the image was told stays.
    let recipe = Recipe {
        name: "hardtack --settle".to_owned(),
        steps: vec![Step::Generalize(step)],
        ..Recipe::default()
    };
    stage_recipe(&recipe, stage, surroundings)
        .map_err(|error| CliError::from(error).redacted(stage.secrets()))?;
    Ok(())
}

/// That a task has run stays known: it does not run again. What it printed, and when, is of that boot.
fn outcomes(stage: &mut Stage<'_>) -> Result<(), CliError> {
    for task in config(stage)?.tasks {
        let path = format!("{TASKS}/{}.json", task.name);
        let Some(text) = stage.read_text(&path)? else { continue };
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else { continue };
        for key in ["tail", "boot_id", "begun"] {
            value[key] = "".into();
        }
        value["milliseconds"] = 0.into();
        stage.write(&path, format!("{value}\n"), Set::default())?;
    }
    Ok(())
}

/// Whether all of the work was done.
fn judge(image: &Image, console: &str) -> Result<(), CliError> {
    let stage = Stage::new(&image.guest);
    let config = config(&stage)?;
    let mut wrong = Vec::new();
    if config.packages.is_some() {
        let text = stage.read_text(PACKAGES)?.unwrap_or_default();
        match serde_json::from_str::<PackagesOutcome>(&text) {
            Ok(outcome) if outcome.ok => {}
            Ok(outcome) => wrong.push(format!("packages: {}", outcome.detail)),
            Err(_) => wrong.push("packages: they were not finished".to_owned()),
        }
    }
    for task in &config.tasks {
        let text = stage.read_text(&format!("{TASKS}/{}.json", task.name))?.unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        match (value["state"].as_str(), value["status"].as_i64()) {
            (Some("done"), _) => {}
            (Some(_), Some(status)) => wrong.push(format!("task {} ended with status {status}", task.name)),
            (Some(state), None) => wrong.push(format!("task {} {state}", task.name)),
            (None, _) => wrong.push(format!("task {} did not run", task.name)),
        }
    }
    let came_to_end = stage.stat(MARK)?.is_some();
    if wrong.is_empty() && came_to_end {
        return Ok(());
    }
    if !came_to_end {
        wrong.push("the machine went off before its boot came to the end".to_owned());
    }
    let log = stage.read_text(LOG)?.unwrap_or_default();
    let log = if log.trim().is_empty() { console.to_owned() } else { log };
    let text = format!("--settle: {}\n{}", wrong.join("; "), end(&log));
    Err(CliError::refused(text.trim_end())
        .hint("nothing was written; without --settle the work is done at first boot"))
}

/// The end of a log, for people.
fn end(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(SHOWN);
    let shown = lines.get(from..).unwrap_or_default();
    shown.iter().map(|line| format!("  | {}\n", hardtack_report::visible(line))).collect()
}

fn accelerator(asked: Option<AccelName>) -> Result<&'static str, CliError> {
    let asked = match (asked, std::env::var("HARDTACK_ACCEL").as_deref()) {
        (Some(asked), _) => asked,
        (None, Ok("kvm")) => AccelName::Kvm,
        (None, Ok("tcg")) => AccelName::Tcg,
        (None, _) => AccelName::Auto,
    };
    match (asked, qemu::kvm_opens()) {
        (AccelName::Tcg, _) | (AccelName::Auto, Err(_)) => Ok("tcg"),
        (_, Ok(())) => Ok("kvm"),
        (AccelName::Kvm, Err(why)) => Err(CliError::new(LOCAL_IO, format!("--accel kvm: {why}"))),
    }
}

/// Runs the machine until it goes off; what its console said, or none where it stood still from the beginning.
fn run(machine: &Machine, limit: Duration, may_hang: bool) -> Result<Option<String>, CliError> {
    let environment = environment::of_process();
    let arguments = machine.arguments();
    let errors = machine.console.with_extension("errors");
    let file = File::create(&errors).map_err(|error| CliError::io(&errors, "make it", error))?;
    let start = Start { arguments: &arguments, directory: None, errors: Some(file) };
    let mut qemu = Running(start.spawn(&environment)?);
    let began = Instant::now();
    let (mut said, mut changed) = (0, began);
    loop {
        if let Some(status) =
            qemu.0.try_wait().map_err(|error| CliError::io(Path::new(qemu::QEMU), "wait for it", error))?
        {
            let console = read(&machine.console);
            if !status.success() {
                let text = format!("--settle: QEMU ended with {status}\n{}", end(&read(&errors)));
                return Err(CliError::new(LOCAL_IO, text.trim_end()));
            }
            return Ok(Some(console));
        }
        let length = std::fs::metadata(&machine.console).map_or(0, |found| found.len());
        if length != said {
            (said, changed) = (length, Instant::now());
        }
        let early = !read(&machine.console).contains("systemd");
        if may_hang && early && changed.elapsed() > STILL {
            return Ok(None);
        }
        if began.elapsed() > limit {
            let text = format!(
                "--settle: the boot did not come to its end in {} s\n{}",
                limit.as_secs(),
                end(&read(&machine.console))
            );
            return Err(CliError::refused(text.trim_end()).hint("give it longer with --settle-timeout"));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The end of a file that a machine writes.
fn read(path: &Path) -> String {
    const MOST: u64 = 256 << 10;
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let length = file.metadata().map_or(0, |found| found.len());
        if file.seek(SeekFrom::Start(length.saturating_sub(MOST))).is_ok() {
            let _ = file.take(MOST).read_to_end(&mut bytes);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// QEMU, which ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory of this run beside the output, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(output: &Path) -> Result<Self, CliError> {
        let mut bytes = [0; 8];
        random::fill(&mut bytes)
            .map_err(|error| CliError::new(LOCAL_IO, format!("no random bytes: {error}")))?;
        let name = format!(".hardtack-settle-{:016x}", u64::from_le_bytes(bytes));
        let path = match output.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => parent.join(name),
            None => PathBuf::from(name),
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| CliError::io(&path, "make the directory", error))?;
        signals::name_scratch(&path);
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
