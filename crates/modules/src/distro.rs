//! Which distribution a machine runs, with cloud-init's names for it (`cloudinit/util.py`:
//! `get_linux_distro`, `_get_variant`; `osfamily` of the classes in `cloudinit/distros/`).

use crate::machine::{Distro, Machine};

impl Distro {
    /// Reads `/etc/os-release` and, where there is none, `/usr/lib/os-release`.
    #[must_use]
    pub fn read(machine: &dyn Machine) -> Self {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| machine.read(path))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let mut distro = Self::from_os_release(&text);
        if machine.exists("/etc/rpi-issue") {
            "raspberry-pi-os".clone_into(&mut distro.id);
            "raspberry-pi-os".clone_into(&mut distro.variant);
            "debian".clone_into(&mut distro.family);
        }
        distro
    }

    /// The same of a text.
    #[must_use]
    pub fn from_os_release(text: &str) -> Self {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.trim().split_once('='))
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| unquoted(value))
                .next_back()
                .unwrap_or_default()
        };
        let id = field("ID").to_lowercase();
        let like = field("ID_LIKE").to_lowercase();
        let variant = variant(&id)
            .map(str::to_owned)
            .or_else(|| like.split_whitespace().find_map(variant).map(str::to_owned))
            .unwrap_or_else(|| id.clone());
        let mut codename = field("VERSION_CODENAME");
        if codename.is_empty() {
            // `12 (bookworm)`
            codename = field("VERSION")
                .split_once(" (")
                .and_then(|(_, rest)| rest.split_once(')'))
                .map(|(name, _)| name.to_owned())
                .unwrap_or_default();
        }
        Self {
            family: family(&variant).unwrap_or(&variant).to_owned(),
            version: field("VERSION_ID"),
            id,
            variant,
            codename,
        }
    }

    /// Whether it is CoreOS, one of its heirs, or nothing that is known.
    #[must_use]
    pub fn is_coreos(&self) -> bool {
        matches!(self.family.as_str(), "" | "coreos" | "flatcar")
    }

    /// Whether it is one of `names`, by its variant as cloud-init lists distributions.
    #[must_use]
    pub fn is_any(&self, names: &[&str]) -> bool {
        names.contains(&self.variant.as_str())
    }
}

/// The distribution whose settings cloud-init takes for an `ID` of os-release.
fn variant(id: &str) -> Option<&'static str> {
    Some(match id {
        "almalinux" => "almalinux",
        "alpine" => "alpine",
        // Amazon's packages set it; the rule in `_get_variant` does not know it.
        "amzn" | "amazon" => "amazon",
        "aosc" => "aosc",
        "arch" => "arch",
        "azurelinux" => "azurelinux",
        "centos" => "centos",
        "cloudlinux" => "cloudlinux",
        "cos" => "cos",
        "debian" => "debian",
        "eurolinux" => "eurolinux",
        "fedora" => "fedora",
        "gentoo" => "gentoo",
        "mariner" => "mariner",
        "miraclelinux" => "miraclelinux",
        "openeuler" => "openeuler",
        "opencloudos" => "OpenCloudOS",
        "openmandriva" => "openmandriva",
        "photon" => "photon",
        "raspberry-pi-os" => "raspberry-pi-os",
        "rhel" | "redhat" => "rhel",
        "rocky" => "rocky",
        "opensuse"
        | "opensuse-leap"
        | "opensuse-microos"
        | "opensuse-tumbleweed"
        | "sle_hpc"
        | "sle-micro"
        | "sles"
        | "suse" => "suse",
        "tencentos" => "TencentOS",
        "ubuntu" | "linuxmint" | "mint" => "ubuntu",
        "virtuozzo" => "virtuozzo",
        _ => return None,
    })
}

/// The family of a variant.
fn family(variant: &str) -> Option<&'static str> {
    Some(match variant {
        "alpine" => "alpine",
        "aosc" => "aosc",
        "arch" => "arch",
        "debian" | "ubuntu" | "raspberry-pi-os" => "debian",
        "gentoo" | "cos" => "gentoo",
        "almalinux" | "amazon" | "centos" | "cloudlinux" | "eurolinux" | "fedora" | "miraclelinux"
        | "openmandriva" | "rhel" | "rocky" | "virtuozzo" => "redhat",
        "azurelinux" => "azurelinux",
        "mariner" => "mariner",
        "photon" => "photon",
        "suse" => "suse",
        "openeuler" => "openeuler",
        "OpenCloudOS" | "TencentOS" => "OpenCloudOS",
        _ => return None,
    })
}

/// A value of os-release: plain, or in quotes with backslashes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            out.extend(characters.next());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tree;

    #[test]
    fn an_id_gives_variant_and_family() {
        for (text, variant, family) in [
            ("ID=debian", "debian", "debian"),
            ("ID=linuxmint", "ubuntu", "debian"),
            ("ID=\"opensuse-leap\"", "suse", "suse"),
            ("ID=amzn", "amazon", "redhat"),
            ("ID=rocky", "rocky", "redhat"),
            ("ID=kali\nID_LIKE=debian", "debian", "debian"),
            ("ID='ol'\nID_LIKE=\"fedora\"", "fedora", "redhat"),
            ("ID=flatcar\nID_LIKE=coreos", "flatcar", "flatcar"),
            ("", "", ""),
        ] {
            let distro = Distro::from_os_release(text);
            assert_eq!((distro.variant.as_str(), distro.family.as_str()), (variant, family), "{text}");
        }
    }

    #[test]
    fn the_codename_may_stand_in_the_version() {
        let distro = Distro::from_os_release("ID=debian\nVERSION=\"9 (stretch)\"\n");
        assert_eq!(distro.codename, "stretch");
        assert_eq!(Distro::read(&Tree::debian()).codename, "bookworm");
    }
}
