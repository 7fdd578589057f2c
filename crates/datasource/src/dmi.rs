//! What SMBIOS says, as the kernel shows it (`cloudinit/dmi.py`).

use hardtack_modules::Machine;

/// dmidecode's names, and the kernel's files.
const NAMES: [(&str, &str); 17] = [
    ("baseboard-asset-tag", "board_asset_tag"),
    ("baseboard-manufacturer", "board_vendor"),
    ("baseboard-product-name", "board_name"),
    ("baseboard-serial-number", "board_serial"),
    ("baseboard-version", "board_version"),
    ("bios-release-date", "bios_date"),
    ("bios-vendor", "bios_vendor"),
    ("bios-version", "bios_version"),
    ("chassis-asset-tag", "chassis_asset_tag"),
    ("chassis-manufacturer", "chassis_vendor"),
    ("chassis-serial-number", "chassis_serial"),
    ("chassis-version", "chassis_version"),
    ("system-manufacturer", "sys_vendor"),
    ("system-product-name", "product_name"),
    ("system-serial-number", "product_serial"),
    ("system-uuid", "product_uuid"),
    ("system-version", "product_version"),
];

/// Names of a seed's address that are replaced.
const MOST: usize = 64;

/// The value of dmidecode's `name`, if the machine has one. In a container all values are the host's: who is in
/// one does not ask.
#[must_use]
pub fn value(machine: &dyn Machine, name: &str) -> Option<String> {
    let (_, file) = NAMES.iter().find(|(known, _)| *known == name)?;
    let bytes = machine.read(&format!("/sys/class/dmi/id/{file}"))?;
    // What was never written is all ones.
    if let Some((b'\n', rest)) = bytes.split_last()
        && rest.iter().all(|byte| *byte == 0xff)
    {
        return Some(String::new());
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.trim().to_owned())
}

/// `text` with each `__dmi.NAME__` replaced; names that nobody knows stay.
#[must_use]
pub fn substitute(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("__dmi.") {
        let end = behind.find('_').unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        rest = behind;
        if !name.is_empty() && after.starts_with("__") && names.len() < MOST {
            names.push(name);
            rest = after.get(2..).unwrap_or_default();
        }
    }
    let mut text = text.to_owned();
    for name in names {
        if NAMES.iter().any(|(known, _)| *known == name) {
            text = text.replace(&format!("__dmi.{name}__"), &value(name).unwrap_or_default());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{substitute, value};
    use hardtack_modules::testing::Tree;

    #[test]
    fn marks_in_an_address() {
        let machine = Tree::new()
            .with("/sys/class/dmi/id/product_serial", " X1 \n")
            .with("/sys/class/dmi/id/chassis_serial", b"\xff\xff\n");
        let get = |name: &str| value(&machine, name);
        for (text, wanted) in [
            ("http://a/__dmi.system-serial-number__/", "http://a/X1/"),
            ("__dmi.system-serial-number____dmi.system-serial-number__", "X1X1"),
            ("a__dmi.chassis-serial-number__b", "ab"),
            ("a__dmi.system-uuid__b", "ab"),
            ("__dmi.nothing__", "__dmi.nothing__"),
            ("__dmi.__ __dmi.system-serial-number_", "__dmi.__ __dmi.system-serial-number_"),
            ("__dmi.__dmi.system-serial-number__", "__dmi.X1"),
            ("none", "none"),
        ] {
            assert_eq!(substitute(text, &get), wanted, "{text}");
        }
    }
}
