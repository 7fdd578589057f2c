#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::split::Entry;
use super::*;
use crate::execute::testing::{OUTPUT, with};
use crate::record::{CommandRecord, Record};
use crate::testing::Tree;

/// What somebody can see of a run: how it ended, what it printed, what it left behind.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    failure: Option<String>,
    output: String,
    files: BTreeMap<String, String>,
}

fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        let text = own_path(&fs::read_to_string(entry.path()).unwrap_or_default());
        found.insert(entry.file_name().into_string().unwrap(), format!("{mode:o} {text}"));
    }
    found
}

/// The shell's own complaints in a file of the user's show the copy's path; this one difference remains.
fn own_path(text: &str) -> String {
    let mut words = text.split_inclusive([' ', '\n']).map(|word| match word.strip_suffix("-runcmd: ") {
        Some(path) if path.contains("/run/hardtack/entries/") => "SCRIPT: ".to_owned(),
        _ if word.ends_with("/script: ") => "SCRIPT: ".to_owned(),
        _ => word.to_owned(),
    });
    words.by_ref().collect()
}

/// Runs entries, with marks or without, in a directory of their own.
fn run_entries(shell: &str, entries: &[Entry], marks: bool) -> (Seen, Vec<CommandRecord>) {
    let tree = Tree::new().directory("work").directory("run").directory("var/log");
    let host = tree.host();
    let script: String = entries.iter().map(|entry| format!("{}\n", entry.text)).collect();
    // The same name for both runs, as shells show it.
    let path = host.path("/script").to_string_lossy().into_owned();
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    let work = host.path("/work").to_string_lossy().into_owned();
    let environment = [("W".to_owned(), work.clone())];
    let mut failure = None;
    let (record, _) = with(&host, "", "scripts_user", |cx| {
        let argv = [shell, path.as_str()];
        let program = Program { argv: &argv, environment: &environment, ..Program::default() };
        let done = if marks {
            entries::run(cx, "runcmd", entries, &path, &program)
        } else {
            let done = run::show(cx.log, &program);
            succeeded("runcmd", done)
        };
        failure = done.err().map(|error| error.to_string().replace(&work, "W").replace(&path, "SCRIPT"));
    });
    let output = fs::read(host.path(OUTPUT)).unwrap();
    let output = String::from_utf8_lossy(&output).replace(&work, "W").replace(&path, "SCRIPT");
    (Seen { failure, output, files: files(Path::new(&work)) }, record.commands)
}

fn list(texts: &[&str]) -> Vec<Entry> {
    texts.iter().enumerate().map(|(index, text)| Entry { index, text: (*text).to_owned() }).collect()
}

/// Scripts that would notice marks that are not careful.
const NASTY: &[&[&str]] = &[
    &["echo one", "echo two"],
    &["false", "echo $?"],
    &["(exit 42)", "echo $?", "echo $?"],
    &["sh -c 'exit 255'", "test $? = 255 && echo right"],
    &["X=5", "echo $X", "export X", "sh -c 'echo $X'"],
    &["cd $W", "pwd", "touch here", "ls"],
    &["set -e", "echo a", "false", "echo never"],
    &["set -e", "false || true", "echo on"],
    &["set -e", "false && true", "echo $?", "echo on"],
    &["set -e", "! true", "echo $?"],
    &["set -e", "if false; then echo x; fi", "echo $?"],
    &["set -e", "f() { false; echo in; }", "f || echo handled", "f", "echo never"],
    &["set -e", "x=$(false)", "echo never"],
    &["set -e", "(false)", "echo never"],
    &["set -e", "false | true", "echo $?"],
    &["set -e", "{ false && :; }", "echo $?"],
    &["set -u", "echo $nothing", "echo never"],
    &["set -u", "echo ok", "echo ${nothing:-default}"],
    &["set -x", "echo traced", "false", "echo $?"],
    &["set -ex", "echo a", "X=1", "false", "echo never"],
    &["set -x", "for i in 1 2; do echo $i; done", "set +x", "echo quiet"],
    &["set -f", "echo *", "set +f"],
    &["set -C", "echo a > $W/a", "echo b > $W/a", "echo $?", "cat $W/a"],
    &["set -a", "Y=7", "sh -c 'echo $Y'"],
    &["set -n", "echo never"],
    &["exit 3", "echo never"],
    &["exit", "echo never"],
    &["false", "exit"],
    &["true", "exec false", "echo never"],
    &["exec sh -c 'echo replaced; exit 9'", "echo never"],
    &["exec > $W/out", "echo into file", "echo err >&2"],
    &["exec 2> $W/err", "echo x >&2", "nonsense-command", "echo $?"],
    &["exec 2>&-", "echo gone >&2", "echo still"],
    &["exec 1>&-", "echo gone", "echo $? >&2"],
    &["exec 3> $W/three", "echo three >&3", "exec 3>&-"],
    &["trap 'echo bye $?' EXIT", "echo a", "exit 4"],
    &["trap 'echo bye' EXIT", "false"],
    &["trap 'echo term' TERM", "kill -TERM $$", "echo after"],
    &["kill -KILL $$", "echo never"],
    &["kill -TERM $$", "echo never"],
    &["sleep 0 &", "wait $!", "echo $?"],
    &["(exit 6) &", "P=$!", "wait $P", "echo $?"],
    &["sh -c 'exit 7' & wait $!", "echo $?"],
    &["nonsense-command", "echo $?"],
    &["echo a", "\nnonsense-in-line-four\necho b", "nonsense-in-line-six"],
    &["cat <<EOF\nhere $W\nEOF", "echo after"],
    &["cat <<'EOF' > $W/here\n$W\nEOF", "cat $W/here"],
    &["cat <<-E\n\ttabs\n\tE", "echo after"],
    &["f() {\n  echo in f \"$@\"\n  return 5\n}", "f a 'b c'", "echo $?"],
    &["set -- a 'b c'", "echo $# \"$2\"", "shift", "echo $1"],
    &["IFS=0123456789", "false", "echo $?", "x=a1b", "echo $x"],
    &["umask 077", "touch $W/private", "umask 022", "touch $W/public"],
    &["echo 'quote '\\'' quote'", "'echo' 'a' 'b c'"],
    &["# only a comment", "echo a # behind", "#"],
    &["", "echo a", "", "false", "", "echo $?"],
    &["\n", "\n\necho after lines\n\n", "false\n", "echo $?"],
    &["echo no newline\\c", "printf x", "printf y"],
    &["for i in 1 2 3; do", "echo $i", "done"],
    &["if true; then", "echo yes", "fi"],
    &["cat <<EOF", "text", "EOF", "echo after"],
    &["echo a \\", "b"],
    &["echo 'open", "quote'"],
    &["case x in", "x) echo x;;", "esac"],
    &["echo x; }", "{ echo y"],
    &["fi", "if true; then echo x"],
    &["(echo sub", "echo shell)"],
    &["echo before", "echo )", "echo never"],
    &["echo before", "done", "echo after"],
    &["f() {", "echo f", "}", "f"],
    &["echo a &&", "echo b"],
    &["echo a |", "cat"],
    &["alias ll='echo aliased'", "ll x"],
    &["echo() { printf 'mine %s\\n' \"$*\"; }", "echo a", "false", "echo $?"],
    &["printf() { false; }", "printf a", "command printf b"],
    &["command() { :; }", "echo a", "command echo b", "echo c"],
    &["test() { return 0; }", "test 1 = 2", "echo $?"],
    &["echo $0", "echo ${0##*/}"],
    &["echo a $LINENO", "echo b\necho $LINENO", "echo $LINENO"],
    &["return 3", "echo never-or-not"],
    &["break", "continue", "echo on"],
    &["eval 'X=1; false'", "echo $? $X", "eval 'exit 8'", "echo never"],
    &[". /nonexistent/file", "echo never"],
    &["readonly R=1", "R=2", "echo never"],
    &["echo 'exit 5' > $W/inc", ". $W/inc", "echo never"],
    &["echo 'return 5' > $W/inc", ". $W/inc", "echo $?"],
    &["read x", "echo $? $x", "cat"],
    &["ls /nonexistent-directory", "echo $?"],
    &["PATH=/nonexistent", "ls", "echo $?", "echo on"],
    &["cd /nonexistent || exit 2", "echo never"],
    &["yes | head -n 3", "echo $?"],
    &["head -c 300000 /dev/zero | tr '\\0' x", "echo end"],
    &["printf '\\036 not a mark\\n'", "printf '\\036'", "printf '0123\\n'"],
    &["true && { false; }", "echo $?"],
    &["set -e; trap 'echo left $?' EXIT", "true", "sh -c 'exit 33'"],
    &["while :; do break; done", "until true; do :; done", "echo $?"],
    &["unset PATH HOME IFS PS4X", "echo ok"],
    &["set -v", "echo shown"],
    &["set -o verbose", "echo shown"],
    &["hash -r", "type cd >/dev/null", "echo $?"],
    &["x=1 y=2", "echo $((x + y))", "echo `echo back`"],
    &["echo ä€😀", "printf '\\377\\n'"],
    &["set | grep -c hardtack", "env | grep -c hardtack"],
    &["test -e /proc/$$/fd/9; echo $?", "ls /proc/self/fd | wc -l"],
];

fn shells() -> Vec<String> {
    let mut shells = vec!["/bin/sh".to_owned()];
    for other in ["/bin/bash", "/bin/busybox"] {
        if Path::new(other).exists() {
            shells.push(other.to_owned());
        } else {
            eprintln!("SKIPPED: {other} is not installed, so marks are not tried with it");
        }
    }
    shells
}

#[test]
fn marks_change_nothing_that_anybody_sees() {
    let links = tempfile::tempdir().unwrap();
    for (number, shell) in shells().into_iter().enumerate() {
        // By the name sh, as /bin/sh is a link to one of them.
        let directory = links.path().join(number.to_string());
        fs::create_dir(&directory).unwrap();
        let sh = directory.join("sh");
        std::os::unix::fs::symlink(&shell, &sh).unwrap();
        let sh = sh.to_str().unwrap();
        for texts in NASTY {
            let entries = list(texts);
            let (plain, _) = run_entries(sh, &entries, false);
            let (marked, records) = run_entries(sh, &entries, true);
            assert_eq!(plain, marked, "{shell}: {texts:?}: {records:?}");
        }
    }
}

/// Names, statuses and notes.
fn statuses(record: &[CommandRecord]) -> Vec<(String, Option<i32>, bool)> {
    record.iter().map(|entry| (entry.name.clone(), entry.status, entry.note.is_some())).collect()
}

#[test]
fn every_entry_has_its_status_and_its_output() {
    let (_, records) = run_entries(
        "/bin/sh",
        &list(&["echo one", "ls /nonexistent-x", "", "echo 3; (exit 3)", "true"]),
        true,
    );
    let found: Vec<(Option<i32>, String)> =
        records.iter().map(|record| (record.status, record.tail.clone())).collect();
    assert_eq!(found[0], (Some(0), "one\n".to_owned()));
    assert_eq!(found[1].0, Some(2));
    assert!(found[1].1.contains("nonexistent-x"), "{found:?}");
    assert_eq!(found[2], (Some(2), String::new()));
    assert_eq!(found[3], (Some(3), "3\n".to_owned()));
    assert_eq!(found[4], (Some(0), String::new()));

    let (_, records) = run_entries("/bin/sh", &list(&["set -e", "echo x; false", "true", "true"]), true);
    let expected = [("runcmd[0]", Some(0), false), ("runcmd[1]", Some(1), true)]
        .into_iter()
        .chain([("runcmd[2]", None, true), ("runcmd[3]", None, true)]);
    let expected: Vec<_> = expected.map(|(name, status, note)| (name.to_owned(), status, note)).collect();
    assert_eq!(statuses(&records), expected);
    assert_eq!(records[1].tail, "x\n");

    // Only together are they commands: one record for all.
    let (_, records) = run_entries("/bin/sh", &list(&["if true; then", "echo yes", "fi"]), true);
    assert_eq!(statuses(&records), [("runcmd".to_owned(), Some(0), false)]);
    assert_eq!(records[0].tail, "yes\n");
}

#[test]
fn the_end_of_long_output_is_kept() {
    let (seen, records) = run_entries("/bin/sh", &list(&["seq 1 5000", "echo end"]), true);
    assert_eq!(seen.output.lines().count(), 5001);
    assert!(records[0].tail.len() <= 2048 && records[0].tail.ends_with("4999\n5000\n"));
    assert_eq!(records[1].tail, "end\n");
}

#[test]
fn what_stays_in_the_background_is_not_waited_for() {
    let started = std::time::Instant::now();
    let (_, records) = run_entries("/bin/sh", &list(&["sleep 30 & echo $! > $W/pid", "echo on"]), true);
    assert_eq!(statuses(&records).iter().filter(|entry| entry.1 == Some(0)).count(), 2);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}

fn script(tree: Tree, path: &str, text: &str, mode: u32) -> Tree {
    let tree = tree.file(path, text);
    fs::set_permissions(tree.host().path(path), fs::Permissions::from_mode(mode)).unwrap();
    tree
}

fn parts(
    tree: &Tree,
    yaml: &str,
    directory: &str,
    prefix: &[&str],
) -> (Result<(), String>, Record, Vec<String>) {
    let mut done = Ok(());
    let (record, told) = with(&tree.host(), yaml, "scripts_user", |cx| {
        done = run_parts(cx, directory, prefix).map_err(|error| error.to_string());
    });
    (done, record, told)
}

#[test]
fn scripts_run_in_the_order_of_their_names() {
    let mut tree = Tree::new().directory("d/directory").file("d/plain", "text");
    for (name, text) in [
        ("d/10", "#!/bin/sh\necho ten\n"),
        ("d/2", "#!/bin/sh\necho two; exit 2\n"),
        ("d/B", "#!/bin/sh\necho B\n"),
        ("d/a", "#!/bin/sh\necho a; kill -9 $$\n"),
        ("d/none", "echo no interpreter\n"),
        ("d/strange", "#!/nonexistent/interpreter\n"),
    ] {
        tree = script(tree, name, text, 0o700);
    }
    tree = script(tree, "d/off", "#!/bin/sh\necho off\n", 0o600)
        .link("d/zlink", "10")
        .link("d/dangling", "nowhere");
    let (done, record, told) = parts(&tree, "", "/d", &[]);
    assert_eq!(done.unwrap_err(), "Runparts: 4 failures (2,a,none,strange) in 7 attempted commands");
    assert_eq!(
        tree.read("var/log/output.log")
            .lines()
            .filter(|line| !line.starts_with("hardtack:"))
            .collect::<Vec<_>>(),
        ["ten", "two", "B", "a", "ten"]
    );
    assert!(told.iter().any(|text| text.contains("/d/off is not run")), "{told:?}");
    let names: Vec<_> = record.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["/d/10", "/d/2", "/d/B", "/d/a", "/d/none", "/d/strange", "/d/zlink"]);
    let statuses: Vec<_> = record.commands.iter().map(|command| command.status).collect();
    assert_eq!(statuses, [Some(0), Some(2), Some(0), None, None, None, Some(0)]);
    assert_eq!(record.commands[3].note.as_deref(), Some("ended by signal 9"));

    let (done, record, _) = parts(&tree, "", "/d", &["/bin/echo", "-n"]);
    assert_eq!(done, Ok(()));
    assert_eq!(record.commands[0].tail, tree.host().path("/d/10").to_string_lossy());
    assert_eq!(parts(&tree, "", "/nowhere", &[]).0, Ok(()));
}

#[test]
fn runcmd_is_taken_apart_only_while_it_is_what_the_configuration_says() {
    let yaml = "runcmd:\n- echo one\n- null\n- [sh, -c, 'exit 4']\n";
    let text = "#!/bin/sh\necho one\n'sh' '-c' 'exit 4'\n";
    let path = RUNCMD_SCRIPT.trim_start_matches('/');
    let tree = script(Tree::new().directory("run"), path, text, 0o700);
    let directory = "/var/lib/cloud/instance/scripts";
    let (done, record, _) = parts(&tree, yaml, directory, &[]);
    assert_eq!(done.unwrap_err(), "Runparts: 1 failures (runcmd) in 1 attempted commands");
    let expected = [("runcmd[0]".to_owned(), Some(0), false), ("runcmd[2]".to_owned(), Some(4), false)];
    assert_eq!(statuses(&record.commands), expected);
    assert_eq!(tree.read(path), text);

    let tree = script(tree, path, "#!/bin/sh\necho other\n", 0o700);
    let (done, record, _) = parts(&tree, yaml, directory, &[]);
    assert_eq!(done, Ok(()));
    assert_eq!(statuses(&record.commands), [(RUNCMD_SCRIPT.to_owned(), Some(0), false)]);
    assert_eq!(fs::read_dir(tree.host().path("/run/hardtack/entries")).unwrap().count(), 0);
}
