//! The Windows Subsystem for Linux (`dscheck_WSL` in `tools/ds-identify`).

use super::checks::Answer;
use super::marks::Marks;
use super::shell;

pub(super) fn check(marks: &Marks<'_>) -> Answer {
    if marks.question.virtualization != "wsl" || !has_windows(marks) {
        return Answer::No;
    }
    let Some(wsl) = &marks.question.answers.wsl else { return Answer::No };
    let windows = wsl.files;
    let home = wsl.profile.trim_end_matches('/');
    let directories = [format!("{home}/.ubuntupro/.cloud-init"), format!("{home}/.cloud-init")];
    if home.is_empty() || !directories.iter().any(|path| shell::is_directory(windows, path)) {
        return Answer::No;
    }
    let release = marks.machine.read("/etc/os-release").unwrap_or_default();
    let release = String::from_utf8_lossy(&release);
    let field = |key: &str| {
        let value = release.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        shell::unquote(value.unwrap_or_default()).to_owned()
    };
    let named = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    let id = named(field("ID"), "linux");
    let version = named(field("VERSION_ID"), &field("VERSION_CODENAME"));
    let own = format!("{}.user-data", wsl.instance);
    let [pro, plain] = directories;
    let mut files = Vec::new();
    if field("NAME") == "Ubuntu" {
        files.extend([format!("{pro}/{own}"), format!("{pro}/agent.yaml")]);
    }
    let plain_names = [own, format!("{id}-{version}.user-data"), format!("{id}-all.user-data")];
    files.extend(plain_names.iter().map(|name| format!("{plain}/{name}")));
    files.push(format!("{plain}/default.user-data"));
    match files.into_iter().find(|path| shell::is_file(windows, path)) {
        Some(path) => Answer::Found(format!("there is {path}")),
        None => Answer::No,
    }
}

/// Whether a disk of Windows is mounted.
fn has_windows(marks: &Marks<'_>) -> bool {
    let mounts = marks.machine.read("/proc/mounts").unwrap_or_default();
    String::from_utf8_lossy(&mounts).lines().any(|line| {
        let mut fields = line.split(' ');
        let kind = fields.nth(2);
        kind == Some("9p") && fields.next().is_some_and(|options| options.contains("aname=drvfs;"))
    })
}
