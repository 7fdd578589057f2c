//! What goes into overlayroot's configuration file.
//!
//! Grammar: the comments of `/etc/overlayroot.conf` and `parse_string` of its initramfs script.
//! The file is read by a shell, and its value passes through `echo` and single quotes afterwards.

use crate::model::{OverlayMode, OverlayrootStep};

/// The value of `overlayroot`. It holds the passphrase in clear.
///
/// # Errors
/// The option that cannot be written, and why.
pub(super) fn value(settings: &OverlayrootStep) -> Result<String, String> {
    let mut options: Vec<(&str, String)> = Vec::new();
    let crypt = settings.mode == OverlayMode::Crypt;
    let disk = settings.mode != OverlayMode::Tmpfs;
    match &settings.dev {
        Some(dev) if disk => {
            options.push(("dev", dev.clone()));
            options.push(("timeout", settings.timeout.to_string()));
        }
        None if !disk => {}
        Some(_) => return Err("tmpfs takes no dev".to_owned()),
        None => return Err(format!("{} needs dev", settings.mode.as_str())),
    }
    if !crypt {
        let only_crypt = [
            ("mapname", settings.mapname.is_some()),
            ("pass", settings.pass.is_some()),
            ("fstype", settings.fstype.is_some()),
            ("mkfs", settings.mkfs.is_some()),
        ];
        if let Some((name, _)) = only_crypt.iter().find(|(_, given)| *given) {
            return Err(format!("{name} is an option of crypt, not of {}", settings.mode.as_str()));
        }
    }
    if let Some(mapname) = &settings.mapname {
        options.push(("mapname", mapname.clone()));
    }
    if let Some(pass) = &settings.pass {
        if !settings.allow_clear_pass {
            return Err("pass lies in clear on the lower disk; allow_clear_pass: true permits it".to_owned());
        }
        options.push(("pass", pass.reveal().to_owned()));
    }
    if let Some(fstype) = &settings.fstype {
        // The script calls `mke2fs -t`.
        if !matches!(fstype.as_str(), "ext2" | "ext3" | "ext4") {
            return Err(format!("fstype {fstype}: overlayroot makes ext2, ext3 or ext4 only"));
        }
        options.push(("fstype", fstype.clone()));
    }
    if let Some(mkfs) = settings.mkfs {
        if mkfs > 2 {
            return Err(format!("mkfs {mkfs}: 0, 1 or 2"));
        }
        if mkfs == 0 && settings.pass.is_none() {
            return Err("mkfs 0 without pass: with a random key there is nothing to open".to_owned());
        }
        options.push(("mkfs", mkfs.to_string()));
    }
    let flags = [("swap", settings.swap), ("recurse", settings.recurse), ("debug", settings.debug)];
    for (name, flag) in flags {
        options.extend(flag.map(|flag| (name, u8::from(flag).to_string())));
    }
    options.extend(settings.dir.clone().map(|dir| ("dir", dir)));
    options.extend(settings.driver.clone().map(|driver| ("driver", driver)));
    for (name, text) in &options {
        check(name, text)?;
    }
    let options: Vec<String> = options.iter().map(|(name, text)| format!("{name}={text}")).collect();
    let mode = settings.mode.as_str();
    Ok(if options.is_empty() { mode.to_owned() } else { format!("{mode}:{}", options.join(",")) })
}

/// Characters that the script's own parsing breaks on. The message never shows a value.
fn check(name: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{name} is empty"));
    }
    let bad = |c: char| {
        matches!(c, ',' | '\'' | '\\')
            || c.is_control()
            || (name != "pass" && (c.is_whitespace() || "\"$`".contains(c)))
    };
    match text.chars().find(|c| bad(*c)) {
        Some(c) => Err(format!("{name} holds {c:?}, which overlayroot's configuration cannot express")),
        None => Ok(()),
    }
}

/// A line for the file: double quotes, and what is special within them escaped.
pub(super) fn line(value: &str) -> String {
    format!("overlayroot=\"{}\"", escape(value))
}

/// `text` as it stands between double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '"' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Passphrases that stand in an existing file: a diff would show them.
pub(super) fn passphrases(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split([':', ',']).skip(1))
        .filter_map(|option| option.strip_prefix("pass="))
        .map(|pass| pass.trim_end().trim_end_matches(['"', '\'']))
        .filter(|pass| !pass.is_empty())
}

/// The file's new text: our line in place of every line that sets the same variable, or at the
/// end. A configuration disk would overrule the file, so one that is set is switched off.
pub(super) fn edit(existing: Option<&str>, line: &str, heading: &str, disable_disk: bool) -> String {
    let mut out = String::new();
    let mut written = false;
    let sets = |text: &str, name: &str| {
        text.trim_start().strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
    };
    for text in existing.unwrap_or(heading).lines() {
        if sets(text, "overlayroot") {
            if !written {
                out.push_str(line);
                out.push('\n');
                written = true;
            }
        } else if !(disable_disk && sets(text, "overlayroot_cfgdisk")) {
            out.push_str(text);
            out.push('\n');
        }
    }
    if !written {
        out.push_str(line);
        out.push('\n');
    }
    if disable_disk {
        out.push_str("overlayroot_cfgdisk=\"disabled\"\n");
    }
    out
}

/// True when the text lets a configuration disk overrule everything.
pub(super) fn uses_disk(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("overlayroot_cfgdisk="))
        .next_back()
        .is_some_and(|value| !matches!(value.trim().trim_matches(['"', '\'']), "" | "disabled"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::secret::Secret;

    fn crypt() -> OverlayrootStep {
        OverlayrootStep {
            mode: OverlayMode::Crypt,
            dev: Some("/dev/vdb".to_owned()),
            ..OverlayrootStep::default()
        }
    }

    #[test]
    fn values() {
        assert_eq!(value(&crypt()).unwrap(), "crypt:dev=/dev/vdb,timeout=20");
        assert_eq!(value(&OverlayrootStep::default()).unwrap(), "tmpfs");
        let all = OverlayrootStep {
            timeout: 120,
            mapname: Some("mapper".to_owned()),
            pass: Some(Secret::new("a b$c")),
            fstype: Some("ext3".to_owned()),
            mkfs: Some(2),
            swap: Some(true),
            recurse: Some(false),
            debug: Some(true),
            dir: Some("/run1".to_owned()),
            driver: Some("overlay".to_owned()),
            allow_clear_pass: true,
            ..crypt()
        };
        let text = value(&all).unwrap();
        assert_eq!(
            text,
            "crypt:dev=/dev/vdb,timeout=120,mapname=mapper,pass=a b$c,fstype=ext3,mkfs=2,swap=1,recurse=0,debug=1,dir=/run1,driver=overlay"
        );
        assert!(line(&text).contains(r"pass=a b\$c"));
        let device = OverlayrootStep {
            mode: OverlayMode::Device,
            dev: Some("LABEL=rw".to_owned()),
            ..OverlayrootStep::default()
        };
        assert_eq!(value(&device).unwrap(), "device:dev=LABEL=rw,timeout=20");
        let swap = OverlayrootStep { swap: Some(true), ..OverlayrootStep::default() };
        assert_eq!(value(&swap).unwrap(), "tmpfs:swap=1");
    }

    #[test]
    fn contradictions() {
        let cases: [(OverlayrootStep, &str); 8] = [
            (OverlayrootStep { dev: None, ..crypt() }, "needs dev"),
            (OverlayrootStep { mkfs: Some(0), ..crypt() }, "mkfs 0 without pass"),
            (OverlayrootStep { mkfs: Some(3), ..crypt() }, "mkfs 3"),
            (OverlayrootStep { fstype: Some("xfs".to_owned()), ..crypt() }, "ext2, ext3 or ext4"),
            (OverlayrootStep { pass: Some(Secret::new("canary")), ..crypt() }, "allow_clear_pass"),
            (
                OverlayrootStep { pass: Some(Secret::new("can,ary")), allow_clear_pass: true, ..crypt() },
                "cannot express",
            ),
            (OverlayrootStep { dir: Some("a b".to_owned()), ..crypt() }, "cannot express"),
            (OverlayrootStep { mkfs: Some(1), ..OverlayrootStep::default() }, "option of crypt"),
        ];
        for (settings, what) in cases {
            let error = value(&settings).unwrap_err();
            assert!(error.contains(what), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let meant = "crypt:dev=/dev/vdb,pass=a\"b$HOME`id` c";
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("{}\nprintf %s \"$overlayroot\"", line(meant))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), meant);
    }

    #[test]
    fn old_passphrases_are_found() {
        let text = "# overlayroot=crypt:pass=no\noverlayroot=\"crypt:dev=vdb,pass=canary\"\nx='crypt:pass=two,mkfs=0'\n";
        assert_eq!(passphrases(text).collect::<Vec<_>>(), ["canary", "two"]);
        assert_eq!(escape("a$b"), "a\\$b");
    }

    #[test]
    fn edits_keep_the_rest() {
        let shipped = "# comment overlayroot=x\noverlayroot_cfgdisk=\"disabled\"\noverlayroot=\"\"\n";
        let edited = edit(Some(shipped), "overlayroot=\"tmpfs\"", "", false);
        assert_eq!(
            edited,
            "# comment overlayroot=x\noverlayroot_cfgdisk=\"disabled\"\noverlayroot=\"tmpfs\"\n"
        );
        assert_eq!(edit(Some(&edited), "overlayroot=\"tmpfs\"", "", false), edited);
        assert_eq!(edit(None, "overlayroot=\"tmpfs\"", "# ours\n", false), "# ours\noverlayroot=\"tmpfs\"\n");
        let with_disk = "overlayroot_cfgdisk=LABEL=X\n";
        assert!(uses_disk(with_disk) && !uses_disk(shipped));
        let edited = edit(Some(with_disk), "overlayroot=\"tmpfs\"", "", true);
        assert_eq!(edited, "overlayroot=\"tmpfs\"\noverlayroot_cfgdisk=\"disabled\"\n");
        assert_eq!(edit(Some(&edited), "overlayroot=\"tmpfs\"", "", true), edited);
    }
}
