//! Which of the clouds with EC2's metadata service this machine has the marks of (`DataSourceEc2.py`:
//! `identify_platform`).

use hardtack_modules::Machine;

/// A cloud with EC2's metadata service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Amazon's. One in 2048 random UUIDs looks like it, too.
    Aws,
    /// Brightbox.
    Brightbox,
    /// ZStack.
    Zstack,
    /// e24cloud.
    E24cloud,
    /// 3DS Outscale.
    Outscale,
    /// Tilaa.
    Tilaa,
    /// No marks: Eucalyptus, or none at all.
    Unknown,
}

impl Platform {
    /// The one that the machine's marks name.
    #[must_use]
    pub fn of(machine: &dyn Machine) -> Self {
        let text = |path: &str| {
            let text = machine.read(path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_lowercase());
            text.unwrap_or_default()
        };
        let mark = |name: &str| text(&format!("/sys/class/dmi/id/{name}"));
        let hypervisor = text("/sys/hypervisor/uuid");
        let uuid = if hypervisor.is_empty() { mark("product_uuid") } else { hypervisor };
        let vendor = mark("sys_vendor");
        if is_aws(&uuid) {
            Self::Aws
        } else if mark("product_serial").ends_with(".brightbox.com") {
            Self::Brightbox
        } else if mark("chassis_asset_tag").ends_with(".zstack.io") {
            Self::Zstack
        } else if vendor == "e24cloud" {
            Self::E24cloud
        } else if vendor == "3ds outscale" && mark("product_name") == "3ds outscale vm" {
            Self::Outscale
        } else if vendor == "tilaa" {
            Self::Tilaa
        } else {
            Self::Unknown
        }
    }

    /// `v1.cloud_name`.
    #[must_use]
    pub fn cloud_name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Brightbox => "brightbox",
            Self::Zstack => "zstack",
            Self::E24cloud => "e24cloud",
            Self::Outscale => "outscale",
            // cloud-init compares `Tilaa` with the mark in small letters, and never knows it.
            Self::Tilaa | Self::Unknown => "unknown",
        }
    }

    /// Whether cloud-init reads it before the system's own network is up, in `DataSourceEc2Local`.
    #[must_use]
    pub fn is_read_early(self) -> bool {
        matches!(self, Self::Aws | Self::Outscale)
    }
}

/// A UUID that begins with `ec2`, in the order of bytes of the one or the other end.
fn is_aws(uuid: &str) -> bool {
    if uuid.starts_with("ec2") {
        return true;
    }
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid && digits.get(6..8) == Some("ec") && digits.get(4..5) == Some("2")
}

#[cfg(test)]
mod tests {
    use hardtack_modules::testing::Tree;

    use super::*;

    #[test]
    fn marks() {
        let uuid = "/sys/class/dmi/id/product_uuid";
        let vendor = "/sys/class/dmi/id/sys_vendor";
        for (files, expected) in [
            (&[][..], Platform::Unknown),
            (&[(uuid, "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n")], Platform::Aws),
            (&[(uuid, "45E12AEC-DCD1-B213-94ED-012345ABCDEF\n")], Platform::Aws),
            (&[(uuid, "45E12AEC")], Platform::Unknown),
            (&[(uuid, "2AEC45E1-DCD1-B213-94ED-012345ABCDEF")], Platform::Unknown),
            (&[("/sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n")], Platform::Aws),
            (
                &[
                    ("/sys/hypervisor/uuid", "11111111-9099-7caf-fd21-012345abcdef\n"),
                    (uuid, "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n"),
                ],
                Platform::Unknown,
            ),
            (&[("/sys/class/dmi/id/product_serial", "srv-x.gb1.brightbox.com\n")], Platform::Brightbox),
            (&[("/sys/class/dmi/id/chassis_asset_tag", "123456.zstack.io\n")], Platform::Zstack),
            (&[(vendor, "e24cloud\n")], Platform::E24cloud),
            (&[(vendor, "Tilaa\n")], Platform::Tilaa),
            (
                &[(vendor, "3DS Outscale\n"), ("/sys/class/dmi/id/product_name", "3DS Outscale VM\n")],
                Platform::Outscale,
            ),
            (&[(vendor, "3DS Outscale\n")], Platform::Unknown),
        ] {
            let machine = files.iter().fold(Tree::new(), |tree, (path, text)| tree.with(path, text));
            assert_eq!(Platform::of(&machine), expected, "{files:?}");
        }
    }
}
