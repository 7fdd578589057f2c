//! Which program reads the image's network configuration. (`cloudinit/net/renderers.py`, and `available` of
//! each renderer)

use hardtack_userdata::{Finding, Value};

use crate::py::{Outcome, iterate, refuse, shown};
use crate::render::Renderer;

/// What is asked of the image. Symbolic links are followed.
pub trait Files {
    /// There is a file `path`.
    fn exists(&self, path: &str) -> bool;
    /// The content of a small text file.
    fn read(&self, path: &str) -> Option<String>;
    /// The names in the folder `path`; none if it is not there.
    fn names(&self, path: &str) -> Vec<String>;
    /// systemd starts `unit` (`systemctl is-enabled` would say yes). True where there is no systemd.
    fn enabled(&self, unit: &str) -> bool;
}

/// cloud-init's order where `system_info: {network: {renderers: …}}` gives none.
pub const ORDER: &[&str] =
    &["eni", "sysconfig", "netplan", "network-manager", "freebsd", "netbsd", "openbsd", "networkd"];

/// Distributions whose `/etc/sysconfig` is written, as cloud-init names them.
const SYSCONFIG: &[&str] = &[
    "almalinux",
    "centos",
    "cloudlinux",
    "eurolinux",
    "fedora",
    "miraclelinux",
    "openeuler",
    "OpenCloudOS",
    "openmandriva",
    "rhel",
    "rocky",
    "suse",
    "TencentOS",
    "virtuozzo",
];

/// The first renderer of `order` that the image has. `variant` is the distribution.
///
/// # Errors
/// Unknown names, and an image that has none.
pub fn choose(order: Option<&Value>, variant: &str, files: &dyn Files) -> Result<Renderer, Box<Finding>> {
    let names: Vec<String> = match order.filter(|order| !order.is_null()) {
        Some(order) => iterate(order, "`renderers`")?.iter().map(Value::to_python_str).collect(),
        None => ORDER.iter().map(|name| (*name).to_owned()).collect(),
    };
    let place = order.map(|order| order.place).unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !ORDER.contains(&name.as_str())) {
        let found = shown(&crate::py::text(unknown));
        return refuse(place, format!("`renderers` names `{found}`, which cloud-init does not know"));
    }
    let found: Outcome<Renderer> = match names.iter().find_map(|name| available(name, variant, files)) {
        Some(renderer) => Ok(renderer),
        None => {
            refuse(place, format!("the image has none of {}: no network is configured", names.join(", ")))
        }
    };
    found
}

fn available(name: &str, variant: &str, files: &dyn Files) -> Option<Renderer> {
    let all = |programs: &[&str], folders: &[&str]| {
        programs
            .iter()
            .all(|program| folders.iter().any(|folder| files.exists(&format!("{folder}/{program}"))))
    };
    let sbin = &["/sbin", "/usr/sbin"];
    match name {
        "eni" => (all(&["ifquery", "ifup", "ifdown"], sbin) && files.exists("/etc/network/interfaces"))
            .then_some(Renderer::Eni),
        "netplan" => all(&["netplan"], sbin).then_some(Renderer::Netplan),
        "networkd" => all(&["ip", "systemctl"], &["/usr/sbin", "/bin"]).then_some(Renderer::Networkd),
        "network-manager" => {
            let path = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
            (all(&["nmcli"], path) && files.enabled("NetworkManager.service"))
                .then_some(Renderer::NetworkManager)
        }
        "sysconfig" if SYSCONFIG.contains(&variant) => {
            let scripts = all(&["ifup", "ifdown"], sbin)
                && (files.exists("/etc/sysconfig/network-scripts/network-functions")
                    || files.exists("/etc/sysconfig/config"));
            (scripts || plugin(files)).then_some(Renderer::Sysconfig)
        }
        _ => None,
    }
}

/// NetworkManager reads `ifcfg` files: `/usr/lib*/NetworkManager/*/libnm-settings-plugin-ifcfg-rh.so`.
fn plugin(files: &dyn Files) -> bool {
    files.names("/usr").iter().filter(|name| name.starts_with("lib")).any(|lib| {
        let folder = format!("/usr/{lib}/NetworkManager");
        let names = files.names(&folder);
        names.iter().any(|name| files.exists(&format!("{folder}/{name}/libnm-settings-plugin-ifcfg-rh.so")))
    })
}
