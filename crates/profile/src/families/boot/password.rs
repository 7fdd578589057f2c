//! The password of GRUB's menu. Every entry that starts Linux is `--unrestricted`: it boots by itself, and only changing it,
//! the shell of GRUB, and the firmware's settings ask. A machine in a cloud that waits for a password at boot is dead.
//!
//! GRUB's scripts in /etc/grub.d write the menu again with every kernel: they are edited the same way. RHEL's keep the
//! hash in a file of its own, and its entries say whether they are restricted themselves.

use std::collections::BTreeSet;

use hardtack_guest::{FileType, Set, Stage};
use hardtack_report::Place;

use crate::bench::root;
use crate::merged::{names, text};
use crate::{Bench, Error, Finding, Measure, View};

const DIRECTORIES: [&str; 2] = ["/boot/grub", "/boot/grub2"];
const SCRIPTS: &str = "/etc/grub.d";
const SCRIPT: &str = "/etc/grub.d/01_hardtack";
const RHEL: &str = "/boot/grub2/user.cfg";
const ENTRIES: &str = "/boot/loader/entries";
const RHEL_KEY: &str = "GRUB2_PASSWORD=";
const OPEN: &str = "--unrestricted";
const BLS_OPEN: &str = "grub_arg --unrestricted";

/// The menu has a password, and boots without.
pub(super) struct Password;

impl Measure for Password {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(hash) = bench.settings.boot_password.clone() else { return Ok(()) };
        if !is_hash(&hash) {
            return Err(Error::Refused {
                rule: "boot-password",
                what: "the boot menu's password is no hash of GRUB's".to_owned(),
                hint: "give what grub-mkpasswd-pbkdf2 prints, from grub.pbkdf2.sha512 on".to_owned(),
            });
        }
        bench.stage.add_secret(&hash);
        if menus(bench.stage)?.is_empty() {
            return Ok(());
        }
        if reads_user_cfg(bench.stage)? {
            crate::conffile::edit(bench.stage, RHEL, format!("{RHEL_KEY}{hash}\n"), root(0o600))?;
        } else {
            bench.file(SCRIPT, 0o700, script(&hash));
        }
        for path in scripts(bench.stage)? {
            edit(
                bench.stage,
                &path,
                |old| if copies(old).is_some() { opened(old) } else { opened_script(old) },
            )?;
        }
        for path in menus(bench.stage)? {
            let main = path.ends_with("/grub.cfg") && !reads_user_cfg(bench.stage)?;
            edit(bench.stage, &path, |old| {
                let old = opened(old);
                if main { with_section(&old, &hash) } else { old }
            })?;
        }
        for path in entries(bench.stage)? {
            edit(bench.stage, &path, |old| {
                let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
                if is_open(old) { old.to_owned() } else { format!("{old}{gap}{BLS_OPEN}\n") }
            })?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let menus = menus(view.stage)?;
        let Some(main) = menus.first() else {
            return Ok(Finding::NotApplicable("the image has no menu of GRUB".to_owned()));
        };
        let mut guarded = reads_user_cfg(view.stage)?
            && text(view.stage, RHEL).is_some_and(|text| text.lines().any(|line| line.starts_with(RHEL_KEY)));
        let mut faults = Vec::new();
        for path in &menus {
            let text = text(view.stage, path).unwrap_or_default();
            guarded |= has_password(&text);
            for line in restricted(&text) {
                let place = Place { path: path.clone(), line: Some(line + 1) };
                faults.push((place, "this entry would wait for the menu's password at boot".to_owned()));
            }
        }
        if !guarded {
            return Ok(match view.settings.boot_password {
                Some(_) => Finding::fail_at(main, "the menu has no password"),
                None => Finding::Exception(
                    "nobody sits at the console of a machine in a cloud, and no hash of a password is given"
                        .to_owned(),
                ),
            });
        }
        for path in entries(view.stage)? {
            if !text(view.stage, &path).is_some_and(|text| is_open(&text)) {
                let what =
                    format!("this entry would wait for the menu's password at boot: no \"{BLS_OPEN}\"");
                faults.push((Place::file(path), what));
            }
        }
        for path in scripts(view.stage)? {
            let old = text(view.stage, &path).unwrap_or_default();
            let new = if copies(&old).is_some() { opened(&old) } else { opened_script(&old) };
            if new != old {
                faults.push((
                    Place::file(path),
                    "entries of the next kernel would wait for the password".to_owned(),
                ));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// `grub.pbkdf2.sha512.COUNT.SALT.HASH`, in hexadecimal digits.
fn is_hash(hash: &str) -> bool {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(rest) = hash.strip_prefix("grub.pbkdf2.sha512.") else { return false };
    let parts: Vec<&str> = rest.split('.').collect();
    matches!(parts[..], [count, salt, sum]
        if count.parse::<u32>().is_ok_and(|count| count > 0) && is_hex(salt) && is_hex(sum) && hash.len() < 1024)
}

fn lines(hash: &str) -> String {
    format!("set superusers=\"root\"\nexport superusers\npassword_pbkdf2 root {hash}\n")
}

fn script(hash: &str) -> String {
    format!(
        "#!/bin/sh\n# Made by hardtack for a hardening profile: changing the boot menu asks for a password.\n\
         cat <<'EOF'\n{}EOF\n",
        lines(hash)
    )
}

/// The menus that the image has; the main one of a directory first.
fn menus(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for directory in DIRECTORIES {
        for name in ["grub.cfg", "custom.cfg"] {
            let path = format!("{directory}/{name}");
            let main = format!("{directory}/grub.cfg");
            let is_file = |path: &str| -> Result<bool, Error> {
                Ok(stage.stat(path)?.is_some_and(|there| there.kind == FileType::Regular))
            };
            // A menu without main one is read by nobody.
            if is_file(&path)? && is_file(&main)? {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// RHEL's menu reads the hash from a file beside it.
fn reads_user_cfg(stage: &Stage<'_>) -> Result<bool, Error> {
    let menu = text(stage, "/boot/grub2/grub.cfg").unwrap_or_default();
    Ok(menu.contains("/user.cfg") && menu.contains("GRUB2_PASSWORD"))
}

/// Entries of the boot loader specification, which a menu with `blscfg` shows.
fn entries(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let shown = menus(stage)?.iter().any(|path| {
        text(stage, path).is_some_and(|text| text.lines().any(|line| line.trim().starts_with("blscfg")))
    });
    if !shown {
        return Ok(Vec::new());
    }
    let names = names(stage, ENTRIES)?.into_iter().filter(|name| name.ends_with(".conf"));
    Ok(names.map(|name| format!("{ENTRIES}/{name}")).collect())
}

fn is_open(entry: &str) -> bool {
    entry.lines().any(|line| line.split_whitespace().eq(BLS_OPEN.split(' ')))
}

/// What grub-mkconfig runs.
fn scripts(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for name in names(stage, SCRIPTS)? {
        let path = format!("{SCRIPTS}/{name}");
        if path != SCRIPT && stage.stat(&path)?.is_some_and(|there| there.kind == FileType::Regular) {
            found.push(path);
        }
    }
    Ok(found)
}

fn edit(stage: &mut Stage<'_>, path: &str, new: impl FnOnce(&str) -> String) -> Result<(), Error> {
    let Some(old) = text(stage, path) else { return Ok(()) };
    let new = new(&old);
    if new != old {
        crate::conffile::edit(stage, path, new, Set::default())?;
    }
    Ok(())
}

/// From which line on a script is not shell but what goes into the menu.
fn copies(script: &str) -> Option<usize> {
    script
        .lines()
        .find_map(|line| line.trim().strip_prefix("exec tail -n +")?.split(' ').next()?.parse().ok())
}

/// A script whose entries of Linux are open: they all have `CLASS`, and submenus lead to them.
fn opened_script(script: &str) -> String {
    // Scripts for firmware and other systems set none.
    if !script.contains("CLASS=\"--class gnu") {
        return script.to_owned();
    }
    let open = |line: &str| {
        if line.contains(OPEN) {
            return line.to_owned();
        }
        if let Some(rest) = line.strip_prefix("CLASS=\"--class gnu")
            && let Some((classes, rest)) = rest.split_once('"')
        {
            return format!("CLASS=\"--class gnu{classes} {OPEN}\"{rest}");
        }
        if line.trim_start().starts_with("echo \"submenu ") {
            return match line.split_once(" \\$menuentry_id_option") {
                Some((before, rest)) => format!("{before} {OPEN} \\$menuentry_id_option{rest}"),
                None => line.replacen("{\"", &format!("{OPEN} {{\""), 1),
            };
        }
        line.to_owned()
    };
    script.split_inclusive('\n').map(open).collect()
}

/// The lines, from 0, of entries and submenus that lead to Linux and ask for the password.
fn restricted(menu: &str) -> Vec<usize> {
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut found: BTreeSet<usize> = BTreeSet::new();
    let from = copies(menu).map_or(0, |line| line.saturating_sub(1));
    let all: Vec<&str> = menu.lines().collect();
    for (index, line) in all.iter().enumerate().skip(from) {
        let line = line.trim();
        let word = line.split_whitespace().next().unwrap_or_default();
        if matches!(word, "menuentry" | "submenu") {
            open.push(Some(index));
        } else if line.ends_with('{') && !line.starts_with('#') {
            open.push(None);
        } else if line == "}" {
            open.pop();
        } else if matches!(word, "linux" | "linux16" | "linuxefi") && !line.contains("memtest") {
            found.extend(open.iter().flatten());
        }
    }
    found.into_iter().filter(|index| !all[*index].contains(OPEN)).collect()
}

/// The menu with all entries that lead to Linux open.
fn opened(menu: &str) -> String {
    let closed: BTreeSet<usize> = restricted(menu).into_iter().collect();
    let lines = menu.split_inclusive('\n').enumerate();
    lines
        .map(|(index, line)| {
            if !closed.contains(&index) {
                return line.to_owned();
            }
            // Where grub-mkconfig puts it, of the edited scripts.
            match line.split_once(" $menuentry_id_option") {
                Some((before, rest)) => format!("{before} {OPEN} $menuentry_id_option{rest}"),
                None => match line.rsplit_once('{') {
                    Some((before, rest)) => format!("{before}{OPEN} {{{rest}"),
                    None => line.replacen('\n', &format!(" {OPEN}\n"), 1),
                },
            }
        })
        .collect()
}

fn has_password(menu: &str) -> bool {
    let mut lines = menu.lines().map(str::trim);
    menu.lines().any(|line| line.trim().starts_with("set superusers="))
        && lines.any(|line| line.starts_with("password_pbkdf2 ") || line.starts_with("password "))
}

/// The menu with the section that the script would make, where grub-mkconfig would put it.
fn with_section(menu: &str, hash: &str) -> String {
    let (begin, end) = (format!("### BEGIN {SCRIPT} ###\n"), format!("### END {SCRIPT} ###\n"));
    let section = format!("{begin}{}{end}", lines(hash));
    if let Some((before, rest)) = menu.split_once(&begin)
        && let Some((_, after)) = rest.split_once(&end)
    {
        return format!("{before}{section}{after}");
    }
    let mut at = 0;
    let mut head = 0;
    for line in menu.split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("### BEGIN ").and_then(|rest| rest.split(' ').next())
            && path > SCRIPT
        {
            let (before, after) = menu.split_at(at);
            return format!("{before}{section}\n{after}");
        }
        at += line.len();
        if line.starts_with('#') && head + line.len() == at {
            head = at;
        }
    }
    // No menu of grub-mkconfig's: below the comments at its head.
    let (before, after) = menu.split_at(head);
    format!("{before}{section}{after}")
}
