//! The `overlayroot` step: the configuration, and an initramfs that can do what it says.
//!
//! Debian's initramfs cannot make an encrypted overlay as it is (see `script` and `needs`), and a
//! failing overlayroot does not stop the boot. So the step looks into every initramfs that the boot
//! loader can pick; what is missing there and can be had from the image's own files goes into an
//! archive behind it, and a hook does the same for those made later.

mod config;
mod deferred;
mod dracut;
mod guard;
mod hook;
mod needs;
mod script;
mod supply;

use std::collections::BTreeMap;

use hardtack_credentials::OverlayConfig;
use hardtack_guest::bootloader::{self, Boot, BootEntry};
use hardtack_guest::initramfs::{self, Limits, View};
use hardtack_guest::kmod::Modules;
use hardtack_guest::{Op, Set, Stage};

use crate::model::{OverlayMode, OverlayrootStep};
use crate::{Context, Note, StepError, Weight};
use needs::{Subject, Wants};

const STEP: &str = "overlayroot";
const LOCAL: &str = "/etc/overlayroot.local.conf";
const MAIN: &str = "/etc/overlayroot.conf";
/// Has the root remounted by the old interface.
const REMOUNT: &str = "/etc/systemd/system/systemd-remount-fs.service.d/hardtack-overlayroot.conf";
const REMOUNT_TEXT: &str = "\
# The overlay's fstab line names its layers, and a remount by the new interface refuses them.
[Service]
Environment=LIBMOUNT_FORCE_MOUNT2=always
";
const CLOUD: &str = "/etc/cloud/cloud.cfg.d/96-hardtack-overlayroot.cfg";
/// An initrd is read up to this many bytes; Ubuntu's with all firmware has 70 MiB packed.
const INITRD_LIMIT: u64 = 1 << 30;
/// The grammar's default.
const MAPNAME: &str = "secure";

/// Writes the configuration and makes sure that every initramfs can follow it.
///
/// # Errors
/// Settings that contradict each other; an image in which it cannot work.
pub fn apply(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let value = config::value(settings).map_err(|what| StepError::usage(STEP, what))?;
    if let Some(pass) = &settings.pass {
        cx.stage.add_secret(pass.reveal());
        cx.stage.add_secret(&config::escape(pass.reveal()));
    }
    for path in [MAIN, LOCAL] {
        let text = cx.stage.read_text(path)?.unwrap_or_default();
        for pass in config::passphrases(&text) {
            cx.stage.add_secret(pass);
        }
    }
    let wants = wants(settings);
    give_initrds(cx)?;
    let boot = bootloader::read(cx.stage)?;
    let loads = loads(cx.stage, &boot, &value)?;
    if is_dracut_s(&loads, cx)? {
        dracut::apply(settings, &loads, cx)?;
    } else {
        let knows_local = fix_initramfs(&loads, &wants, cx)?;
        write_configuration(settings, &value, knows_local, cx)?;
    }
    fstab(settings, cx)?;
    guard::write(settings, cx)?;
    cloud_init(settings, cx)?;
    remount(cx)?;
    deferred::check(settings, cx)?;
    notes(settings, cx);
    cx.agent.overlay = Some(OverlayConfig {
        mode: settings.mode.as_str().to_owned(),
        device: settings.dev.clone(),
        on_failure: settings.on_failure.map(|rule| rule.as_str().to_owned()).unwrap_or_default(),
        mapname: settings.mapname.clone().unwrap_or_else(|| MAPNAME.to_owned()),
        random_key: settings.mode == OverlayMode::Crypt && settings.pass.is_none(),
    });
    Ok(())
}

fn wants(settings: &OverlayrootStep) -> Wants {
    let crypt = settings.mode == OverlayMode::Crypt;
    let driver = settings.driver.as_deref().filter(|driver| *driver != "auto");
    let union = match driver {
        Some(driver) => vec![driver.to_owned()],
        None => vec!["overlay".to_owned(), "overlayfs".to_owned()],
    };
    let mut modules = vec![union];
    let mut drivers: Vec<&str> = Vec::new();
    if crypt {
        modules.extend(
            needs::CRYPT_MODULES.iter().map(|group| group.iter().map(|name| (*name).to_owned()).collect()),
        );
        // ext2 and ext3 are mounted by the same driver.
        drivers.push("ext4");
    }
    let name = settings.dev.as_deref().unwrap_or_default().trim_start_matches("/dev/");
    if settings.find.is_some() {
        drivers.extend(["nvme", "xen_blkfront", "virtio_pci", "virtio_blk"]);
    }
    for (prefix, modules) in [
        ("vd", &["virtio_pci", "virtio_blk"][..]),
        ("xvd", &["xen_blkfront"]),
        ("sd", &["sd_mod"]),
        ("nvme", &["nvme"]),
    ] {
        if name.starts_with(prefix) {
            drivers.extend(modules);
        }
    }
    Wants {
        crypt,
        random_key: settings.pass.is_none(),
        // After opening the encrypted disk the script waits, whatever the timeout is.
        wait: settings.mode != OverlayMode::Tmpfs && (settings.timeout > 0 || settings.pass.is_some()),
        guard: guard::is_wanted(settings),
        modules,
        drivers: drivers.into_iter().map(str::to_owned).collect(),
    }
}

/// The files that one boot entry hands to the kernel, with the names of the kernels.
type Loads = BTreeMap<Vec<String>, Vec<String>>;

/// An entry without an initramfs boots without the overlay: where its kernel has one, it gets that.
fn give_initrds(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let root = cx.facts.root_uuid.as_ref().map(|uuid| format!("UUID={uuid}"));
    let given = bootloader::give_initrds(cx.stage, root.as_deref())?;
    if !given.is_empty() {
        let list = given.join(", ");
        cx.info(STEP, format!("{list}: boots with the initramfs of its kernel, which sets up the overlay"));
    }
    Ok(())
}

/// What can be booted, checked for entries that would boot without the overlay.
fn loads(stage: &Stage<'_>, boot: &Boot, value: &str) -> Result<Loads, StepError> {
    if let Some(image) = boot.unified.first() {
        return Err(StepError::refused(
            STEP,
            format!("{image} is a unified kernel image; its initramfs cannot be looked into or added to"),
        )
        .hint("use an image that boots a kernel and an initramfs of initramfs-tools"));
    }
    let mut loads = Loads::new();
    // An entry whose kernel is not there cannot boot at all.
    for entry in boot.entries.iter().filter(|entry| entry.kernel.is_some()) {
        check_entry(entry, value)?;
        let kernels = loads.entry(entry.initrds.clone()).or_default();
        kernels.extend(entry.kernel.clone().filter(|kernel| !kernels.contains(kernel)));
    }
    if let Some(cmdline) = stage.read_text("/etc/kernel/cmdline")? {
        check_options("/etc/kernel/cmdline", &cmdline, value)?;
    }
    if loads.is_empty() {
        for entry in stage.list("/boot")? {
            if entry.name.starts_with("initrd.img-")
                && !entry.name.ends_with(".old")
                && !entry.name.ends_with(".bak")
            {
                let path = stage.resolve(&format!("/boot/{}", entry.name))?.as_str().to_owned();
                let kernel = path.replacen("initrd.img-", "vmlinuz-", 1);
                loads.insert(vec![path], vec![kernel]);
            }
        }
    }
    if loads.is_empty() {
        let looked = if boot.configurations.is_empty() {
            "no boot loader configuration".to_owned()
        } else {
            format!("no bootable entry in {}", boot.configurations.join(", "))
        };
        return Err(StepError::refused(
            STEP,
            format!("{looked} and no /boot/initrd.img-*: no initramfs that could set up the overlay"),
        )
        .hint("install in the image: initramfs-tools and a kernel"));
    }
    Ok(loads)
}

fn check_entry(entry: &BootEntry, value: &str) -> Result<(), StepError> {
    let title = if entry.title.is_empty() { String::new() } else { format!(" (\"{}\")", entry.title) };
    if let Some(missing) = entry.missing.first() {
        return Err(StepError::refused(
            STEP,
            format!(
                "{}{title}: boots {} with {missing}, which the image does not have",
                entry.origin, entry.kernel_name
            ),
        )
        .hint("run update-initramfs and update-grub in the image"));
    }
    if entry.initrds.is_empty() {
        return Err(StepError::refused(
            STEP,
            format!("{}{title}: boots {} without an initramfs, so without the overlay", entry.origin, entry.kernel_name),
        )
        .hint("give the entry an initramfs (on Ubuntu: remove GRUB_FORCE_PARTUUID from /etc/default/grub.d and run update-grub)"));
    }
    check_options(&entry.origin, &entry.options, value)
}

/// The kernel command line overrules the configuration files.
fn check_options(origin: &str, options: &str, value: &str) -> Result<(), StepError> {
    for option in options.split_whitespace() {
        let other = match option.split_once('=') {
            Some(("overlayroot", other)) => other.trim_matches(['"', '\'']) != value,
            Some(("overlayroot_cfgdisk", disk)) => disk != "disabled",
            _ => false,
        };
        if other {
            // The value may hold a passphrase.
            let name = option.split('=').next().unwrap_or_default();
            return Err(StepError::refused(
                STEP,
                format!(
                    "{origin}: the kernel command line sets {name}, which overrules the configuration file"
                ),
            )
            .hint(format!("remove {name} from the boot loader's configuration")));
        }
    }
    Ok(())
}

/// Adds to each initramfs what it lacks; true when all of their scripts know the local
/// configuration file.
fn fix_initramfs(loads: &Loads, wants: &Wants, cx: &mut Context<'_, '_>) -> Result<bool, StepError> {
    let mut knows_local = true;
    let mut added = false;
    let mut absent: BTreeMap<supply::Absent, String> = BTreeMap::new();
    for (initrds, kernels) in loads {
        let name = initrds.join(" + ");
        let (view, length) = scan(cx.stage, initrds, &name)?;
        check_maker(&view, &name)?;
        let version = version(cx.stage, &view, kernels)?;
        let modules = match &version {
            Some(version) => modules(cx.stage, &view, version)?,
            None => Modules::default(),
        };
        let subject = Subject { view: &view, version: version.as_deref(), modules: &modules };
        let missing = subject.missing(wants);
        let supplied = supply::supply(cx.stage, &subject, wants, &missing)?;
        knows_local &= match view.text(needs::SCRIPT) {
            Some(text) => text.contains("overlayroot.local.conf"),
            None => image_script(cx.stage)?.is_none_or(|text| text.contains("overlayroot.local.conf")),
        };
        if !supplied.absent.is_empty() {
            for item in supplied.absent {
                absent.entry(item).or_insert_with(|| name.clone());
            }
            continue;
        }
        if missing.is_empty() || supplied.archive.is_empty() {
            continue;
        }
        added = true;
        if let Some(last) = initrds.last() {
            cx.stage.set_group(Some((Op::Initramfs, last.clone())));
            let tail = initramfs::tail(length, view.last_compression(), &supplied.archive);
            let done = cx.stage.append_bytes(last, tail);
            cx.stage.set_group(None);
            done?;
        }
        let list: Vec<String> = missing.iter().map(needs::Missing::describe).collect();
        cx.info(STEP, format!("{name}: added from the image's own files: {}", list.join(", ")));
    }
    if !absent.is_empty() {
        return Err(refuse_absent(&absent));
    }
    if added || cx.stage.stat(hook::PATH)?.is_some() {
        cx.stage.write(hook::PATH, hook::text(wants), Set::mode(0o755))?;
    }
    Ok(knows_local)
}

fn refuse_absent(absent: &BTreeMap<supply::Absent, String>) -> StepError {
    let mut whats: Vec<String> = Vec::new();
    let mut packages: Vec<&str> = Vec::new();
    for (item, initrd) in absent {
        whats.push(format!("{} (for {initrd})", item.what));
        if !packages.contains(&item.package.as_str()) {
            packages.push(&item.package);
        }
    }
    StepError::refused(STEP, format!("missing in the initramfs and in the image: {}", whats.join("; "))).hint(
        format!(
            "the image needs these Debian packages: {} (installed there, or given to the packages step)",
            packages.join(", ")
        ),
    )
}

/// Reads the initrds of one entry as the kernel gets them: each filled up to four bytes.
fn scan(stage: &Stage<'_>, initrds: &[String], name: &str) -> Result<(View, u64), StepError> {
    let mut bytes = Vec::new();
    for path in initrds {
        while !bytes.len().is_multiple_of(4) {
            bytes.push(0);
        }
        bytes.extend(stage.read_limited(path, INITRD_LIMIT)?.unwrap_or_default());
    }
    let keep = |path: &str| {
        path.starts_with("scripts/init-bottom/")
            || path.ends_with("/modules.dep")
            || path.ends_with("/modules.builtin")
            || path.ends_with("/modules.softdep")
            || path.ends_with("hardtack/overlay")
            || path.ends_with("/overlayfs-crypt-lib.sh")
            || path.contains("/pre-pivot/")
    };
    let view = initramfs::scan(&bytes, Limits::default(), &keep)
        .map_err(|error| StepError::refused(STEP, format!("{name}: {error}")))?;
    Ok((view, bytes.len() as u64))
}

/// Whether dracut has made what the boot loader can pick. An image with overlayroot's script is not asked: its
/// initramfs are read once.
fn is_dracut_s(loads: &Loads, cx: &Context<'_, '_>) -> Result<bool, StepError> {
    let Some(first) = loads.keys().next() else { return Ok(false) };
    if image_script(cx.stage)?.is_some_and(|text| !text.trim().is_empty()) {
        return Ok(false);
    }
    Ok(dracut::made(&scan(cx.stage, first, &first.join(" + "))?.0))
}

/// Only initramfs-tools runs overlayroot's script.
fn check_maker(view: &View, name: &str) -> Result<(), StepError> {
    let maker = if dracut::made(view) {
        "made by dracut, and the image has the package overlayroot, which does not work with it"
    } else if view.file("scripts/functions").is_none() {
        "not made by initramfs-tools, the only one that runs overlayroot"
    } else {
        return Ok(());
    };
    Err(StepError::refused(STEP, format!("{name}: an initramfs {maker}"))
        .hint("install in the image: initramfs-tools, and make the initramfs with update-initramfs"))
}

/// The version of the kernel that an initramfs is for.
pub(super) fn version(
    stage: &Stage<'_>,
    view: &View,
    kernels: &[String],
) -> Result<Option<String>, StepError> {
    let named = kernels.iter().find_map(|path| {
        let name = path.rsplit('/').next()?;
        ["vmlinuz-", "vmlinux-", "kernel-", "Image-"].iter().find_map(|prefix| name.strip_prefix(prefix))
    });
    if let Some(named) = named {
        return Ok(Some(named.to_owned()));
    }
    let mut inside: Vec<&str> =
        view.below("lib/modules").filter_map(|(name, _)| name.split('/').next()).collect();
    inside.dedup();
    if let [version] = inside[..] {
        return Ok(Some(version.to_owned()));
    }
    let mut installed = stage.list("/lib/modules")?;
    Ok(if installed.len() == 1 { installed.pop().map(|entry| entry.name) } else { None })
}

/// The modules of a version, from the image, or from the initramfs where the image has none.
pub(super) fn modules(stage: &Stage<'_>, view: &View, version: &str) -> Result<Modules, StepError> {
    let modules = Modules::read(stage, version)?;
    if !modules.is_empty() {
        return Ok(modules);
    }
    let text = |name: &str| view.text(&format!("lib/modules/{version}/{name}")).unwrap_or_default();
    Ok(Modules::parse(text("modules.dep"), text("modules.builtin"), text("modules.softdep")))
}

fn image_script(stage: &Stage<'_>) -> Result<Option<String>, StepError> {
    for path in supply::IMAGE_SCRIPTS {
        if let Some(text) = stage.read_text(path)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn write_configuration(
    settings: &OverlayrootStep,
    value: &str,
    knows_local: bool,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let path = if knows_local { LOCAL } else { MAIN };
    let mut disk = false;
    for path in [MAIN, LOCAL] {
        disk |= cx.stage.read_text(path)?.is_some_and(|text| config::uses_disk(&text));
    }
    if disk {
        cx.warn(
            STEP,
            "overlayroot_cfgdisk was set and is switched off: a disk of that name would overrule this recipe",
        );
    }
    let heading = "# Written by hardtack (step overlayroot).\n";
    let existing = cx.stage.read_text(path)?;
    // Once switched off it stays so: the line is ours.
    let text = config::edit(existing.as_deref(), &config::line(value), heading, disk);
    let set = if settings.pass.is_some() { Set::mode(0o600) } else { Set::default() };
    cx.stage.write(path, text, set)?;
    Ok(())
}

/// True when an fstab field names the overlay's disk or a partition of it.
fn is_disk(field: &str, dev: &str) -> bool {
    let field = field.replace(['"', '\''], "");
    if field == dev {
        return true;
    }
    let Some(rest) = field.strip_prefix(dev) else { return false };
    let partition =
        if dev.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p').unwrap_or("") } else { rest };
    dev.starts_with("/dev/") && !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit())
}

/// Refuses an fstab that mounts the same disk; cloud-init's own lines there go.
fn fstab(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    let Some(dev) = &settings.dev else { return Ok(()) };
    let Some(text) = cx.stage.read_text("/etc/fstab")? else { return Ok(()) };
    let mut kept = String::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields.first().is_some_and(|field| !field.starts_with('#') && is_disk(field, dev));
        if ours
            && fields
                .get(3)
                .is_some_and(|options| options.split(',').any(|option| option == "comment=cloudconfig"))
        {
            continue;
        }
        if ours {
            let place = fields.get(1).copied().unwrap_or_default();
            return Err(StepError::refused(
                STEP,
                format!(
                    "/etc/fstab:{}: mounts {} on {place}, the disk that the overlay is to use",
                    index + 1,
                    fields[0]
                ),
            )
            .hint("remove the line, or give overlayroot another disk"));
        }
        kept.push_str(line);
    }
    if kept != text {
        cx.stage.write("/etc/fstab", kept, Set::default())?;
    }
    Ok(())
}

/// overlayroot makes the root read-only again when the kernel's command line has `ro`, and writes an
/// fstab line for it that names the layers. Remounting by that line fails with the new mount
/// interface, which util-linux uses since 2.39: overlayfs refuses to be told its layers again ("No
/// changes allowed in reconfigure", fs/overlayfs/params.c), and the root stays read-only (seen on
/// Debian 13). By the old interface it ignores them, as it always did.
fn remount(cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    for directory in ["/usr/lib/systemd/system", "/lib/systemd/system"] {
        if cx.stage.stat(&format!("{directory}/systemd-remount-fs.service"))?.is_some() {
            cx.stage.write(REMOUNT, REMOUNT_TEXT, Set::default())?;
            return Ok(());
        }
    }
    Ok(())
}

/// Without this, cloud-init formats and mounts the first extra disk.
fn cloud_init(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if settings.dev.is_some() && cx.stage.stat("/etc/cloud/cloud.cfg")?.is_some() {
        let text = "# Written by hardtack: overlayroot uses the extra disk.\nmounts: [[ephemeral0, null]]\n";
        cx.stage.write(CLOUD, text, Set::default())?;
    }
    Ok(())
}

fn notes(settings: &OverlayrootStep, cx: &mut Context<'_, '_>) {
    let dev = &settings
        .find
        .as_ref()
        .map_or_else(|| settings.dev.clone().unwrap_or_default(), |find| find.describe());
    match (settings.mode, &settings.pass) {
        (OverlayMode::Crypt, None) => {
            let rule = if settings.wipe { "" } else { " (REFUSED WHERE IT HOLDS SOMETHING ELSE)" };
            capital(cx, format!("{dev} IS ERASED AT EVERY BOOT{rule}"));
            cx.warn(
                STEP,
                "random key: everything above the image, enrolment and SSH host keys too, is new at each boot",
            );
        }
        (OverlayMode::Crypt, Some(_)) => {
            if settings.mkfs.is_none_or(|mkfs| mkfs == 1) {
                capital(
                    cx,
                    format!("{dev} IS ERASED AT EVERY BOOT AT WHICH THE PASSPHRASE DOES NOT OPEN IT"),
                );
            }
            cx.warn(
                STEP,
                "the passphrase lies in clear on the lower disk: whoever reads the image reads the overlay",
            );
        }
        (OverlayMode::Tmpfs, _) => {
            cx.warn(STEP, "what is written lies in memory: everything above the image, enrolment and SSH host keys too, is new at each boot");
        }
        (OverlayMode::Device, _) => {
            cx.info(
                STEP,
                format!("{dev} must hold a file system already; overlayroot makes none in this mode"),
            );
        }
    }
    if settings.mode == OverlayMode::Crypt {
        cx.info(STEP, "/boot, the kernel, the initramfs and the image below stay in clear");
    }
}

/// A note in capitals that keeps the name of the disk as it is.
fn capital(cx: &mut Context<'_, '_>, text: String) {
    let note = Note { weight: Weight::Capital, step: STEP, text, shown: None };
    if !cx.notes.contains(&note) {
        cx.notes.push(note);
    }
}

#[cfg(test)]
mod tests;
