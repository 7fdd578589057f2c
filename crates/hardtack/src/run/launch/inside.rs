//! What an image of the catalog has in it that a launch on this machine has to fit: the disk that its overlayroot wants, and
//! the agent that prints credentials.
//!
//! overlayroot's configuration: `/etc/overlayroot.conf`, then `/etc/overlayroot.local.conf`, which outranks it (its initramfs
//! script, `read_fstab` and before): `overlayroot="crypt:dev=/dev/vdc,timeout=20"`.

use std::path::Path;

use hardtack_credentials::AgentConfig;
use hardtack_local::Spec;
use hardtack_local::instance::DiskBus;
use hardtack_modules::Machine;

use crate::args::SourceArgs;
use crate::error::CliError;
use crate::image::Image;
use crate::run::user_data::machine::GuestMachine;
use crate::source::Input;

const OVERLAYROOT: [&str; 2] = ["/etc/overlayroot.conf", "/etc/overlayroot.local.conf"];
const AGENT: &str = "/etc/hardtack/agent.json";

/// What is in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inside {
    /// The disk that overlayroot wants: `/dev/vdc`.
    overlay: Option<String>,
    /// Why there will be no credentials block, where that is so.
    pub(super) silent: Option<&'static str>,
}

/// Looks into the disk; `None` where nothing can be read in it: it may be anything.
pub(super) fn look(disk: &Path) -> Option<Inside> {
    let input = Input::open(disk, &SourceArgs::default(), None).ok()?;
    let image = Image::open(input, Some(0), None).ok()?;
    Some(of(&GuestMachine::new(&image.guest)))
}

fn of(machine: &dyn Machine) -> Inside {
    let mut value = None;
    for path in OVERLAYROOT {
        let text = machine.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        value = text.as_deref().and_then(set).or(value);
    }
    let silent = match machine.read(AGENT) {
        None => Some("the image has no hardtack agent in it"),
        Some(bytes) => match serde_json::from_slice::<AgentConfig>(&bytes) {
            Ok(config) if config.mfa.is_none() => Some("the image's recipe has no mfa step"),
            _ => None,
        },
    };
    Inside { overlay: value.as_deref().and_then(wanted), silent }
}

/// The last value of `overlayroot` in a file that a shell reads.
fn set(text: &str) -> Option<String> {
    let mut lines = text.lines().rev().filter_map(|line| line.trim().strip_prefix("overlayroot="));
    lines.next().map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
}

/// The disk in a value, where it is told by its name.
fn wanted(value: &str) -> Option<String> {
    let device = match value.split_once(':') {
        Some(("crypt" | "device", options)) => {
            options.split(',').find_map(|option| option.strip_prefix("dev="))?
        }
        // A path alone is of the mode device.
        None if value.starts_with("/dev/") => value.split(',').next()?,
        _ => return None,
    };
    // `vdb` is `/dev/vdb`.
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let plain = !name.is_empty() && name.len() < 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| format!("/dev/{name}"))
}

/// What a guest calls its disks: the root's, the ephemeral one's, the volumes'.
fn disks(spec: &Spec) -> Vec<String> {
    let count = 1 + usize::from(spec.ephemeral.is_some()) + spec.volumes.len();
    (0..count).map(|number| super::here::disk_name(spec.disk_bus, number)).collect()
}

impl Inside {
    /// Refuses a launch without the disk that overlayroot wants.
    pub(super) fn fits(&self, spec: &Spec, image: &str) -> Result<(), CliError> {
        let Some(device) = &self.overlay else { return Ok(()) };
        let there = disks(spec);
        // A partition is on its disk.
        if there.iter().any(|disk| {
            device
                .strip_prefix(disk.as_str())
                .is_some_and(|rest| rest.trim_start_matches('p').bytes().all(|byte| byte.is_ascii_digit()))
        }) {
            return Ok(());
        }
        let error = CliError::refused(format!(
            "{image}: its overlayroot wants the disk {device}, and this instance has {} only: its root would be a plain \
             one, and what it promises would not hold",
            there.join(", ")
        ));
        let other = match spec.disk_bus {
            DiskBus::Virtio if device.starts_with("/dev/nvme") => Some("--disk-bus nvme"),
            DiskBus::Nvme if device.starts_with("/dev/vd") => Some("--disk-bus virtio"),
            _ => None,
        };
        let next = super::here::disk_name(spec.disk_bus, there.len());
        let error = match other {
            Some(bus) => {
                error.hint(format!("disks are called so under {bus}")).hint(format!("--volume 20G:{device}"))
            }
            None if next == *device => error.hint(format!("give it one: --volume 20G:{device}")),
            None => error.hint(format!(
                "give it one, and those before it, the next of which is {next}: --volume 20G:{device}"
            )),
        };
        Err(error.hint("--force launches all the same"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use hardtack_local::instance::Volume;

    use super::*;

    struct Files(BTreeMap<&'static str, &'static str>);

    impl Machine for Files {
        fn read(&self, path: &str) -> Option<Vec<u8>> {
            self.0.get(path).map(|text| text.as_bytes().to_vec())
        }

        fn exists(&self, path: &str) -> bool {
            self.0.contains_key(path)
        }

        fn list(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    fn inside(files: &[(&'static str, &'static str)]) -> Inside {
        of(&Files(files.iter().copied().collect()))
    }

    #[test]
    fn the_disk_of_overlayroot_has_to_be_there() {
        let [general, local] = OVERLAYROOT;
        let crypt = "# overlayroot=\"tmpfs\"\noverlayroot_cfgdisk=\"disabled\"\n\
                     overlayroot=\"crypt:dev=/dev/vdc,timeout=20,pass=x\"\n";
        let wants = inside(&[(general, "overlayroot=\"\"\n"), (local, crypt)]);
        assert_eq!(wants.overlay.as_deref(), Some("/dev/vdc"));
        for one in ["overlayroot=/dev/vdc", "overlayroot='device:timeout=9,dev=vdc'"] {
            assert_eq!(inside(&[(local, one)]).overlay.as_deref(), Some("/dev/vdc"), "{one}");
        }
        for none in ["overlayroot=\"\"", "overlayroot=tmpfs", "overlayroot='device:dev=LABEL=x'", "x=1"] {
            assert_eq!(inside(&[(local, none)]).overlay, None, "{none}");
        }
        // The second file outranks the first.
        assert_eq!(inside(&[(general, crypt), (local, "overlayroot=disabled\n")]).overlay, None);
        let bare = Spec { ephemeral: Some(1), ..Spec::default() };
        let text = wants.fits(&bare, "web-1").unwrap_err();
        assert_eq!(text.exit_code(), 3);
        let text = text.report();
        assert!(text.contains("wants the disk /dev/vdc") && text.contains("--volume 20G:/dev/vdc"), "{text}");
        assert!(!text.contains("pass=x") && text.contains("--force"), "{text}");
        let volumes = vec![Volume { size: 1, device: "/dev/vdc".to_owned() }];
        assert!(wants.fits(&Spec { volumes: volumes.clone(), ..bare.clone() }, "web-1").is_ok());
        let nvme = Spec { volumes, disk_bus: DiskBus::Nvme, ..bare.clone() };
        let text = wants.fits(&nvme, "web-1").unwrap_err().report();
        assert!(text.contains("--disk-bus virtio") && text.contains("/dev/nvme2n1"), "{text}");
        let ephemeral = Inside { overlay: Some("/dev/vdb1".to_owned()), silent: None };
        assert!(ephemeral.fits(&bare, "web-1").is_ok());
        let far = Inside { overlay: Some("/dev/vde".to_owned()), silent: None };
        assert!(far.fits(&bare, "web-1").unwrap_err().report().contains("the next of which is /dev/vdc"));
        assert!(Inside::default().fits(&bare, "web-1").is_ok());
    }

    #[test]
    fn images_without_an_agent_print_no_block() {
        assert_eq!(inside(&[]).silent, Some("the image has no hardtack agent in it"));
        assert_eq!(
            inside(&[(AGENT, "{\"recipe\":\"x\"}")]).silent,
            Some("the image's recipe has no mfa step")
        );
        assert_eq!(inside(&[(AGENT, "{\"mfa\":{}}")]).silent, None);
        assert_eq!(inside(&[(AGENT, "of another release")]).silent, None);
    }
}
