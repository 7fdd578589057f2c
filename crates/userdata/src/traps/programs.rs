//! What commands do, as far as it shows: they end the script or the machine, ask somebody, want bash
//! (`cloudinit/config/cc_runcmd.py`, `cc_bootcmd.py`: one script for /bin/sh, with nothing on standard
//! input and next to nothing in the environment).

use super::{Report, shown, trap};
use crate::finding::Place;
use crate::value::{Kind, Value};

/// All commands are one script, which this one ends.
pub(super) fn exit(item: &Value, module: &str, path: &str, report: &mut Report<'_>) {
    let first = match &item.kind {
        Kind::Text(text) => text.split([';', '\n']).next().unwrap_or_default(),
        Kind::List(words) => words.first().and_then(Value::as_text).unwrap_or_default(),
        _ => return,
    };
    let mut words = first.split_ascii_whitespace();
    if words.next() == Some("exit") && !first.contains(['&', '|']) {
        report.tell(trap(
            "exit-between-commands",
            item.place,
            path,
            format!("`exit` ends all of `{module}`: the commands behind it never run"),
            "leave it out",
        ));
    }
}

/// Services run without `HOME`, unless something sets it.
pub(super) fn home(text: &str, place: Place, module: &str, path: &str, report: &mut Report<'_>) {
    let used = ["$HOME", "${HOME}", " ~/"].into_iter().find(|word| text.contains(word));
    let Some(word) =
        used.filter(|_| !["HOME=", "su ", "sudo ", "runuser "].iter().any(|word| text.contains(word)))
    else {
        return;
    };
    report.tell(trap(
        "home-not-set",
        report.within("home-not-set", place, word.trim_start()),
        path,
        format!("`{module}` runs without `HOME`: `{}` does not lead to a home", word.trim_start()),
        "write the whole path, such as `/root` or `/home/me`",
    ));
}

/// What `bash` understands, and `/bin/sh` of Debian and Alpine does not.
pub(super) fn bash(text: &str, place: Place, module: &str, path: &str, report: &mut Report<'_>) {
    let mut found = None;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#!")
            && !line.split_ascii_whitespace().any(|word| matches!(base(word), "ash" | "dash" | "sh"))
        {
            found = Some((line, "write the script to a file with `write_files`, and run that"));
        } else if line.starts_with("[[ ") || line.contains(" [[ ") {
            found = Some(("[[", "write `[ … ]`, or run it with `bash -c`"));
        } else if line.starts_with("source ") || line.contains("&& source ") || line.contains("; source ") {
            found = Some(("source", "write `. FILE`"));
        } else if line.contains("<<<") {
            found = Some(("<<<", "write `echo … | COMMAND`"));
        }
        if found.is_some() {
            break;
        }
    }
    // What stands in another program's text is none of sh's.
    let within = |text: &str| ["bash ", "zsh ", "<<'", "<<E"].iter().any(|word| text.contains(word));
    let Some((what, hint)) = found.filter(|(what, _)| what.starts_with("#!") || !within(text)) else {
        return;
    };
    report.tell(trap(
        "bash-for-sh",
        report.within("bash-for-sh", place, what),
        path,
        format!("{} is for bash: `{module}` runs with /bin/sh, whatever stands there", shown(what)),
        hint,
    ));
}

/// Programs that do not do here what they do at a terminal.
pub(super) fn program(words: &[&str], place: Place, module: &str, path: &str, report: &mut Report<'_>) {
    let mut words = words.iter().copied().skip_while(|word| {
        matches!(*word, "sudo" | "env" | "nice" | "time" | "exec")
            || word.starts_with('-')
            || is_assignment(word)
    });
    let Some(name) = words.next().map(base) else { return };
    let arguments: Vec<&str> = words.collect();
    if ends_machine(name, &arguments) {
        match module {
            "bootcmd" => report.tell(trap(
                "reboot-in-bootcmd",
                place,
                path,
                format!("`{name}` runs at every boot, so that the machine never comes up"),
                "use `power_state`, which runs once an instance",
            )),
            "runcmd" => report.tell(trap(
                "reboot-in-runcmd",
                place,
                path,
                format!("`{name}` ends cloud-init before it is done, and what has not run then never runs"),
                "use `power_state: {mode: …}`, which waits for the rest",
            )),
            _ => {}
        }
    }
    if asks(name, &arguments) {
        report.tell(trap(
            "command-asks",
            place,
            path,
            format!("`{name}` asks before it goes on, and nobody answers here"),
            if name == "zypper" { "add `--non-interactive`" } else { "add `-y`" },
        ));
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn ends_machine(name: &str, arguments: &[&str]) -> bool {
    match name {
        "reboot" | "poweroff" | "halt" => true,
        // Without a time it waits a minute.
        "shutdown" => arguments.iter().any(|word| matches!(*word, "now" | "+0" | "0")),
        "systemctl" => arguments.iter().any(|word| matches!(*word, "reboot" | "poweroff" | "halt")),
        "init" | "telinit" => matches!(arguments.first(), Some(&"0" | &"6")),
        _ => false,
    }
}

fn asks(name: &str, arguments: &[&str]) -> bool {
    let has = |wanted: &[&str]| arguments.iter().any(|word| wanted.contains(word));
    // `-qy` holds the same letter.
    let short = |letter: char| {
        arguments.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
    };
    match name {
        "apt" | "apt-get" => {
            has(&["install", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove"])
                && !short('y')
                && !has(&["--yes", "--assume-yes", "-qq", "--force-yes", "-s", "--download-only", "-d"])
        }
        "dnf" | "yum" => {
            has(&["install", "upgrade", "update", "remove", "erase", "groupinstall", "localinstall"])
                && !short('y')
                && !has(&["--assumeyes", "--assumeno", "--downloadonly"])
        }
        "zypper" => {
            has(&["install", "in", "update", "up", "dup", "remove", "rm", "patch"])
                && !has(&["-n", "--non-interactive", "-y", "--no-confirm", "--quiet-install"])
        }
        _ => false,
    }
}

/// A program without its folder.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}
