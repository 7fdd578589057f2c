//! Packages that the first boot finishes, below an overlay: what it writes lands above the image.

use hardtack_credentials::PackagesConfig;
use hardtack_guest::dpkg::boot;

use super::STEP;
use crate::model::{OverlayMode, OverlayrootStep};
use crate::{Context, StepError};

/// Refuses a kernel or boot loader that the machine would never start by, and tells what is done again at each boot.
pub(super) fn check(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(packages) = cx.agent.packages.clone() else { return Ok(()) };
    let names = names(&packages);
    let starting: Vec<&str> = names.iter().filter(|name| boot::starts(name)).map(String::as_str).collect();
    if !starting.is_empty() {
        let text = format!(
            "{} would be finished at first boot, in the overlay, where no boot loader finds it: {}",
            if starting.len() == 1 {
                "a package that starts the machine"
            } else {
                "packages that start the machine"
            },
            starting.join(", ")
        );
        return Err(StepError::refused(STEP, text)
            .hint("take a hold on it (`hold` in step `packages`), or begin with an image that has it"));
    }
    let fleeting = match settings.mode {
        OverlayMode::Tmpfs => true,
        OverlayMode::Crypt => settings.pass.is_none(),
        OverlayMode::Device => false,
    };
    if fleeting && !names.is_empty() {
        cx.warn(
            STEP,
            format!(
                "the overlay forgets what the first boot finishes, so every boot finishes it anew: {}",
                names.join(", ")
            ),
        );
    }
    Ok(())
}

/// All packages that wait, by name.
fn names(packages: &PackagesConfig) -> Vec<String> {
    // A file that waits is called NAME_VERSION_ARCHITECTURE.deb.
    let files = packages.install.iter().map(|file| file.split('_').next().unwrap_or(file));
    let rest = packages.configure.iter().chain(&packages.remove).chain(&packages.purge);
    let mut names: Vec<String> =
        files.chain(rest.map(|name| name.split(':').next().unwrap_or(name))).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hardtack_guest::{MemoryTree, Stage};

    use super::*;

    fn checked(mode: OverlayMode, install: &[&str], configure: &[&str]) -> Result<String, String> {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let tree = MemoryTree::new();
        let mut stage = Stage::new(&tree);
        let packages =
            PackagesConfig { install: all(install), configure: all(configure), ..PackagesConfig::default() };
        let mut cx = Context::for_tests(&mut stage);
        cx.agent.packages = Some(packages);
        let settings = OverlayrootStep { mode, ..OverlayrootStep::default() };
        match check(&settings, &mut cx) {
            Ok(()) => Ok(cx.notes.iter().map(|note| note.text.clone()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_no_boot_finds_is_refused_and_what_none_keeps_is_told() {
        let kernel = "linux-image-6.1.0-9-cloud-amd64_6.1.0-1_amd64.deb";
        for mode in [OverlayMode::Crypt, OverlayMode::Device, OverlayMode::Tmpfs] {
            let refused = checked(mode, &[kernel], &["nftables"]).unwrap_err();
            assert!(refused.contains("linux-image-6.1.0-9-cloud-amd64"), "{refused}");
            assert!(checked(mode, &[], &["grub-pc"]).is_err());
            // What the step itself needs may come with the recipe.
            checked(mode, &["overlayroot_0.47-1_all.deb"], &["busybox"]).unwrap();
        }
        let told = checked(OverlayMode::Tmpfs, &["chrony_4.3-2_amd64.deb"], &["libx:amd64"]).unwrap();
        assert!(told.contains("every boot finishes it anew: chrony, libx"), "{told}");
        assert_eq!(checked(OverlayMode::Device, &[], &["nftables"]).unwrap(), "");
        assert_eq!(checked(OverlayMode::Crypt, &[], &[]).unwrap(), "");
    }
}
