//! The lowest layer of a configuration for a machine without `/etc/cloud/cloud.cfg`
//! (`config/cloud.cfg.tmpl`).

use hardtack_userdata::{Key, Kind, Map, Value};

use crate::machine::Distro;
use crate::users::default_user;

/// What the shipped `cloud.cfg` of the distribution sets. The lists of modules are not in it: they are in
/// [`crate::table`].
#[must_use]
pub fn config(distro: &Distro) -> Map {
    let mut config = default_user::base_config(distro);
    let variant = distro.variant.as_str();
    let text = |text: &str| Value::new(Kind::Text(text.to_owned()));
    let mut put = |key: &str, kind: Kind| {
        config.insert(Key::text(key), Value::new(kind));
    };
    put("preserve_hostname", Kind::Bool(false));
    if variant == "debian" {
        // cloud-init's Debian package leaves the image's own sources alone.
        let apt = Map::from_iter([(Key::text("preserve_sources_list"), Value::new(Kind::Bool(true)))]);
        put("apt", Kind::Map(apt));
    }
    if variant == "photon" {
        put("manage_etc_hosts", Kind::Bool(false));
    }
    if variant == "amazon" {
        put("resize_rootfs", Kind::Text("noblock".to_owned()));
    }
    let rhel = crate::table::RHEL.contains(&variant);
    let others = [
        "alpine",
        "amazon",
        "azurelinux",
        "fedora",
        "OpenCloudOS",
        "openeuler",
        "openmandriva",
        "photon",
        "TencentOS",
    ];
    if rhel || others.contains(&variant) {
        let options = if rhel {
            "defaults,nofail,x-systemd.after=cloud-init-network.service,_netdev"
        } else {
            "defaults,nofail"
        };
        let null = || Value::new(Kind::Null);
        put(
            "mount_default_fields",
            Kind::List(vec![null(), null(), text("auto"), text(options), text("0"), text("2")]),
        );
    }
    config
}
