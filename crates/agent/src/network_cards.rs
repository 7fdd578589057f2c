//! Cards that only the metadata service has told of: they are brought up at the first boot, when SSH has its way.
//!
//! The network stage writes the files and notes the cards that have no address ([`owe`]); the stage behind it, for which
//! nobody's login waits, has the image's own tool bring them up ([`settle`]). What has an address is left alone.
//!
//! systemd-networkd reconfigures every card whose file another one has replaced, and so takes its address away for a
//! moment (`network_reload` in systemd's `networkd-network.c`: inode, time and size tell). So the files of cards
//! that are up are kept ([`keep`]), and lie in their places while networkd reads the others.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hardtack_netconfig::bring_up::{After, addressed, commands};
use hardtack_netconfig::config::Card;
use hardtack_netconfig::plan::Plan;
use hardtack_netconfig::proc;
use hardtack_netconfig::render::Renderer;

use crate::addresses;
use crate::config::{RUNTIME, directory};
use crate::host::Host;
use crate::log::Log;
use crate::network_setup::{act, devices};
use crate::record::{ModuleRecord, Record};

/// The renderer and the cards, a line each.
const OWED: &str = "/run/hardtack/network-cards";
/// Where networkd notes of each card, by number, what file it is configured by.
const LINKS: &str = "/run/systemd/netif/links";
/// How a kept file's name begins; nobody reads it as a configuration, as its end is another one.
const KEPT: &str = "hardtack-";
/// How long the cards may take for their addresses, together, when they were brought up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the kernel is asked for them.
const LOOK: Duration = Duration::from_millis(200);

/// How a renderer is noted.
const RENDERERS: [(Renderer, &str); 5] = [
    (Renderer::Eni, "eni"),
    (Renderer::Netplan, "netplan"),
    (Renderer::Networkd, "networkd"),
    (Renderer::NetworkManager, "network-manager"),
    (Renderer::Sysconfig, "sysconfig"),
];

/// Cards that have an address: any of IPv4, one of IPv6 that is good beyond its link.
fn in_use(host: &Host) -> Vec<String> {
    let number = |name: &str| host.first_line(&format!("/sys/class/net/{name}/ifindex"))?.parse::<u32>().ok();
    let ipv4 = addresses::ipv4(host);
    let ipv6 = proc::addresses6(&host.read_text("/proc/net/if_inet6").ok().flatten().unwrap_or_default());
    let has = |name: &String| {
        number(name).is_some_and(|number| ipv4.iter().any(|of| of.index == number))
            || ipv6.iter().any(|(of, address)| of == name && address.scope != "link")
    };
    host.names("/sys/class/net").into_iter().filter(has).collect()
}

/// The files that networkd has configured cards by which have an address now.
fn files_in_use(host: &Host) -> Vec<PathBuf> {
    let file = |name: String| {
        let number = host.first_line(&format!("/sys/class/net/{name}/ifindex"))?;
        let state = host.read_text(&format!("{LINKS}/{number}")).ok()??;
        let path = state.lines().find_map(|line| line.strip_prefix("NETWORK_FILE="))?;
        Some(host.path(path))
    };
    in_use(host).into_iter().filter_map(file).collect()
}

/// Where a file is kept: beside it, and not by a name that begins with its own, since netplan removes `10-netplan-*`.
fn kept(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(KEPT);
    name.push(path.file_name().unwrap_or_default());
    name.push("~");
    path.with_file_name(name)
}

/// Keeps networkd's files of cards that are up, before others take their places.
pub(crate) fn keep(host: &Host) {
    for path in files_in_use(host) {
        let kept = kept(&path);
        let _ = std::fs::remove_file(&kept);
        // Where it fails, networkd configures the card anew: its address is gone for a moment.
        let _ = std::fs::hard_link(&path, kept);
    }
}

/// Notes the cards that the configuration gives an address to and that have none yet.
pub(crate) fn owe(host: &Host, plan: &Plan, log: &Log) {
    let (Some(renderer), Some(config)) = (plan.renderer, &plan.config) else { return };
    let cards: Vec<Card> = devices(host).into_iter().map(|device| device.card).collect();
    let up = in_use(host);
    let mut cards = addressed(config, &cards);
    cards.retain(|card| !up.contains(card));
    let Some((_, word)) = RENDERERS.iter().find(|(known, _)| *known == renderer) else { return };
    if cards.is_empty() {
        return;
    }
    let text = format!("{word}\n{}\n", cards.join("\n"));
    let noted = directory(host, RUNTIME)
        .and_then(|_| crate::accounts::replace_unsynced(&host.path(OWED), text.as_bytes(), 0o600));
    if let Err(error) = noted {
        log.warn(&error.to_string());
    }
}

/// Brings the noted cards up, once, and waits for their addresses. What fails is told, and stops nothing.
pub(crate) fn settle(host: &Host, record: &mut Record, log: &Log) {
    let Ok(Some(text)) = host.read_text(OWED) else { return };
    let _ = std::fs::remove_file(host.path(OWED));
    let mut lines = text.lines();
    let word = lines.next().unwrap_or_default();
    let Some((renderer, _)) = RENDERERS.iter().find(|(_, known)| *known == word) else { return };
    let up = in_use(host);
    // Somebody else may have been quicker: user-data, or udev.
    let cards: Vec<String> = lines.map(str::to_owned).filter(|card| !up.contains(card)).collect();
    if cards.is_empty() {
        return;
    }
    log.info(&format!("network: bringing up {}", cards.join(", ")));
    let started = Instant::now();
    let swapped = Swapped::new(host);
    let mut warnings = Vec::new();
    let mut commands = commands(*renderer, &cards).into_iter();
    // The first one of networkd's reads the files.
    warnings.extend(commands.next().into_iter().flat_map(|words| act(host, &After::Run(words), log)));
    drop(swapped);
    for words in commands {
        warnings.extend(act(host, &After::Run(words), log));
    }
    for card in without_address(host, &cards, Instant::now() + PATIENCE) {
        let text = format!(
            "network: {card} has no address after {} s; it is configured again at the next boot",
            started.elapsed().as_secs()
        );
        log.warn(&text);
        warnings.push(text);
    }
    record.modules.push(ModuleRecord {
        stage: "config".to_owned(),
        module: "network_cards".to_owned(),
        state: if warnings.is_empty() { "done" } else { "failed" }.to_owned(),
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        actions: cards.len(),
        warned: vec![String::new(); warnings.len()],
        warnings,
        ..ModuleRecord::default()
    });
}

/// Those of `cards` that have no address by then. A tree of files gets none.
fn without_address(host: &Host, cards: &[String], until: Instant) -> Vec<String> {
    loop {
        let up = in_use(host);
        let missing: Vec<String> = cards.iter().filter(|card| !up.contains(card)).cloned().collect();
        if missing.is_empty() || Instant::now() >= until || !host.is_live() {
            return missing;
        }
        std::thread::sleep(LOOK);
    }
}

/// The kept files in their old places, as long as it lives.
struct Swapped(Vec<PathBuf>);

impl Swapped {
    fn new(host: &Host) -> Self {
        let mut paths = files_in_use(host);
        paths.retain(|path| {
            let (kept, new) = (kept(path), aside(path));
            // The same file still: nothing has taken its place.
            let same = std::fs::metadata(&kept).is_ok_and(|before| {
                use std::os::unix::fs::MetadataExt;
                std::fs::metadata(path).is_ok_and(|now| now.ino() == before.ino())
            });
            if same || !kept.exists() {
                let _ = std::fs::remove_file(kept);
                return false;
            }
            std::fs::rename(path, &new).is_ok() && std::fs::rename(&kept, path).is_ok()
        });
        Self(paths)
    }
}

impl Drop for Swapped {
    /// The new ones count from the next boot on.
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::rename(aside(path), path);
        }
    }
}

/// The name of a new file while the kept one has its place.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next-boot");
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::Tree;

    const GLOBAL: &str = "20010db8000000000000000000000005 02 40 00 80 ens3\nfe800000000000005054000000000001 03 40 20 80 ens4\n";

    fn machine() -> Tree {
        Tree::new()
            .directory("var/log")
            .file("proc/net/if_inet6", GLOBAL)
            .file("sys/class/net/ens3/address", "d0:0d:00:00:00:01\n")
            .file("sys/class/net/ens3/ifindex", "2\n")
            .file("sys/class/net/ens4/address", "d0:0d:00:00:00:02\n")
            .file("sys/class/net/ens4/ifindex", "3\n")
    }

    #[test]
    fn cards_without_an_address_are_owed_and_told_when_they_get_none() {
        let tree = machine();
        let log = Log::open(&tree.host());
        let text = "version: 2\nethernets: {ens3: {dhcp4: true}, ens4: {dhcp4: true}}\n";
        let config = hardtack_userdata::Value::load(text, 0).unwrap();
        let plan = Plan { renderer: Some(Renderer::Eni), config: Some(config), ..Plan::default() };
        owe(&tree.host(), &plan, &log);
        assert_eq!(tree.read("run/hardtack/network-cards"), "eni\nens4\n");
        let mut record = Record::default();
        settle(&tree.host(), &mut record, &log);
        assert!(!tree.host().exists(OWED));
        let [module] = record.modules.as_slice() else { panic!("{:?}", record.modules) };
        assert_eq!((module.module.as_str(), module.state.as_str()), ("network_cards", "failed"));
        assert!(module.warnings[0].contains("ens4 has no address"), "{:?}", module.warnings);
        assert!(log.told().iter().any(|(_, text)| text.contains("ens4 has no address")), "{:?}", log.told());
        // Once.
        settle(&tree.host(), &mut record, &log);
        assert_eq!(record.modules.len(), 1);
    }

    #[test]
    fn what_has_come_up_meanwhile_is_left_alone() {
        let tree = machine()
            .file("proc/net/if_inet6", &GLOBAL.replace("fe80", "2001").replace(" 20 80 ens4", " 00 80 ens4"))
            .file("run/hardtack/network-cards", "netplan\nens4\n");
        let log = Log::open(&tree.host());
        let mut record = Record::default();
        settle(&tree.host(), &mut record, &log);
        assert!(record.modules.is_empty() && !tree.host().exists(OWED));
    }

    #[test]
    fn networkd_finds_the_files_of_cards_that_are_up_as_they_were() {
        let (one, other) =
            ("run/systemd/network/10-netplan-ens3.network", "run/systemd/network/10-netplan-ens4.network");
        let tree = machine()
            .file("run/systemd/netif/links/2", &format!("ADMIN_STATE=configured\nNETWORK_FILE=/{one}\n"))
            .file(one, "before");
        let host = tree.host();
        let inode = || std::fs::metadata(host.path(&format!("/{one}"))).unwrap().ino();
        let before = inode();
        keep(&host);
        // As netplan does it.
        for name in host.names("/run/systemd/network") {
            assert!(name == "10-netplan-ens3.network" || !name.ends_with(".network"), "{name}");
            if name.starts_with("10-netplan-") {
                std::fs::remove_file(host.path(&format!("/run/systemd/network/{name}"))).unwrap();
            }
        }
        std::fs::write(host.path(&format!("/{one}")), "after").unwrap();
        std::fs::write(host.path(&format!("/{other}")), "after").unwrap();
        let swapped = Swapped::new(&host);
        assert_eq!((inode(), tree.read(one), tree.read(other)), (before, "before".into(), "after".into()));
        drop(swapped);
        assert_eq!(tree.read(one), "after");
        assert_eq!(host.names("/run/systemd/network").len(), 2);
        // What nothing has replaced stays.
        keep(&host);
        drop(Swapped::new(&host));
        assert_eq!((tree.read(one), host.names("/run/systemd/network").len()), ("after".into(), 2));
    }
}
