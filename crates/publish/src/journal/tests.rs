#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use super::*;

/// An environment whose random numbers count up, so that ids differ.
fn environment() -> Environment {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    Environment {
        variables: BTreeMap::new(),
        home: None,
        now: || SystemTime::UNIX_EPOCH,
        sleep: |_| {},
        trace: None,
        random: |bytes| bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

fn header() -> Header {
    Header {
        place: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        ec2_url: None,
        s3_url: None,
        name: "image".to_owned(),
        inputs: "aa".to_owned(),
    }
}

fn object(key: &str) -> Resource {
    Resource::Object { bucket: "images".to_owned(), key: key.to_owned() }
}

fn open(path: &Path) -> Result<Journal, Error> {
    Journal::open(path, &header(), &environment())
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn refusal(result: Result<Journal, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_written_down_is_there_in_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    assert!(!journal.resumed());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = journal.intend("r", &object("a")).unwrap();
    assert_eq!(journal.intend("r", &object("a")).unwrap(), first);
    assert_ne!(journal.intend("other", &object("a")).unwrap(), first);
    let second = journal.intend("r", &object("b")).unwrap();
    journal.made(first, "id").unwrap();
    journal.removed(second).unwrap();
    journal.removed(second).unwrap();
    journal.keep("block/2", &json!("two")).unwrap();
    journal.keep("block/1", &json!({"n": 1})).unwrap();
    journal.keep("block/1", &json!(1)).unwrap();
    journal.keep("blocks", &json!(null)).unwrap();
    let (id, token) = (journal.id(), journal.token("snapshot"));
    assert_eq!((token.len(), journal.token("image") == token), (41, false));
    assert_eq!(journal.tags(), [(TAG.to_owned(), id.clone())]);
    let lines = text(&path);
    journal.keep("block/1", &json!(1)).unwrap();
    assert_eq!(text(&path), lines, "what is kept already is not written again");
    drop(journal);

    let journal = open(&path).unwrap();
    assert!(journal.resumed());
    assert_eq!((journal.id(), journal.token("snapshot")), (id, token));
    let standing = journal.standing();
    assert_eq!(standing.len(), 2);
    assert_eq!((standing[0].id.as_deref(), &standing[0].resource), (Some("id"), &object("a")));
    assert_eq!(journal.find("other", &object("a")), Some(standing[1].clone()));
    assert_eq!(journal.find("r", &object("b")), None);
    let kept = journal.kept_all("block/");
    assert_eq!(kept, [("1".to_owned(), json!(1)), ("2".to_owned(), json!("two"))]);
    assert_eq!((journal.kept("blocks"), journal.kept("block")), (Some(json!(null)), None));
    // A name that was removed is free again, with another ticket.
    assert_ne!(journal.intend("r", &object("b")).unwrap(), second);
}

#[test]
fn a_finished_journal_keeps_what_stands_and_no_values() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    journal.keep("session", &json!("00112233445566778899aabbccddeeff")).unwrap();
    let ticket = journal.intend("r", &Resource::Image { name: "image".to_owned(), location: None }).unwrap();
    journal.made(ticket, "ami-1").unwrap();
    assert!(!format!("{journal:?}").contains("00112233"));
    journal.finish(&json!({"image": "ami-1"})).unwrap();
    assert!(!text(&path).contains("00112233"));
    assert_eq!(journal.kept("session"), None);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // The lock went with the file.
    assert!(refusal(open(&path)).contains("another hardtack works with this journal"));
    let last = journal.intend("r", &object("later")).unwrap();
    drop(journal);
    let journal = Journal::existing(&path).unwrap();
    assert_eq!(journal.result(), Some(json!({"image": "ami-1"})));
    assert_eq!(journal.standing().len(), 2);
    assert_eq!(journal.standing()[0].id.as_deref(), Some("ami-1"));
    journal.made(last, "").unwrap();
    journal.remove().unwrap();
    assert!(!path.exists());
    assert!(refusal(Journal::existing(&path)).contains("cannot open the journal"));
}

#[test]
fn a_line_that_was_cut_off_is_gone_at_any_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    journal.intend("r", &object("a")).unwrap();
    journal.intend("r", &object("b")).unwrap();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').map(|at| at + 1).collect();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = open(&path).unwrap();
        let lines = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!((journal.resumed(), journal.standing().len()), (lines > 0, lines.max(1) - 1), "{cut}");
        journal.intend("r", &object("c")).unwrap();
        drop(journal);
        assert_eq!(Journal::existing(&path).unwrap().standing().len(), lines.max(1), "{cut}");
    }
    fs::write(&path, [&whole[..], &[0; 4096]].concat()).unwrap();
    assert_eq!(open(&path).unwrap().standing().len(), 2);
    fs::write(&path, "").unwrap();
    assert!(refusal(Journal::existing(&path)).contains("nothing is in this journal"));
}

#[test]
fn lines_that_are_none_of_ours_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    drop(open(&path).unwrap());
    let head = text(&path);
    let intend = |ticket: &str| {
        let resource = r#"{"kind":"bucket","name":"x"}"#;
        format!("{{\"record\":\"intend\",\"ticket\":{ticket},\"region\":\"\",\"resource\":{resource}}}\n")
    };
    let huge = format!("\"{}\"\n", "x".repeat(1 << 20));
    let deep = format!("{}\n", "[".repeat(100_000));
    for (lines, what) in [
        ("\n", "no JSON"),
        ("{}\n", "no record that this version knows"),
        ("{\"record\":\"keep\",\"key\":\"canary\n", "no JSON"),
        ("{\"record\":\"secret-canary\"}\n", "no record that this version knows"),
        ("{\"record\":\"made\",\"ticket\":7,\"id\":\"\"}\n", "ticket 7 stands"),
        ("{\"record\":\"removed\",\"ticket\":7}\n", "ticket 7 stands"),
        (&*head, "second header"),
        (&*format!("{}{}", intend("1"), intend("1")), "ticket 1 is given twice"),
        (&*intend("18446744073709551615"), "no ticket comes after"),
        (&*intend("-1"), "no record that this version knows"),
        (&*huge, "longer than 1 MiB"),
        (&*deep, "no record that this version knows"),
    ] {
        fs::write(&path, format!("{head}{lines}")).unwrap();
        let text = refusal(open(&path));
        assert!(text.contains(what) && text.contains(", line "), "{text}");
        assert!(!text.contains("canary"), "{text}");
        assert!(fs::read_to_string(&path).unwrap().ends_with(lines), "nothing is cut off");
    }
    fs::write(&path, [head.as_bytes(), b"\xff\xfe\n"].concat()).unwrap();
    assert!(refusal(open(&path)).contains("line 2: no record"));
    fs::write(&path, intend("0")).unwrap();
    assert!(
        refusal(open(&path)).contains("line 1: no record of a journal: it is a record before the header")
    );
    fs::write(&path, head.replace("\"version\":1", "\"version\":2")).unwrap();
    assert!(refusal(open(&path)).contains("version 2"));
    fs::write(&path, head.replace("\"id\":\"", "\"id\":\"x")).unwrap();
    assert!(refusal(open(&path)).contains("hexadecimal digits"));
}

#[test]
fn a_journal_of_another_run_is_refused_with_what_differs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    let ticket = journal.intend("r", &object("a")).unwrap();
    drop(journal);
    let other = |change: &dyn Fn(&mut Header)| {
        let mut header = header();
        change(&mut header);
        refusal(Journal::open(&path, &header, &environment()))
    };
    for (text, what) in [
        (
            other(&|header| header.name = "second".to_owned()),
            "its image's name is \"image\", and now it is \"second\"",
        ),
        (other(&|header| header.region = "us-east-1".to_owned()), "region"),
        (other(&|header| header.place = "euca".to_owned()), "place"),
        (other(&|header| header.ec2_url = Some("http://x".to_owned())), "EC2 address"),
        (other(&|header| header.inputs = "bb".to_owned()), "another source, recipe or options"),
    ] {
        assert!(
            text.contains(what) && text.contains("hardtack undo ") && text.contains("--journal"),
            "{text}"
        );
    }
    // What came to nothing is in nobody's way.
    let journal = open(&path).unwrap();
    let id = journal.id();
    journal.keep("session", &json!("00112233445566778899aabbccddeeff")).unwrap();
    journal.removed(ticket).unwrap();
    drop(journal);
    let second = Header { name: "second".to_owned(), ..header() };
    let mut others = environment();
    others.random = |bytes| bytes.fill(9);
    let journal = Journal::open(&path, &second, &others).unwrap();
    assert_eq!((journal.header(), journal.resumed(), journal.kept("session")), (second.clone(), false, None));
    assert_ne!(journal.id(), id, "what the first run may have sent is not taken for the second's");
    assert!(refusal(open(&path)).contains("another hardtack works with this journal"), "the lock goes on");
    journal.intend("r", &object("b")).unwrap();
    drop(journal);
    assert!(refusal(open(&path)).contains("second"));
    assert_eq!(Journal::open(&path, &second, &environment()).unwrap().standing().len(), 1);
}

#[test]
fn one_process_at_a_time_and_nobody_elses_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    assert!(refusal(open(&path)).contains("another hardtack works with this journal"));
    assert!(refusal(Journal::existing(&path)).contains("another hardtack works with this journal"));
    drop(journal);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refusal(open(&path)).contains("mode 0640"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(refusal(open(&link)).contains("symbolic link"));
    assert!(refusal(open(directory.path())).contains("journal"));
    let missing = directory.path().join("no/journal");
    assert!(refusal(open(&missing)).contains("no/journal"));
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(refusal(open(&fifo)).contains("regular file"));
}

#[test]
fn threads_write_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0..500 {
                    journal.keep(&format!("block/{thread}/{number}"), &json!(number)).unwrap();
                }
                for number in 0..5 {
                    let ticket = journal.intend("", &object(&format!("{thread}/{number}"))).unwrap();
                    journal.made(ticket, "").unwrap();
                }
            });
        }
    });
    drop(journal);
    let journal = Journal::existing(&path).unwrap();
    assert_eq!((journal.kept_all("block/").len(), journal.standing().len()), (2000, 20));
    assert!(journal.standing().iter().all(|standing| standing.id.as_deref() == Some("")));
}

#[test]
fn a_file_that_is_no_journal_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    for content in ["secret-token-without-an-end", "{\"record\":\"keep\"", "{\"a\": 1}", "\u{1}\u{0}"] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for refused in [refusal(open(&path)), refusal(Journal::existing(&path))] {
            assert!(refused.contains("this is no journal") && !refused.contains("secret"), "{refused}");
            assert_eq!(text(&path), content);
        }
    }
}

#[test]
fn what_no_line_holds_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let journal = open(&path).unwrap();
    let long = "x".repeat(2 << 20);
    assert!(journal.intend("r", &object(&long)).unwrap_err().to_string().contains("1 MiB"));
    journal.keep("long", &json!(long)).unwrap();
    let first = journal.intend("r", &object("a")).unwrap();
    journal.made(first, "id").unwrap();
    drop(journal);
    let journal = open(&path).unwrap();
    assert_eq!((journal.standing().len(), journal.kept("long")), (1, None));
}
