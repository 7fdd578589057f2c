//! Images whose initramfs dracut has made: its own module `overlayfs-crypt` makes the encrypted overlay.
//!
//! Facts: modules.d/70overlayfs and 71overlayfs-crypt of dracut 112 (in dracut-ng since 111; Debian 13's 106 has no such
//! module): `rd.overlay.crypt=DEVICE[,mapname=,fstype=,mkfs=,timeout=]`. The module erases whatever is on a disk that is
//! no LUKS, asks at the console for the passphrase of one that is, and takes memory when anything fails. So two hooks of
//! ours stand around it, in the shell that sources all hooks of `pre-pivot`: the same guard as with overlayroot.

use hardtack_guest::bootloader::{self, Word};
use hardtack_guest::initramfs::{self, Archive, Entry, View};
use hardtack_guest::{Op, Set};

use super::script::{OVERLAY, OVERLAY_PATH};
use super::{Loads, MAPNAME, STEP, scan};
use crate::model::{OverlayMode, OverlayrootStep};
use crate::{Context, StepError};

/// What makes the encrypted overlay.
const LIBRARY: &str = "usr/lib/overlayfs-crypt-lib.sh";
/// The module's hook; where dracut keeps hooks changed with its version.
const HOOK: &str = "/pre-pivot/01-prepare-overlayfs-crypt.sh";
/// Our module for initramfs made later.
const MODULE: &str = "/usr/lib/dracut/modules.d/72hardtack-overlay";
const SETUP: &str = "\
#!/bin/bash
# Written by hardtack (step overlayroot): the encrypted overlay, its disk found and watched over.
check() { return 0; }
depends() { echo overlayfs-crypt; }
installkernel() { hostonly='' instmods nvme virtio_blk xen_blkfront ext4; }
install() {
\tinst_multiple cat ln mkdir readlink sleep
\tinst_simple \"$moddir/overlay\" /usr/lib/hardtack/overlay
\tinst_hook pre-pivot 00 \"$moddir/hardtack-before.sh\"
\tinst_hook pre-pivot 95 \"$moddir/hardtack-after.sh\"
}
";

/// The hook `00` or `95`.
fn hook(function: &str) -> String {
    format!(
        "#!/bin/sh\n# hardtack: around dracut's module overlayfs-crypt.\nrootmnt=\"$NEWROOT\"\nHARDTACK_OVERLAY=inside\n\
         . /{OVERLAY_PATH}\n[ ! -r \"$hardtack_conf\" ] || hardtack_dracut_{function} || :\n"
    )
}

const HOOKS: [(&str, &str, &str); 2] =
    [("00", "hardtack-before.sh", "before"), ("95", "hardtack-after.sh", "after")];

/// True for an initramfs of dracut's.
pub(super) fn made(view: &View) -> bool {
    [
        "usr/lib/dracut",
        "lib/dracut",
        "var/lib/dracut",
        "etc/initrd-release",
        "usr/lib/initrd-release",
        "usr/lib/dracut-functions.sh",
    ]
    .iter()
    .any(|path| view.resolve(path).is_some())
}

/// Gives each initramfs our hooks, and every boot entry the words that start the module.
///
/// # Errors
/// Settings that the module does not know; an initramfs without the module; an entry that cannot be edited.
pub(super) fn apply(
    settings: &OverlayrootStep,
    loads: &Loads,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    fits(settings)?;
    for initrds in loads.keys() {
        let name = initrds.join(" + ");
        let (view, length) = scan(cx.stage, initrds, &name)?;
        let archive = archive(&view, &name)?;
        if let (false, Some(last)) = (archive.is_empty(), initrds.last()) {
            cx.stage.set_group(Some((Op::Initramfs, last.clone())));
            let tail = initramfs::tail(length, view.last_compression(), &archive.finish());
            let done = cx.stage.append_bytes(last, tail);
            cx.stage.set_group(None);
            done?;
        }
    }
    cx.stage.write(&format!("{MODULE}/module-setup.sh"), SETUP, Set::mode(0o755))?;
    cx.stage.write(&format!("{MODULE}/overlay"), OVERLAY, Set::mode(0o644))?;
    for (_, file, function) in HOOKS {
        cx.stage.write(&format!("{MODULE}/{file}"), hook(function), Set::mode(0o755))?;
    }
    let word = Word::only("rd.overlay.crypt", &[&value(settings)]);
    let edited = bootloader::set_words(cx.stage, &[word], &[])?;
    match edited.refused.iter().find(|refused| refused.why.can_boot()) {
        Some(refused) => {
            Err(StepError::refused(STEP, format!("{refused}; it would boot without the overlay"))
                .hint("remove the entry, or use an image that boots by entries that can be edited"))
        }
        None => Ok(()),
    }
}

/// The value of `rd.overlay.crypt`. Our hook has waited already.
fn value(settings: &OverlayrootStep) -> String {
    let mut value = format!(
        "{},mapname={},timeout=0",
        settings.dev.as_deref().unwrap_or_default(),
        settings.mapname.as_deref().unwrap_or(MAPNAME)
    );
    if let Some(fstype) = &settings.fstype {
        value.push_str(&format!(",fstype={fstype}"));
    }
    value
}

fn fits(settings: &OverlayrootStep) -> Result<(), StepError> {
    if settings.mode != OverlayMode::Crypt {
        let what =
            format!("an initramfs made by dracut, and mode {} is overlayroot's", settings.mode.as_str());
        return Err(StepError::refused(STEP, what)
            .hint("use mode crypt, or an image whose initramfs is made by initramfs-tools"));
    }
    let unknown = [
        ("pass", settings.pass.is_some()),
        ("mkfs", settings.mkfs.is_some()),
        ("swap", settings.swap.is_some()),
        ("recurse", settings.recurse.is_some()),
        ("debug", settings.debug.is_some()),
        ("dir", settings.dir.is_some()),
        ("driver", settings.driver.is_some()),
    ];
    match unknown.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            let what = format!("an initramfs made by dracut, whose module overlayfs-crypt knows no {name}");
            Err(StepError::refused(STEP, what).hint(format!("leave {name} out")))
        }
        None => Ok(()),
    }
}

/// What one initramfs lacks.
fn archive(view: &View, name: &str) -> Result<Archive, StepError> {
    let library = view.text(LIBRARY).unwrap_or_default();
    let hooks = view.paths().find_map(|path| path.strip_suffix(HOOK));
    let (true, Some(hooks)) =
        (library.contains("wipefs -a ") && library.contains("cryptsetup luksFormat "), hooks)
    else {
        let what = format!("{name}: an initramfs made by dracut without its module overlayfs-crypt");
        return Err(StepError::refused(STEP, what).hint(
            "make it with dracut 111 or later and `dracut --force --add overlayfs-crypt`, or install in the image: \
             initramfs-tools, and make it with update-initramfs",
        ));
    };
    let mut archive = Archive::default();
    let mut put = |path: &str, mode, text: &str| {
        let (parent, _) = path.rsplit_once('/').unwrap_or_default();
        if view.text(path) == Some(text) {
            return;
        }
        if !view.is_directory(parent) {
            archive.add(parent, &Entry::Directory);
        }
        archive.add(path, &Entry::File { mode, content: text.as_bytes().to_vec() });
    };
    put(OVERLAY_PATH, 0o644, OVERLAY);
    for (number, file, function) in HOOKS {
        put(&format!("{hooks}/pre-pivot/{number}-{file}"), 0o755, &hook(function));
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_module_does_not_know_is_refused_by_name() {
        let crypt = || OverlayrootStep {
            mode: OverlayMode::Crypt,
            dev: Some("/dev/vdb".to_owned()),
            ..OverlayrootStep::default()
        };
        assert_eq!(value(&crypt()), "/dev/vdb,mapname=secure,timeout=0");
        let named =
            OverlayrootStep { mapname: Some("vault".to_owned()), fstype: Some("ext3".to_owned()), ..crypt() };
        assert_eq!(value(&named), "/dev/vdb,mapname=vault,timeout=0,fstype=ext3");
        fits(&named).unwrap();
        for (settings, word) in [
            (OverlayrootStep { swap: Some(true), ..crypt() }, "knows no swap"),
            (OverlayrootStep { dir: Some("/x".to_owned()), ..crypt() }, "knows no dir"),
            (OverlayrootStep::default(), "mode tmpfs"),
        ] {
            let error = fits(&settings).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_hooks_are_shell() {
        for text in [hook("before"), hook("after"), SETUP.to_owned()] {
            let output = std::process::Command::new("sh").args(["-n", "-c", &text]).output().unwrap();
            assert!(output.status.success(), "{text}");
        }
    }
}
