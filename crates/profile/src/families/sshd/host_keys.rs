//! The server's own keys, and the primes of its key exchange.

use hardtack_guest::sshd::{self, Config, Version};
use hardtack_guest::{Set, Stage};
use hardtack_report::Place;

use super::algorithms::{Algorithms, List};
use super::server::{Fault, installed, judge, nowhere, place, set};
use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View, cloud};

const ED25519: &str = "/etc/ssh/ssh_host_ed25519_key";
const RSA: &str = "/etc/ssh/ssh_host_rsa_key";
/// The first release with Ed25519.
const SINCE_ED25519: Version = Version::new(6, 5);
/// The first release that signs with RSA and SHA-2: before it, RSA means SHA-1.
const SINCE_RSA_SHA2: Version = Version::new(7, 2);
/// The first release with `HostKeyAlgorithms`.
const SINCE_LIST: Version = Version::new(7, 0);

/// Which kinds of keys cloud-init makes.
pub(crate) const CLOUD: &str = "/etc/cloud/cloud.cfg.d/99-zz-hardtack-ssh-keys.cfg";

const MODULI: &str = "/etc/ssh/moduli";
/// Ours: the package's file is a conffile, and an upgrade would stop at a changed one.
pub(crate) const OUR_MODULI: &str = "/etc/ssh/moduli.hardtack";
/// The first release with `ModuliFile`.
const SINCE_MODULI_FILE: Version = Version::new(8, 6);
/// Bits of the smallest prime that will do, less one, as moduli(5) counts.
const SMALLEST: u32 = 3071;

/// Only Ed25519 and RSA, in this order: sshd announces them in that of the `HostKey` lines.
pub(super) struct HostKeys;

/// The files, and what cloud-init calls them.
fn wanted(version: Version) -> Vec<(&'static str, &'static str)> {
    let mut keys = Vec::new();
    if version >= SINCE_ED25519 {
        keys.push((ED25519, "ed25519"));
    }
    if version >= SINCE_RSA_SHA2 || keys.is_empty() {
        keys.push((RSA, "rsa"));
    }
    keys
}

impl Measure for HostKeys {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(version) = installed(bench)? else { return Ok(()) };
        let keys = wanted(version);
        if !bench.spoken.iter().any(|word| word == "hostkey") {
            // The lines add up: those of others go, or their keys would be announced, too.
            loop {
                let config = Config::load(bench.stage, version)?;
                let others = config.settings.iter().find(|line| line.keyword == "HostKey" && !line.ours);
                let Some(line) = others else { break };
                sshd::comment_out(bench.stage, &line.place)?;
            }
            for (path, _) in &keys {
                set(bench, version, "HostKey", path);
            }
            let kinds: Vec<&str> = keys.iter().map(|(_, kind)| *kind).collect();
            cloud::drop_in(bench, CLOUD, &[format!("ssh_genkeytypes: [{}]", kinds.join(", "))])?;
        }
        Algorithms(List::HostKeys).apply(bench)
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let listed = judge(view, |config| {
            if config.version() >= SINCE_LIST {
                return Ok(Vec::new());
            }
            let lines = config.global("HostKey");
            let good = wanted(config.version());
            let mut faults: Vec<Fault> = lines
                .iter()
                .filter(|line| !good.iter().any(|(path, _)| *path == line.value))
                .map(|line| (place(&line.place), format!("HostKey is {}, and is announced", line.value)))
                .collect();
            if lines.is_empty() {
                faults
                    .push((nowhere(), "HostKey is set nowhere: sshd announces every kind of key".to_owned()));
            }
            Ok(faults)
        })?;
        match listed {
            Finding::Pass => Algorithms(List::HostKeys).check(view),
            other => Ok(other),
        }
    }
}

/// Leaves only big primes for `diffie-hellman-group-exchange-sha256`.
pub(super) fn moduli(bench: &mut Bench<'_, '_>, version: Version) -> Result<(), Error> {
    let Some(all) = bench.stage.read_text(MODULI)? else { return Ok(()) };
    let big: String =
        all.split_inclusive('\n').filter(|line| bits(line).is_none_or(|bits| bits >= SMALLEST)).collect();
    if !big.lines().any(|line| bits(line).is_some()) {
        return Ok(());
    }
    if version >= SINCE_MODULI_FILE {
        if !bench.spoken.iter().any(|word| word == "modulifile") {
            let head = "# Made by hardtack: the primes of /etc/ssh/moduli with 3072 bits and more.\n";
            bench.file(OUR_MODULI, 0o644, format!("{head}{big}"));
            set(bench, version, "ModuliFile", OUR_MODULI);
        }
    } else if big != all {
        bench.stage.write(MODULI, big, Set::default())?;
    }
    Ok(())
}

/// The size of a line of moduli(5): the fifth field.
fn bits(line: &str) -> Option<u32> {
    if line.starts_with('#') {
        return None;
    }
    line.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// The first prime that is too small, where the key exchange is offered that takes them.
pub(super) fn small_moduli(stage: &Stage<'_>, config: &Config) -> Result<Option<Fault>, Error> {
    let offered = config.global("KexAlgorithms").first().is_some_and(|line| {
        line.words.iter().flat_map(|list| list.split(',')).any(|name| name.contains("group-exchange"))
    });
    if !offered {
        return Ok(None);
    }
    let lines = config.global("ModuliFile");
    let path = lines.first().map_or(MODULI, |line| line.value.as_str());
    let Some(all) = text(stage, path) else { return Ok(None) };
    let small = all
        .lines()
        .enumerate()
        .find_map(|(index, line)| Some((index + 1, bits(line)?)).filter(|(_, bits)| *bits < SMALLEST));
    Ok(small.map(|(line, bits)| {
        (
            Place { path: path.to_owned(), line: Some(line) },
            format!("a prime of {} bits for group exchange", bits + 1),
        )
    }))
}
