#![allow(clippy::unwrap_used)]

use super::*;
use crate::execute::testing::with;
use crate::testing::Tree;

fn program<'a>(argv: &'a [&'a str]) -> Program<'a> {
    Program { argv, patience: Some(PATIENCE), ..Program::default() }
}

#[test]
fn output_is_kept_apart_and_bounded() {
    let log = Log::default();
    let argv = ["/bin/sh", "-c", "echo out; echo err >&2; cat; pwd; exit 3"];
    let input = vec![b'x'; 200_000];
    let ended = capture_anywhere(&log, &Program { stdin: Some(&input), ..program(&argv) }).unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(ended.stdout.len(), 4 + 200_000 + 2);
    assert!(ended.text().ends_with("x/\n") && ended.complained);
    assert_eq!(ended.tail.text(), "err\n");
    assert_eq!(failure("prog", &ended, None).to_string(), "prog ended with status 3: err");
    assert_eq!(failure("prog", &ended, Some(b"joe:err\n")).to_string(), "prog ended with status 3");
    assert_eq!(failed("prog", &ended).to_string(), "prog ended with status 3");

    let ended = capture_anywhere(&log, &program(&["/bin/sh", "-c", "head -c 3000000 /dev/zero"])).unwrap();
    assert_eq!(ended.stdout.len(), MOST);
}

#[test]
fn nobody_waits_for_ever() {
    let log = Log::default();
    let argv = ["/bin/sh", "-c", "exec sleep 600"];
    let short = Program { patience: Some(Duration::from_millis(50)), ..program(&argv) };
    assert!(capture_anywhere(&log, &short).unwrap_err().to_string().contains("was ended"));
    // Its child keeps the pipes.
    let ended = capture_anywhere(&log, &program(&["/bin/sh", "-c", "sleep 20 & echo on"])).unwrap();
    assert_eq!(ended.text(), "on\n");
    let missing = capture_anywhere(&log, &program(&["/nonexistent/program"])).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/program cannot be run"), "{missing}");
}

#[test]
fn nothing_of_another_root_is_run() {
    let tree = Tree::new();
    with(&tree.host(), "", "users_groups", |cx| {
        let error = run(cx, &["touch".to_owned(), "/x".to_owned()], None, &[]).unwrap_err().to_string();
        assert!(error.contains("is not the running machine"), "{error}");
    });
}

#[test]
fn tails_end_at_characters() {
    let mut tail = Tail::default();
    for _ in 0..2000 {
        tail.push("ä€".as_bytes());
    }
    assert!(tail.text().len() <= TAIL && !tail.text().contains('\u{fffd}'));
    assert_eq!(Tail::default().last_line(), None);
}
