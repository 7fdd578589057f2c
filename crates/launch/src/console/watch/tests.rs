//! Consoles of machines that play a script.

use std::sync::Mutex;

use hardtack_credentials::{Block, HostKey, Root, Surroundings, UserCredentials, UserPart, otpauth};

use super::*;
use crate::console::script::{Answer, Script};

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKOqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
const SECRET: &str = "5EENRV74MYRS6G4UYZMKTKSGKM";

/// A block as the agent prints it.
fn block(boot: &str) -> String {
    let user = UserCredentials {
        name: "debian".into(),
        secret: SECRET.into(),
        otpauth: otpauth::url("debian-3fa", "debian", "web-1", None, SECRET),
        scratch_codes: vec!["30116782".into()],
        password: String::new(),
    };
    let block = Block {
        hardtack: 1,
        boot_id: boot.into(),
        instance_id: None,
        hostname: "web-1".into(),
        time: "2026-11-21T10:00:00Z".into(),
        seal: "none".into(),
        users: vec![UserPart::Plain(user)],
        host_keys: vec![HostKey::from_public_file(ED25519).unwrap()],
        root: Root::default(),
        doors: Vec::new(),
        drift: Vec::new(),
    };
    block.render(&Surroundings::default()).replace('\n', "\r\n")
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Teller for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn progress(&self, _: &str, _: u64, _: u64) {}

    fn waiting(&self, _: &str) {}
}

const WAIT: Patience = Patience { timeout: Duration::from_secs(900), wait: true };

fn run(script: &Script, patience: Patience) -> (Seen, Vec<String>) {
    let notes = Notes::default();
    let seen = watch(script, "i-0123456789abcdef0", patience, &notes).unwrap();
    (seen, notes.0.into_inner().unwrap())
}

fn window(text: &str) -> Answer {
    Answer::Window(text.to_owned())
}

/// Lines that no other part of the console has.
fn boot(lines: std::ops::Range<usize>) -> String {
    lines.map(|line| format!("[{line:>9}.000000] a line of the boot\r\n")).collect()
}

#[test]
fn empty_then_the_beginning_then_a_rolling_window() {
    let all = boot(0..3000) + &block("a") + "\r\nweb login: ";
    let last = &all[all.len() - 65536..];
    let kept = [window(""), window(&all[..4000]), window(&all[..65536]), window(last)];
    let (seen, _) = run(&Script::new(&kept, &[Answer::No]), WAIT);
    assert!(seen.credentials);
    assert!(seen.console.text() == all.as_bytes());
}

#[test]
fn what_is_refused_is_asked_for_once() {
    let end = boot(0..5) + &block("a");
    let script = Script::new(&[window(""), window(&boot(0..2)), window(&end)], &[Answer::No]);
    assert!(run(&script, WAIT).0.credentials);
    let asked = script.asked.borrow();
    assert_eq!(asked.iter().filter(|part| **part == Part::Latest).count(), 1);
    assert_eq!(asked.iter().filter(|part| **part == Part::Kept).count(), 3);
}

#[test]
fn throttling_and_faults_are_endured() {
    let faults = [Answer::Fails(503, "RequestLimitExceeded"), Answer::Fails(500, "InternalError")];
    let latest = [faults[0].clone(), faults[1].clone(), faults[0].clone(), window(&block("a"))];
    assert!(run(&Script::new(&[window("")], &latest), WAIT).0.credentials);
    let refused = Script::new(&[Answer::Fails(403, "UnauthorizedOperation")], &[window("")]);
    assert!(watch(&refused, "i-0123456789abcdef0", WAIT, &Notes::default()).is_err());
    let (seen, _) = run(&Script::new(&[window("x")], &[window(&boot(0..2)), faults[1].clone()]), WAIT);
    assert!(!seen.credentials && !seen.console.text().is_empty());
}

#[test]
fn a_damaged_block_is_not_enough_and_a_newer_one_is_waited_for() {
    let damaged = block("a").replacen(SECRET, "5EENRV74MYRS6G4UYZMKTKSGKKM", 1);
    let first = boot(0..20) + &damaged;
    let second = first.clone() + &boot(20..40) + &block("a");
    let script = Script::new(&[window("")], &[window(&first), window(&first), window(&second)]);
    assert!(run(&script, WAIT).0.credentials);
    assert_eq!(script.looks.get(), 3);
    // Of the next boot there is only a half: it comes.
    let (old, new) = (boot(0..20) + &block("a") + &boot(20..40), block("b"));
    let half = old.clone() + new.get(..2001).unwrap();
    let script = Script::new(&[window("")], &[window(&half), window(&half), window(&(old + &new))]);
    let (seen, _) = run(&script, WAIT);
    assert_eq!(read(seen.console.text()).unwrap().newest.block.boot_id, "b");
    // It does not come: what there is counts, soon.
    let script = Script::new(&[window("")], &[window(&half)]);
    assert!(run(&script, WAIT).0.credentials && script.looks.get() < 20);
}

#[test]
fn once_a_minute_a_line_without_secrets() {
    let text = boot(0..300) + "\x1b[31mand this\r\n";
    let (seen, notes) = run(&Script::new(&[window("")], &[window(&text)]), WAIT);
    assert!(!seen.credentials);
    assert!((12..=16).contains(&notes.len()), "{}", notes.len());
    let wanted = format!(
        "i-0123456789abcdef0 is running, {} bytes of console, last line: and this",
        grouped(text.len())
    );
    assert_eq!(notes[1], wanted);
    let open = block("a");
    let (_, notes) = run(&Script::new(&[window("")], &[window(&open[..open.len() - 60])]), WAIT);
    assert!(notes.iter().all(|note| note.contains("not shown")), "{notes:?}");
    assert_eq!(
        [grouped(0), grouped(999), grouped(14_233), grouped(1_000_000)],
        ["0", "999", "14,233", "1,000,000"]
    );
}

#[test]
fn an_end_of_the_instance_ends_it() {
    let mut script =
        Script::new(&[window("")], &[window(&boot(0..3)), Answer::Fails(400, "IncorrectInstanceState")]);
    script.states = vec!["running", "shutting-down", "terminated"];
    script.latest = vec![window(&boot(0..3)), window(&boot(0..3)), script.latest[1].clone()];
    let (seen, _) = run(&script, WAIT);
    assert_eq!((seen.machine.instance.state.name.as_str(), script.looks.get()), ("terminated", 3));
    assert_eq!(seen.console.text(), boot(0..3).as_bytes());
}

#[test]
fn without_waiting_there_is_one_look() {
    let script = Script::new(&[window("x")], &[window(&boot(0..3))]);
    let (seen, notes) = run(&script, Patience { wait: false, ..WAIT });
    assert!(!seen.credentials && notes.is_empty() && script.looks.get() == 1);
}

#[test]
fn a_console_that_stands_at_a_prompt_ends_it() {
    let text = "[ 1.0] x\r\nALERT! UUID=1 does not exist.\r\n(initramfs) ";
    let mut script = Script::new(&[Answer::No], &[window(&boot(0..9)), window(text)]);
    script.notes = vec!["packets are not captured any more: no space".to_owned()];
    let (seen, said) = run(&script, Patience { timeout: Duration::from_secs(3600), wait: true });
    assert!(!seen.credentials);
    let stood = |line: &&String| line.contains("has stood at the initramfs' prompt for a minute");
    assert_eq!(said.iter().filter(stood).count(), 1, "{said:?}");
    assert!(super::super::advice(&seen).contains("initramfs does not find the root disk"));
    let told = |line: &&String| line.contains("0: packets are not captured any more: no space");
    assert_eq!(said.iter().filter(told).count(), 1, "{said:?}");
    // Far fewer looks than in an hour.
    assert!(script.looks.get() < 60, "{}", script.looks.get());
}

#[test]
fn a_damaged_block_is_told_while_it_is_waited_for() {
    let half = boot(0..5) + &block("a")[..699] + "\r\nlast\r\n";
    let (seen, notes) = run(&Script::new(&[window(&half)], &[Answer::No]), WAIT);
    assert!(!seen.credentials);
    assert!(
        notes.iter().any(|note| note.contains("of console, a damaged block is there, last line: ")),
        "{notes:?}"
    );
}
