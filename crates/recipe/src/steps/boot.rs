//! The `boot` step: whether every entry that can be picked finds its disk and its network.
//!
//! It changes nothing. A kernel without the driver of its disk stops in the initramfs, or in a panic,
//! where no cloud shows anything but an instance that does not answer.

use std::collections::{BTreeMap, BTreeSet};

use hardtack_guest::Stage;
use hardtack_guest::bootloader::{self, BootEntry};
use hardtack_guest::initramfs::{self, Kind, Limits, View};
use hardtack_guest::kmod::{Modules, module_name};

use super::overlayroot;
use crate::model::BootStep;
use crate::model::boot::Driver;
use crate::{Context, StepError};

const STEP: &str = "boot";
/// An initrd is read up to this many bytes.
const INITRD_LIMIT: u64 = 1 << 30;

/// Refuses an image with an entry that does not find what `settings` names.
///
/// # Errors
/// The entries, and what each lacks.
pub fn apply(settings: &BootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let boot = bootloader::read(cx.stage)?;
    if let Some(image) = boot.unified.first().or(boot.embedded.first()) {
        return Err(StepError::refused(
            STEP,
            format!("{image}: kernel, initramfs or menu are part of a program, which is not looked into"),
        )
        .hint("leave the step out for this image"));
    }
    let mut same: BTreeMap<(&str, &[String]), Vec<&BootEntry>> = BTreeMap::new();
    for entry in &boot.entries {
        match &entry.kernel {
            Some(kernel) => same.entry((kernel, &entry.initrds)).or_default().push(entry),
            None => {
                let what = format!("{}: its kernel {} is not in the image", entry.origin, entry.kernel_name);
                cx.warn(STEP, what);
            }
        }
    }
    if same.is_empty() {
        return Err(StepError::refused(STEP, "the image has no boot entry whose kernel is there"));
    }
    let mut faults = Vec::new();
    for ((kernel, initrds), entries) in same {
        let lacking = lacking(settings, cx.stage, kernel, initrds)?;
        if lacking.is_empty() && entries.iter().all(|entry| entry.missing.is_empty()) {
            continue;
        }
        let Some(first) = entries.first() else { continue };
        let title = if first.title.is_empty() { String::new() } else { format!(" ({})", first.title) };
        let more = match entries.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        let with = match (initrds, first.missing.as_slice()) {
            ([], []) => "without an initramfs".to_owned(),
            (_, [missing, ..]) => format!("with {missing}, which the image does not have"),
            (initrds, []) => format!("with {}", initrds.join(" + ")),
        };
        let what = match lacking.as_slice() {
            [] => String::new(),
            lacking => format!(": {}", lacking.join(", ")),
        };
        faults.push(format!("{}{title}{more} boots {kernel} {with}{what}", first.origin));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(StepError::refused(STEP, faults.join("; ")).hint(
        "install a kernel that has the drivers, or name them in /etc/initramfs-tools/modules and run update-initramfs in the image",
    ))
}

/// What a kernel with these initramfs files does not find, in words.
fn lacking(
    settings: &BootStep,
    stage: &Stage<'_>,
    kernel: &str,
    initrds: &[String],
) -> Result<Vec<String>, StepError> {
    let view = scan(stage, initrds)?;
    let version = overlayroot::version(stage, &view, &[kernel.to_owned()])?;
    let Some(version) = version else {
        return Ok(vec!["of which version it is cannot be told".to_owned()]);
    };
    let modules = overlayroot::modules(stage, &view, &version)?;
    if modules.is_empty() {
        return Ok(vec![format!(
            "what is built into it cannot be told (no modules.builtin or modules.dep in /lib/modules/{version})"
        )]);
    }
    let is_module = |name: &str| name.ends_with(".ko") || name.contains(".ko.");
    let present: BTreeSet<String> = view
        .below(&format!("lib/modules/{version}"))
        .filter(|(name, node)| matches!(node.kind, Kind::File(_)) && is_module(name))
        .map(|(name, _)| module_name(name))
        .collect();
    let mut lacking = Vec::new();
    for driver in &settings.check {
        for group in driver.modules() {
            let mut found = false;
            for name in *group {
                found |= early(&modules, &present, name)
                    || driver.comes_later() && in_root(stage, &modules, &version, name)?;
            }
            if !found {
                lacking.push(tell(*driver, group));
            }
        }
    }
    Ok(lacking)
}

fn tell(driver: Driver, group: &[&str]) -> String {
    let name = group.join(" or ");
    let place =
        if driver.comes_later() { "the kernel, initramfs or root" } else { "the kernel or initramfs" };
    let of = if name.replace('_', "-") == driver.as_str() {
        String::new()
    } else {
        format!(" (for {})", driver.as_str())
    };
    format!("no {name}{of} in {place}")
}

/// Built in, or loadable by what is in the initramfs.
fn early(modules: &Modules, present: &BTreeSet<String>, name: &str) -> bool {
    let there = |name: &str| modules.is_builtin(name) || present.contains(&module_name(name));
    there(name) && modules.needs(name).iter().all(|need| there(need))
}

fn in_root(stage: &Stage<'_>, modules: &Modules, version: &str, name: &str) -> Result<bool, StepError> {
    let mut all = vec![name.to_owned()];
    all.extend(modules.needs(name).iter().cloned());
    for name in all {
        let there = match modules.path(&name) {
            Some(path) if path.starts_with('/') => stage.stat(path)?.is_some(),
            Some(path) => stage.stat(&format!("/lib/modules/{version}/{path}"))?.is_some(),
            None => modules.is_builtin(&name),
        };
        if !there {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of one entry as the kernel gets them: each filled up to four bytes.
fn scan(stage: &Stage<'_>, initrds: &[String]) -> Result<View, StepError> {
    if initrds.is_empty() {
        return Ok(View::default());
    }
    let mut bytes = Vec::new();
    for path in initrds {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(stage.read_limited(path, INITRD_LIMIT)?.unwrap_or_default());
    }
    let keep = |path: &str| {
        ["/modules.dep", "/modules.builtin", "/modules.softdep"].iter().any(|name| path.ends_with(name))
    };
    initramfs::scan(&bytes, Limits::default(), &keep)
        .map_err(|error| StepError::refused(STEP, format!("{}: {error}", initrds.join(" + "))))
}

#[cfg(test)]
mod tests;
