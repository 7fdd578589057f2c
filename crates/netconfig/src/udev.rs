//! `70-persistent-net.rules`: names by MAC address. (`cloudinit/net/udev.py`, `cloudinit/net/renderer.py`)

use hardtack_userdata::Value;

use crate::py::{Outcome, at, filled, string};
use crate::state::State;

/// Where the renderers of Debian and Red Hat put the rules.
pub const PATH: &str = "/etc/udev/rules.d/70-persistent-net.rules";

/// `_render_persistent_net`: a rule for every physical interface whose MAC address is known.
pub(crate) fn rules(state: &State) -> Outcome<String> {
    let mut out = String::new();
    for iface in state.of_type("physical") {
        let (Some(name), Some(mac)) = (at(iface, "name"), filled(iface, "mac_address")) else { continue };
        let mac = string(mac, "`mac_address`")?;
        let driver = filled(iface, "driver").map_or_else(|| "?*".to_owned(), Value::to_python_str);
        let name = name.to_python_str();
        out.push_str(&format!(
            "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"{driver}\", ATTR{{address}}==\"{mac}\", NAME=\"{name}\"\n"
        ));
    }
    Ok(out)
}
