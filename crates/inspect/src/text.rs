//! An inspection for people, at most 80 columns wide where no name is longer; and text out of images as nothing that
//! a terminal obeys.

use std::fmt::Write;

use crate::model::{FileSystem, Inspection, Partition, System};

/// Columns.
const WIDTH: usize = 80;
/// Where the values begin.
const INDENT: usize = 18;

/// [`visible`](hardtack_report::visible) on one line: line breaks and tabs are shown by their number too.
#[must_use]
pub fn safe(text: &str) -> String {
    hardtack_report::visible(text).replace('\n', "\\u{a}").replace('\t', "\\u{9}")
}

/// `1.5 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = bytes >> shift;
        if whole > 0 {
            let tenth = ((bytes - (whole << shift)) * 10) >> shift;
            return if tenth == 0 || whole >= 100 {
                format!("{whole} {unit}")
            } else {
                format!("{whole}.{tenth} {unit}")
            };
        }
    }
    format!("{bytes} bytes")
}

/// Groups of lines.
#[derive(Default)]
struct Page(String);

impl Page {
    fn group(&mut self, title: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.0, "{gap}{title}");
    }

    /// A name and its value, the value over several lines where it must be; nothing where it is empty.
    fn line(&mut self, name: &str, value: impl AsRef<str>) {
        let value = safe(value.as_ref());
        if value.is_empty() {
            return;
        }
        let mut head = format!("  {name:<width$}", width = INDENT - 2);
        if !head.ends_with(' ') {
            head.push(' ');
        }
        let (mut column, mut empty) = (head.chars().count(), true);
        self.0.push_str(&head);
        for word in value.split(' ') {
            let length = word.chars().count();
            if !empty && column + 1 + length > WIDTH {
                let _ = write!(self.0, "\n{:INDENT$}", "");
                (column, empty) = (INDENT, true);
            }
            if !empty {
                self.0.push(' ');
                column += 1;
            }
            self.0.push_str(word);
            column += length;
            empty = false;
        }
        self.0.push('\n');
    }

    fn lines<S: AsRef<str>>(&mut self, name: &str, values: &[S]) {
        for (index, value) in values.iter().enumerate() {
            self.line(if index == 0 { name } else { "" }, value);
        }
    }
}

/// The whole as text.
#[must_use]
pub fn render(inspection: &Inspection) -> String {
    let mut page = Page::default();
    let disk = &inspection.disk;
    page.group("Disk");
    page.line("size", size(disk.size));
    let table = if disk.table == "none" {
        "none: one file system, or empty".to_owned()
    } else {
        disk.table.to_uppercase()
    };
    page.line("partition table", table);
    for partition in &disk.partitions {
        one_partition(&mut page, partition);
    }
    if let Some(system) = &inspection.system {
        one_system(&mut page, system);
    }
    if !inspection.notes.is_empty() || !inspection.problems.is_empty() {
        page.group("To be known");
        page.lines("note", &inspection.notes);
        page.lines("cannot be read", &inspection.problems);
    }
    page.0
}

fn one_partition(page: &mut Page, partition: &Partition) {
    let name = match partition.number {
        0 => "whole disk".to_owned(),
        number => format!("partition {number}"),
    };
    let mut words = vec![format!("{}, {}", size(partition.size), partition.content)];
    if let Some(label) = &partition.label {
        words.push(format!("label {label}"));
    }
    if let Some(mount) = &partition.mount {
        words.push(format!("on {mount}"));
    }
    page.line(&name, words.join(", "));
    let mut of_table = Vec::new();
    match (partition.purpose, partition.partition_type.as_str()) {
        (_, "") => {}
        ("", kind) => of_table.push(format!("type {kind}")),
        (purpose, _) => of_table.push(format!("type {purpose}")),
    }
    if !partition.name.is_empty() {
        of_table.push(format!("name {}", partition.name));
    }
    if partition.bootable {
        of_table.push("bootable".to_owned());
    }
    page.line("", of_table.join(", "));
    page.line("", partition.uuid.as_ref().map(|uuid| format!("UUID {uuid}")).unwrap_or_default());
    if let Some(found) = &partition.file_system {
        file_system(page, found);
    }
}

fn file_system(page: &mut Page, found: &FileSystem) {
    let used = found.free.filter(|_| found.size > 0).map(|free| {
        let used = found.size.saturating_sub(free);
        format!(
            "{} of {} used ({} %), ",
            size(used),
            size(found.size),
            u128::from(used) * 100 / u128::from(found.size)
        )
    });
    page.line("", format!("{}{}", used.unwrap_or_default(), found.state));
    page.line("", found.features.join(" "));
    if let Some(why) = &found.read_only {
        page.line("", format!("cannot be changed here: {why}"));
    }
}

fn one_system(page: &mut Page, system: &System) {
    page.group("System");
    page.line("name", &system.os.name);
    page.line("hostname", system.os.hostname.as_deref().unwrap_or("none"));
    page.line("architecture", system.architecture.unwrap_or("unknown"));
    page.line("init", system.init.unwrap_or("none"));
    page.line("machine-id", system.machine_id);
    page.line("SELinux", &system.selinux);
    page.line(
        "packages",
        match system.packages.database.as_str() {
            "" => "no database".to_owned(),
            database if system.packages.damaged => format!("cannot be read ({database}, damaged)"),
            database => format!("{} ({database})", system.packages.installed),
        },
    );
    page.lines("unfinished", &system.packages.unfinished);

    page.group("Boot");
    let boot = &system.boot;
    page.line("firmware", boot.mode);
    page.line("EFI programs", boot.efi.join(" "));
    page.lines("configuration", &boot.configurations);
    page.lines("unified kernel", &boot.unified);
    if let Some(entry) = &boot.entry {
        page.line("started first", &entry.title);
        page.line("kernel", &entry.kernel);
        page.line("initramfs", entry.initrds.join(" "));
        page.line("missing", entry.missing.join(" "));
        page.line("command line", &entry.command_line);
    }
    page.line("serial console", if boot.serial_console { "yes" } else { "no" });
    for kernel in &boot.kernels {
        page.line("version", &kernel.version);
        page.line(
            "",
            match &kernel.initramfs {
                None => "no initramfs".to_owned(),
                Some(found) => match &found.problem {
                    Some(problem) => format!("{}: {problem}", found.path),
                    None => format!("initramfs by {}, {}", found.kind, found.compression.join(" + ")),
                },
            },
        );
        for state in ["built in", "in initramfs", "module", "missing"] {
            let names: Vec<&str> =
                kernel.drivers.iter().filter(|(_, one)| **one == state).map(|(name, _)| *name).collect();
            if !names.is_empty() {
                page.line("", format!("{state}: {}", names.join(" ")));
            }
        }
    }

    page.group("Users");
    let mut quiet = 0;
    for user in &system.users {
        if !user.can_log_in && user.keys == 0 && user.sudo == "no" && !user.code_secret {
            quiet += 1;
            continue;
        }
        let mut words =
            vec![format!("uid {}", user.uid), user.shell.clone(), format!("password {}", user.password)];
        if user.expired {
            words.push("expired".to_owned());
        }
        if user.keys > 0 {
            words.push(format!("{} key{}", user.keys, if user.keys == 1 { "" } else { "s" }));
        }
        if user.sudo != "no" {
            words.push(format!("sudo {}", if user.sudo == "yes" { "with password" } else { user.sudo }));
        }
        if user.groups.iter().any(|group| *group != user.name) {
            words.push(format!("groups {}", user.groups.join(" ")));
        }
        page.line(&safe(&user.name), words.join(", "));
    }
    if quiet > 0 {
        page.line("others", format!("{quiet} without a shell, keys and sudo"));
    }

    if let Some(sshd) = &system.sshd {
        page.group(&format!("SSH server, OpenSSH {}", safe(&sshd.version)));
        for (keyword, value) in &sshd.settings {
            let mut name = (*keyword).to_owned();
            // Longer words push their value to the side.
            if name.len() >= INDENT - 2 {
                name.push(' ');
            }
            page.line(&name, value);
        }
        page.lines("in blocks", &sshd.in_blocks);
        page.lines("wrong", &sshd.problems);
    }
    page.group("PAM");
    for service in &system.pam {
        let asks = match (&service.problem, service.open, service.password, service.code) {
            (Some(problem), ..) => format!("refuses everybody: {problem}"),
            (_, false, ..) => "lets nobody through".to_owned(),
            (_, _, true, true) => "password and one-time code".to_owned(),
            (_, _, true, false) => "password".to_owned(),
            (_, _, false, true) => "one-time code".to_owned(),
            (_, _, false, false) => "nothing that everybody must have".to_owned(),
        };
        page.line(&service.name, asks);
    }
    page.group("Ways in");
    for way in &system.ways_in {
        page.line(way.by, way.sentence());
    }
    if system.ways_in.is_empty() {
        page.line("none", "nobody can log in");
    }

    page.group("First boot");
    page.line(
        "cloud-init",
        match &system.cloud_init {
            None => "not there".to_owned(),
            Some(cloud) => {
                let version = cloud.version.as_deref().unwrap_or("of unknown version");
                let disabled = if cloud.disabled { ", switched off" } else { "" };
                format!("{version}{disabled}")
            }
        },
    );
    if let Some(cloud) = &system.cloud_init {
        page.line("data sources", cloud.datasources.join(" "));
        page.line("ds-identify", cloud.ds_identify.as_deref().unwrap_or_default());
        page.line("default user", cloud.default_user.as_deref().unwrap_or_default());
    }
    page.lines("cloud agents", &system.cloud_agents);
    page.line(
        "hardtack-agent",
        match &system.agent {
            None => "not there".to_owned(),
            Some(agent) => {
                let booted = if agent.has_identity { ", has booted" } else { "" };
                format!("{}, recipe {}{booted}", agent.mode, agent.recipe)
            }
        },
    );
    page.group("Left over");
    for found in &system.leftovers {
        page.line(found.what, &found.path);
    }
    for key in &system.host_keys {
        page.line("host key", key);
    }
    if system.leftovers.is_empty() && system.host_keys.is_empty() {
        page.line("nothing", "that was looked for");
    }
    if !system.packages.list.is_empty() {
        page.group("Packages");
        for package in &system.packages.list {
            let _ = writeln!(
                page.0,
                "  {}",
                safe(&format!("{} {} {}", package.name, package.version, package.architecture))
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys() {
        assert_eq!(safe("a\x1b[2Jb\nc\u{202e}d\u{9b}ü"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{9b}ü");
    }

    #[test]
    fn sizes_and_widths() {
        for (bytes, text) in
            [(0, "0 bytes"), (1536, "1.5 KiB"), (2 << 30, "2 GiB"), (u64::MAX, "16777215 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
        let mut page = Page::default();
        page.line("name", "word ".repeat(60).trim_end());
        page.line("a-name-that-is-longer-than-the-room", "x");
        assert!(page.0.lines().all(|line| line.len() <= WIDTH), "{}", page.0);
        assert_eq!(page.0.matches("word").count(), 60);
    }
}
