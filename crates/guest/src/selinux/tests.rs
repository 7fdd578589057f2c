//! Against libselinux' own matchpathcon.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use super::*;
use crate::{HostTree, MemoryTree};

const CONFIG_TEXT: &str = "# comment\nSELINUX=permissive\n SELINUXTYPE=test \n";
const FILES: &str = "/etc/selinux/test/contexts/files/file_contexts";

/// A policy as a guest has it.
fn policy(files: &[(&str, &str)]) -> Policy {
    let tree = files.iter().fold(MemoryTree::new(), |tree, (path, text)| tree.file(path, text));
    Policy::load(&tree).unwrap().unwrap()
}

const RULES: &str = "\
/.*                          system_u:object_r:default_t:s0
/                       -d   system_u:object_r:root_t:s0
# comment
/etc(/.*)?                   system_u:object_r:etc_t:s0
/etc/shadow.*           --   system_u:object_r:shadow_t:s0
/etc/motd                    system_u:object_r:motd_t:s0
/etc/mo.*                    system_u:object_r:later_t:s0
/a?quota\\.(user|group)  --   system_u:object_r:quota_db_t:s0
/usr/(.*/)?bin(/.*)?         system_u:object_r:bin_t:s0
/usr/lib/x\\.so          --   system_u:object_r:lib_t:s0
/usr/lib/x\\.so          -l   system_u:object_r:link_t:s0
/dev/.*                 -c   system_u:object_r:device_t:s0
/proc/.*                     <<none>>
/one|/two/.*                 system_u:object_r:either_t:s0
/home/[^/]+             -d   user_u:object_r:home_t:s0
broken
/x -q y
";

#[test]
fn rules_are_chosen_as_matchpathcon_chooses_them() {
    let files = [
        (CONFIG, CONFIG_TEXT),
        (FILES, RULES),
        (
            &format!("{FILES}.local"),
            "/etc/local/[a-z]+\tsystem_u:object_r:local_t:s0\n/opt/tool -- system_u:object_r:tool_t:s0\n",
        ),
        (&format!("{FILES}.homedirs"), "/home/[^/]+/\\.ssh(/.*)? unconfined_u:object_r:ssh_home_t:s0\n"),
        (
            &format!("{FILES}.subs_dist"),
            "# x\n/bin /usr/bin\n/srv/home /home\n/srv /usr\n/deep/er /etc\n/deep /usr\n",
        ),
        (&format!("{FILES}.subs"), "/alias /bin\n/flat /\n"),
    ];
    let policy = policy(&files);
    assert_eq!(policy.notes, [format!("{FILES}: 2 lines are no rules; they are ignored")]);
    let contexts = policy.contexts.unwrap();
    use FileType::{Directory, Regular, Special, Symlink};
    let cases = [
        ("/", Directory, "root_t"),
        ("/etc", Directory, "etc_t"),
        ("/etc/shadow-", Regular, "shadow_t"),
        ("/etc/shadow", Directory, "etc_t"),
        ("/etc/motd", Regular, "motd_t"),
        ("/etc/motd.d", Directory, "later_t"),
        ("/quota.user", Regular, "quota_db_t"),
        ("/aquota.group", Regular, "quota_db_t"),
        ("/aquota.group", Symlink, "default_t"),
        ("/usr/local/bin/x", Regular, "bin_t"),
        ("/bin/x", Regular, "bin_t"),
        ("/binary", Regular, "default_t"),
        ("/usr/lib/x.so", Regular, "lib_t"),
        ("/usr/lib/x.so", Symlink, "link_t"),
        ("/usr/lib/xyso", Regular, "default_t"),
        ("/proc/1", Regular, ""),
        ("/one", Regular, "either_t"),
        ("/two/x", Regular, "either_t"),
        ("/onex", Regular, "either_t"),
        ("/home/joe", Directory, "home_t"),
        ("/home/joe/.ssh/authorized_keys", Regular, "ssh_home_t"),
        ("/etc/local/abc", Regular, "local_t"),
        ("/opt/tool", Regular, "tool_t"),
        ("/opt/tool", Directory, "default_t"),
        ("/srv/bin/y", Regular, "bin_t"),
        ("/alias/x", Regular, "bin_t"),
        ("/flat/etc/motd", Regular, "motd_t"),
        ("/srv/home/joe", Directory, "default_t"),
        ("/deep/er/motd", Regular, "default_t"),
        ("/etc/größe", Regular, "etc_t"),
    ];
    for (path, kind, wanted) in cases {
        let label = contexts.label(&GuestPath::new(path), kind);
        let found = label.as_deref().and_then(|label| label.split(':').nth(2)).unwrap_or_default();
        assert_eq!(found, wanted, "{path} {kind:?}");
    }
    assert_eq!(
        contexts.label(&GuestPath::new("/dev/null"), Special).as_deref(),
        Some("system_u:object_r:default_t:s0")
    );
    if !have() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in &files[1..] {
        // matchpathcon gives up at a line that is none.
        let text: String = text
            .lines()
            .filter(|line| *line != "broken" && !line.starts_with("/x -q"))
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(directory.path().join(Path::new(path).file_name().unwrap()), text).unwrap();
    }
    let paths: Vec<_> = cases.iter().map(|(path, kind, _)| ((*path).to_owned(), *kind)).collect();
    compare(&contexts, &directory.path().join("file_contexts"), &paths);
}

fn have() -> bool {
    let found = Command::new("/usr/sbin/matchpathcon").arg("-V").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "matchpathcon is not installed");
        eprintln!("SKIPPED: matchpathcon is not installed");
    }
    found
}

/// Both answer the same for every path.
fn compare(contexts: &FileContexts, file: &Path, paths: &[(String, FileType)]) {
    for (kind, name) in
        [(FileType::Regular, "file"), (FileType::Directory, "dir"), (FileType::Symlink, "lnk_file")]
    {
        let some: Vec<&String> =
            paths.iter().filter(|(_, each)| *each == kind).map(|(path, _)| path).collect();
        for part in some.chunks(500) {
            let output = Command::new("/usr/sbin/matchpathcon")
                .args(["-n", "-m", name, "-f", file.to_str().unwrap()])
                .args(part)
                .output()
                .unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            let theirs: Vec<&str> = told.lines().collect();
            assert_eq!(theirs.len(), part.len(), "{}", String::from_utf8_lossy(&output.stderr));
            for (path, theirs) in part.iter().zip(theirs) {
                let ours = contexts.label(&GuestPath::new(path), kind);
                assert_eq!(ours.as_deref().unwrap_or("<<none>>"), theirs, "{path} {kind:?}");
            }
        }
    }
}

#[test]
fn a_distributions_policy_labels_a_whole_root_as_matchpathcon_does() {
    let base = "/etc/selinux/default/contexts/files";
    if !have() || !Path::new(base).join("file_contexts").exists() {
        assert!(std::env::var_os("CI").is_none(), "selinux-policy-default is not installed");
        eprintln!("SKIPPED: selinux-policy-default is not installed");
        return;
    }
    // Its compiled copies are left out, so that both read the text.
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    std::fs::create_dir_all(root.join("etc/selinux/default/contexts/files")).unwrap();
    std::fs::copy("/etc/selinux/config", root.join("etc/selinux/config")).unwrap();
    for entry in std::fs::read_dir(base).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_str().unwrap().ends_with(".bin") {
            std::fs::copy(
                entry.path(),
                root.join("etc/selinux/default/contexts/files").join(entry.file_name()),
            )
            .unwrap();
        }
    }
    let contexts = FileContexts::load(&HostTree::new(root)).unwrap().unwrap();
    let mut paths = Vec::new();
    let mut pending: Vec<std::path::PathBuf> =
        ["/etc", "/usr", "/var", "/bin", "/boot", "/root"].map(Into::into).to_vec();
    // Every directory, and of each the first files of every kind.
    while let (Some(directory), 0..4000) = (pending.pop(), paths.len()) {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries.into_iter().take(12) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let Some(text) = path.to_str().filter(|text| !text.contains('\n')) else { continue };
            if kind.is_dir() {
                paths.push((text.to_owned(), FileType::Directory));
                if text.matches('/').count() < 5 {
                    pending.push(path);
                }
            } else if kind.is_symlink() {
                paths.push((text.to_owned(), FileType::Symlink));
            } else if kind.is_file() {
                paths.push((text.to_owned(), FileType::Regular));
            }
        }
    }
    // And what rules say about paths that are not here.
    for rule in &contexts.rules {
        let path = rule.prefix.trim_end_matches('/').to_owned();
        if !path.is_empty() {
            paths.push((path.clone(), FileType::Directory));
            paths.push((format!("{path}/x.conf"), FileType::Regular));
            paths.push((format!("{path}1"), FileType::Symlink));
        }
    }
    let foreign: Vec<_> = contexts
        .rules
        .iter()
        .filter(|rule| {
            let _ = rule.matches(&format!("{}x", rule.prefix));
            rule.expression.is_some() && !matches!(rule.compiled.get(), Some(Some(_)))
        })
        .collect();
    assert!(foreign.is_empty(), "expressions that are not understood: {foreign:?}");
    assert!(paths.len() > 10_000, "{}", paths.len());
    paths.truncate(14_000);
    compare(&contexts, &root.join("etc/selinux/default/contexts/files/file_contexts"), &paths);
}

#[test]
fn policies_that_cannot_be_read_are_told() {
    assert!(Policy::load(&MemoryTree::new()).unwrap().is_none());
    let missing = policy(&[(CONFIG, CONFIG_TEXT)]);
    assert!(missing.contexts.is_none() && missing.enabled && missing.notes[0].contains("cannot be read"));
    let empty = policy(&[(CONFIG, "SELINUX=disabled\nSELINUXTYPE=test\n"), (FILES, "nothing\n")]);
    assert!(empty.contexts.is_none() && !empty.enabled);
    // No expression is too wild: it matches nothing.
    let wild = policy(&[
        (CONFIG, CONFIG_TEXT),
        (FILES, "/.* a\n/(x b\n/x(?=y) c\n/((((a{100}){100}){100}){100}) d\n"),
    ]);
    assert_eq!(wild.contexts.unwrap().label(&GuestPath::new("/x"), FileType::Regular).as_deref(), Some("a"));
}
