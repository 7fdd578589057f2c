//! From a configuration to the files of one renderer.

use hardtack_userdata::{Finding, Value};

use crate::config::{Card, NetFile};
use crate::py::Outcome;
use crate::state::State;
use crate::{ifupdown, netplan, networkd, udev};

/// What above the files tells their reader where they come from, and how to keep them from being written.
pub const HEADER: &str = "\
# Written by hardtack-agent when this instance first boots; a new instance gets it anew.
# To keep the network as it is, put this into /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg:
# network: {config: disabled}
";

/// The programs that cloud-init writes network configuration for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renderer {
    /// ifupdown, of Debian and Alpine.
    Eni,
    /// netplan.
    Netplan,
    /// systemd-networkd.
    Networkd,
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
}

/// Files, and what was passed over on the way.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The files.
    pub files: Vec<NetFile>,
    /// What the configuration says in vain.
    pub findings: Vec<Finding>,
}

/// The files that `renderer` makes of `config`.
///
/// # Errors
/// What the configuration is refused for.
pub fn render(
    renderer: Renderer,
    config: &Value,
    cards: &[Card],
    image: &Image,
) -> Result<Rendered, Box<Finding>> {
    let mut state = State::parse(config, cards, renderer == Renderer::Netplan)?;
    let files = files(renderer, &mut state, image)?;
    Ok(Rendered { files, findings: state.findings })
}

fn file(path: &str, text: String, mode: u32) -> NetFile {
    NetFile { path: path.to_owned(), text, mode, owner: None }
}

fn files(renderer: Renderer, state: &mut State, image: &Image) -> Outcome<Vec<NetFile>> {
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
    }
}
