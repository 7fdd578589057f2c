//! Whose enrolment this is: the machine's marks, and the record of those that it was made with.
//!
//! Secrets lie on a disk, and a disk can be copied. So `/var/lib/hardtack/identity.json` says which machine they were
//! made for. What is asked is there before any network: the UUID of SMBIOS (`product_uuid`, which every hypervisor
//! makes anew for a new machine), the instance-id where this boot's data source has said it already, and, where
//! neither is to be had on both sides, `/etc/machine-id` (machine-id(5)).
//!
//! A mark that is known on both sides and differs makes another machine, as does a UUID that came or went. An instance-id
//! that nobody knew before makes none: at the first boot the metadata service was silent, and the record is completed.

use hardtack_credentials::AgentConfig;
use serde::{Deserialize, Serialize};

use crate::accounts::replace;
use crate::config::{STATE, directory};
use crate::error::AgentError;
use crate::facts;
use crate::host::Host;

/// What the secrets on this disk were made for.
pub(crate) const RECORD: &str = "/var/lib/hardtack/identity.json";
/// Where a hypervisor says its machine's UUID: SMBIOS; paravirtual Xen and KVM on POWER have none.
const UUIDS: [&str; 3] =
    ["/sys/class/dmi/id/product_uuid", "/sys/hypervisor/uuid", "/proc/device-tree/vm,uuid"];
/// UUIDs that firmware has where nobody gave it one: of all boards alike.
const NO_UUIDS: [&str; 5] = [
    "03000200-0400-0500-0006-000700080009",
    "00020003-0004-0005-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "01234567-8910-abcd-ef01-23456789abcd",
    "fefefefe-fefe-fefe-fefe-fefefefefefe",
];

/// The marks of a machine; also the record's text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    /// As this boot's data source said it; in the record also as an earlier one did.
    pub(crate) instance_id: Option<String>,
    /// SMBIOS', in lower case.
    pub(crate) product_uuid: Option<String>,
    /// systemd's.
    pub(crate) machine_id: Option<String>,
    /// Homes in which another machine's secret could not be removed: tried again at each boot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<String>,
}

/// What the record says of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nobody was enrolled here yet. What the build has put in stays.
    New,
    /// It is this machine's; with what is known now besides.
    Same(Identity),
    /// It is another machine's, and why.
    Other(String),
}

impl Identity {
    /// What is known of this machine now.
    pub(crate) fn of(host: &Host, config: &AgentConfig) -> Self {
        Self {
            instance_id: facts::instance_id_said(host, config.mode == "replace"),
            product_uuid: UUIDS.iter().find_map(|path| uuid(&host.first_line(path)?)),
            machine_id: host.first_line("/etc/machine-id").filter(|id| is_machine_id(id)),
            left: Vec::new(),
        }
    }

    /// Why the machine with these marks is not `now`.
    fn difference(&self, now: &Self) -> Option<String> {
        match (&self.product_uuid, &now.product_uuid) {
            (Some(one), Some(other)) if !is_same_uuid(one, other) => {
                return Some(format!("its product_uuid is {other} and was {one}"));
            }
            (Some(one), None) => return Some(format!("it has no product_uuid and had {one}")),
            (None, Some(other)) => return Some(format!("its product_uuid is {other} and it had none")),
            _ => {}
        }
        if let (Some(one), Some(other)) = (&self.instance_id, &now.instance_id) {
            return (one != other).then(|| format!("its instance-id is {other} and was {one}"));
        }
        if now.product_uuid.is_some() || self.machine_id == now.machine_id {
            return None;
        }
        Some("its machine-id is another, and nothing else tells who it is".to_owned())
    }

    /// The record, with what this boot knows.
    fn completed(self, now: &Self) -> Self {
        Self {
            instance_id: now.instance_id.clone().or(self.instance_id),
            product_uuid: now.product_uuid.clone(),
            machine_id: now.machine_id.clone().or(self.machine_id),
            left: self.left,
        }
    }
}

/// Compares the record with the machine as it is `now`.
///
/// A record that cannot be read is another machine's: nobody can say that it is this one's. So is one that is
/// missing where somebody has been enrolled.
pub(crate) fn compare(host: &Host, now: &Identity) -> Known {
    let read = host.read(RECORD).map(|bytes| bytes.map(|bytes| serde_json::from_slice::<Identity>(&bytes)));
    match read {
        Ok(Some(Ok(record))) => match record.difference(now) {
            None => Known::Same(record.completed(now)),
            Some(why) => Known::Other(why),
        },
        Ok(None) if !has_enrolled(host) => Known::New,
        Ok(None) => Known::Other(format!("somebody was enrolled and {RECORD} is missing")),
        Ok(Some(Err(_))) | Err(_) => Known::Other(format!("{RECORD} cannot be read")),
    }
}

/// Marks that only enrolment leaves.
fn has_enrolled(host: &Host) -> bool {
    ["used", "operator", "passwords"].iter().any(|name| !host.names(&format!("{STATE}/{name}")).is_empty())
}

/// Writes the record, whole.
pub(crate) fn write(host: &Host, record: &Identity) -> Result<(), AgentError> {
    directory(host, STATE)?;
    let text = serde_json::to_string_pretty(record)
        .map_err(|error| AgentError::text(format!("{RECORD} cannot be written: {error}")))?;
    replace(&host.path(RECORD), format!("{text}\n").as_bytes(), 0o600, None)
}

/// A UUID in lower case; `None` for what is none, or every board's.
fn uuid(text: &str) -> Option<String> {
    // The device tree ends its texts with a NUL.
    let uuid = text.trim_end_matches('\0').trim().to_ascii_lowercase();
    let digits: Vec<&str> = uuid.split('-').collect();
    let lengths: Vec<usize> = digits.iter().map(|part| part.len()).collect();
    let is_hex = uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if lengths != [8, 4, 4, 4, 12] || !is_hex || NO_UUIDS.contains(&uuid.as_str()) {
        return None;
    }
    let mut plain = uuid.bytes().filter(|byte| *byte != b'-');
    let first = plain.next()?;
    // All zeros, all ones, all of one digit.
    plain.any(|byte| byte != first).then_some(uuid)
}

/// SMBIOS 2.6 has turned the bytes of the first three fields around, and hypervisors have followed one by one
/// (DSP0134, 7.2.1): an update of one of them makes no other machine.
fn is_same_uuid(one: &str, other: &str) -> bool {
    one == other || turned(one).is_some_and(|turned| turned == other)
}

fn turned(uuid: &str) -> Option<String> {
    let mut fields: Vec<String> = uuid.split('-').map(str::to_owned).collect();
    for field in fields.get_mut(..3)? {
        let pairs: Vec<&[u8]> = field.as_bytes().chunks(2).rev().collect();
        *field = String::from_utf8(pairs.concat()).ok()?;
    }
    Some(fields.join("-"))
}

fn is_machine_id(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::Tree;

    const ONE: &str = "4c4c4544-0042-3510-8052-b4c04f4b3132";
    const OTHER: &str = "4c4c4544-0042-3510-8052-b4c04f4b3133";

    fn identity(instance: &str, uuid: &str, machine: &str) -> Identity {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Identity {
            instance_id: some(instance),
            product_uuid: some(uuid),
            machine_id: some(machine),
            left: Vec::new(),
        }
    }

    #[test]
    fn who_is_another() {
        let turned = "44454c4c-4200-1035-8052-b4c04f4b3132";
        for (before, now, same) in [
            // Hardware tells, whatever metadata do or do not say.
            (("i-1", ONE, "m"), ("i-1", ONE, "m"), true),
            (("i-1", ONE, "m"), ("", ONE, "m"), true),
            (("", ONE, "m"), ("i-1", ONE, "m"), true),
            (("i-1", ONE, "m"), ("i-1", OTHER, "m"), false),
            (("i-1", ONE, "m"), ("", OTHER, "m"), false),
            (("i-1", ONE, "m"), ("i-1", turned, "m"), true),
            (("i-1", ONE, "m"), ("i-1", "", "m"), false),
            (("i-1", "", "m"), ("i-1", ONE, "m"), false),
            // The seed was changed by hand, or the cloud has made another machine of this one.
            (("i-1", ONE, "m"), ("i-2", ONE, "m"), false),
            (("i-1", "", "m"), ("i-2", "", "m"), false),
            // An image that has its machine-id made anew is the same machine where the others say so.
            (("i-1", ONE, "m"), ("", ONE, "n"), true),
            (("i-1", "", "m"), ("i-1", "", "n"), true),
            // Nothing but the machine-id.
            (("", "", "m"), ("", "", "m"), true),
            (("", "", "m"), ("", "", "n"), false),
            (("", "", "m"), ("", "", ""), false),
            (("i-1", "", "m"), ("", "", "n"), false),
            (("i-1", "", "m"), ("", "", "m"), true),
            (("", "", "m"), ("i-1", "", "n"), false),
            (("", "", "m"), ("i-1", "", "m"), true),
        ] {
            let difference =
                identity(before.0, before.1, before.2).difference(&identity(now.0, now.1, now.2));
            assert_eq!(difference.is_none(), same, "{before:?} {now:?}: {difference:?}");
        }
    }

    #[test]
    fn a_record_gains_what_nobody_knew_and_loses_nothing() {
        let tree = Tree::new();
        let host = tree.host();
        write(&host, &identity("", ONE, "m")).unwrap();
        let Known::Same(record) = compare(&host, &identity("i-1", ONE, "")) else { panic!() };
        assert_eq!(record, identity("i-1", ONE, "m"));
        write(&host, &record).unwrap();
        let Known::Same(record) = compare(&host, &identity("", ONE, "m")) else { panic!() };
        assert_eq!(record.instance_id.as_deref(), Some("i-1"));
        assert!(matches!(compare(&host, &identity("i-2", ONE, "m")), Known::Other(_)));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(tree.metadata("var/lib/hardtack/identity.json").permissions().mode() & 0o7777, 0o600);
    }

    #[test]
    fn what_cannot_be_read_is_anothers() {
        let now = identity("i-1", ONE, "m");
        for text in ["", "{", "[]", "\0\0\0\0", r#"{"product_uuid":7}"#] {
            let tree = Tree::new().file("var/lib/hardtack/identity.json", text);
            assert!(matches!(compare(&tree.host(), &now), Known::Other(_)), "{text:?}");
        }
        let directory = Tree::new().directory("var/lib/hardtack/identity.json");
        assert!(matches!(compare(&directory.host(), &now), Known::Other(_)));
        assert_eq!(compare(&Tree::new().host(), &now), Known::New);
        let lost = Tree::new().file("var/lib/hardtack/used/ann", "");
        assert!(matches!(compare(&lost.host(), &now), Known::Other(_)));
    }

    #[test]
    fn marks_that_mark_nothing_are_none() {
        for (text, wanted) in [
            ("4C4C4544-0042-3510-8052-B4C04F4B3132\n", Some(ONE)),
            ("4c4c4544-0042-3510-8052-b4c04f4b3132\0", Some(ONE)),
            ("Not Settable", None),
            ("Not Present", None),
            ("00000000-0000-0000-0000-000000000000", None),
            ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", None),
            ("03000200-0400-0500-0006-000700080009", None),
            ("", None),
            ("4c4c4544-0042-3510-8052-b4c04f4b313g", None),
            ("ääääääää-0042-3510-8052-b4c04f4b3132", None),
        ] {
            assert_eq!(uuid(text).as_deref(), wanted, "{text}");
        }
        let tree = Tree::new()
            .file("sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4B3132\n")
            .file("etc/machine-id", "uninitialized\n")
            .file("run/cloud-init/.instance-id", "i-1\n")
            .file("var/lib/cloud/data/instance-id", "i-0\n");
        let companion = AgentConfig::default();
        assert_eq!(Identity::of(&tree.host(), &companion), identity("i-1", ONE, ""));
        // In place of cloud-init the agent knows whether anybody has said it.
        let replace = AgentConfig { mode: "replace".into(), ..AgentConfig::default() };
        assert_eq!(Identity::of(&tree.host(), &replace), identity("", ONE, ""));
        let tree = tree.file("run/hardtack/instance-id", "i-1\n");
        assert_eq!(Identity::of(&tree.host(), &replace), identity("i-1", ONE, ""));
        // What an earlier boot was told is no news.
        std::fs::remove_dir_all(tree.host().path("/run")).unwrap();
        assert_eq!(Identity::of(&tree.host(), &companion).instance_id, None);
    }
}
