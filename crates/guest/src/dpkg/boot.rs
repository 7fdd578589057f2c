//! Packages that start the machine: what is left for the first boot to be safe, and what is not.
//!
//! Kernels, initramfs and boot loader are made by scripts (`update-initramfs`, `update-grub`,
//! `grub-install`). None of that runs in a build, so the first boot still goes the old way; its files
//! must stay until then. At first boot the packages' own scripts do the rest.

use super::admin::info_file;
use super::deb::Deb;
use super::install::World;
use super::package::Package;
use super::resolve::label;
use super::version::Version;
use crate::{Error, Stage};

/// The loader that the firmware starts, or what puts it there.
const LOADERS: [&str; 7] = [
    "grub-pc",
    "grub-efi-amd64",
    "grub-efi-arm64",
    "grub-cloud-amd64",
    "shim-signed",
    "systemd-boot",
    "extlinux",
];

/// Packages whose scripts renew every initramfs, besides `*-initramfs` and `*-microcode`.
const RENEW_INITRAMFS: [&str; 6] =
    ["initramfs-tools", "initramfs-tools-core", "dracut", "busybox", "overlayroot", "kmod"];

/// What the first boot does for a package that starts the machine, for people; `None` for others.
#[must_use]
pub fn at_first_boot(name: &str) -> Option<&'static str> {
    if is_kernel(name) {
        return Some(
            "the first boot still runs the kernel that the image has; the next one runs the new one",
        );
    }
    if LOADERS.contains(&name) {
        return Some("the first boot still goes through the boot loader that the image has");
    }
    let renews =
        RENEW_INITRAMFS.contains(&name) || name.ends_with("-initramfs") || name.ends_with("-microcode");
    renews.then_some("the first boot still uses the initramfs that the image has, and renews it")
}

/// The firmware or the boot loader has to find what this package brings.
#[must_use]
pub fn starts(name: &str) -> bool {
    is_kernel(name) || LOADERS.contains(&name)
}

fn is_kernel(name: &str) -> bool {
    ["linux-image-", "linux-modules-"].iter().any(|start| name.starts_with(start))
}

/// Why this package must not change before the first boot has ended, if so.
pub(super) fn must_wait(stage: &Stage<'_>, world: &World, old: &Package) -> Result<bool, Error> {
    let list = stage.read_text(&info_file(old, world.info_format, "list"))?.unwrap_or_default();
    Ok(list.lines().any(|path| {
        let below = |start: &str| path.strip_prefix(start).is_some_and(|rest| !rest.is_empty());
        below("/boot/vmlinu") || below("/lib/modules/") || below("/usr/lib/modules/")
    }))
}

/// Why a package cannot be finished at first boot, if so.
pub(super) fn refuses_arrival(stage: &Stage<'_>, deb: &Deb) -> Result<Option<String>, Error> {
    if deb.package.name != "grub-pc" {
        return Ok(None);
    }
    let answers = stage.read("/var/cache/debconf/config.dat")?.unwrap_or_default();
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let value = |name: &str| {
        let question =
            answers.split("\n\n").find(|one| one.lines().any(|line| line == format!("Name: {name}")));
        question.and_then(|one| one.lines().find_map(|line| line.strip_prefix("Value: "))).map(str::to_owned)
    };
    let knows_disk = value("grub-pc/install_devices").is_some_and(|value| !value.trim().is_empty());
    if knows_disk || value("grub-pc/install_devices_empty").as_deref() == Some("true") {
        return Ok(None);
    }
    Ok(Some(
        "its postinst asks on which disk the loader goes (debconf's grub-pc/install_devices, which the image \
         has no answer to), and nobody answers at first boot; take a hold on it (`hold: [grub-pc]`), or \
         answer with debconf-set-selections in the image"
            .to_owned(),
    ))
}

/// Why a package cannot be removed because the image starts by it, if so.
pub(super) fn refuses_removal(
    stage: &Stage<'_>,
    world: &World,
    package: &Package,
) -> Result<Option<String>, Error> {
    if LOADERS.contains(&package.name.as_str()) {
        return Ok(Some(format!("{} cannot be removed: the image starts by it", label(package))));
    }
    let list = stage.read_text(&info_file(package, world.info_format, "list"))?.unwrap_or_default();
    let own: Vec<&str> = list.lines().filter_map(kernel_version).collect();
    if own.is_empty() {
        return Ok(None);
    }
    let mut newest: Option<(Version, String)> = None;
    for entry in stage.list("/boot")? {
        let path = format!("/boot/{}", entry.name);
        let Some((version, text)) =
            kernel_version(&path).and_then(|text| Some((Version::parse(text).ok()?, text.to_owned())))
        else {
            continue;
        };
        if newest.as_ref().is_none_or(|(known, _)| version > *known) {
            newest = Some((version, text));
        }
    }
    let runs = newest.filter(|(_, text)| own.contains(&text.as_str()));
    Ok(runs.map(|(_, version)| {
        format!(
            "{} cannot be removed: the first boot runs its kernel {version}; remove it later, when another runs",
            label(package)
        )
    }))
}

fn kernel_version(path: &str) -> Option<&str> {
    path.strip_prefix("/boot/vmlinuz-").or_else(|| path.strip_prefix("/boot/vmlinux-"))
}
