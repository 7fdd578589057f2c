//! From a configuration to the files of one renderer.

use hardtack_userdata::{Finding, Value};

use crate::config::{Card, NetFile};
use crate::py::{Outcome, refuse};
use crate::state::State;
use crate::{ifupdown, netplan, network_manager, networkd, sysconfig, udev};

/// What above the files tells their reader where they come from, and how to keep them from being written.
pub const HEADER: &str = "\
# Written by hardtack-agent when this instance first boots; a new instance gets it anew.
# To keep the network as it is, put this into /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg:
# network: {config: disabled}
";

/// Every folder that files are written to.
const FOLDERS: &[&str] = &[
    "/etc",
    "/etc/NetworkManager/conf.d",
    "/etc/NetworkManager/system-connections",
    "/etc/netplan",
    "/etc/network",
    "/etc/network/interfaces.d",
    "/etc/sysconfig",
    "/etc/sysconfig/network",
    "/etc/sysconfig/network-scripts",
    "/etc/systemd/network",
    "/etc/udev/rules.d",
];

/// The programs that cloud-init writes network configuration for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renderer {
    /// ifupdown, of Debian and Alpine.
    Eni,
    /// netplan.
    Netplan,
    /// systemd-networkd.
    Networkd,
    /// NetworkManager's own files.
    NetworkManager,
    /// `/etc/sysconfig`, of Red Hat and SUSE.
    Sysconfig,
}

/// What of the image decides how files are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Image {
    /// The program `ip` is there.
    pub has_ip: bool,
    /// netplan knows `ipv6-mtu`.
    pub netplan_ipv6_mtu: bool,
    /// Alpine: `/etc/network/interfaces` is written whole.
    pub whole_interfaces: bool,
    /// SUSE's way with `/etc/sysconfig`.
    pub suse: bool,
}

/// The content of a file of the image.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Files, and what was passed over on the way.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The files.
    pub files: Vec<NetFile>,
    /// What the configuration says in vain.
    pub findings: Vec<Finding>,
}

/// The files that `renderer` makes of `config`. `read` gives files that are changed, and not written anew.
///
/// # Errors
/// What the configuration is refused for.
pub fn render(
    renderer: Renderer,
    config: &Value,
    cards: &[Card],
    image: &Image,
    read: Read<'_>,
) -> Result<Rendered, Box<Finding>> {
    let mut state = State::parse(config, cards, renderer == Renderer::Netplan)?;
    let files = files(renderer, &mut state, image, read)?;
    // A device's name is part of a path.
    if let Some(file) = files.iter().find(|file| !FOLDERS.contains(&folder(&file.path))) {
        let name = hardtack_yaml::shorten(&file.path);
        return refuse(
            config.place,
            format!("a device's name makes the path `{name}`: a name has no `/` in it"),
        );
    }
    Ok(Rendered { files, findings: state.findings })
}

/// The path up to its last `/`.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file(path: &str, text: String, mode: u32) -> NetFile {
    NetFile { path: path.to_owned(), text, mode, owner: None }
}

fn files(renderer: Renderer, state: &mut State, image: &Image, read: Read<'_>) -> Outcome<Vec<NetFile>> {
    match renderer {
        Renderer::Eni => {
            let text = format!("{HEADER}{}", ifupdown::content(state, image.has_ip)?);
            let path = if image.whole_interfaces { "/etc/network/interfaces" } else { ifupdown::PATH };
            Ok(vec![file(path, text, 0o644), file(udev::PATH, udev::rules(state)?, 0o644)])
        }
        Renderer::Netplan => {
            let text = format!("{HEADER}{}", netplan::content(state, image.netplan_ipv6_mtu)?);
            Ok(vec![file(netplan::PATH, text, 0o600)])
        }
        Renderer::Networkd => networkd::files(state),
        Renderer::Sysconfig => sysconfig::files(state, image.suse, read),
        Renderer::NetworkManager => network_manager::files(state),
    }
}
