#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;

use super::*;
use crate::Silent;

struct Scripted {
    texts: Vec<&'static str>,
    port: Option<u16>,
    end: Option<&'static str>,
}

impl Machine for Scripted {
    fn id(&self) -> String {
        "i-1".to_owned()
    }

    fn console(&mut self) -> Result<String, Error> {
        Ok(if self.texts.len() > 1 { self.texts.remove(0) } else { self.texts[0] }.to_owned())
    }

    fn ended(&mut self) -> Result<Option<String>, Error> {
        Ok(self.end.map(str::to_owned))
    }

    fn port(&mut self, _: u16) -> Result<Option<(String, u16)>, Error> {
        Ok(self.port.map(|port| ("127.0.0.1".to_owned(), port)))
    }
}

/// A clock that is an hour on at each look.
fn environment(hours: bool) -> Environment {
    fn later() -> SystemTime {
        use std::sync::atomic::{AtomicU64, Ordering};
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * LOOKS.fetch_add(1, Ordering::Relaxed))
    }
    Environment {
        variables: BTreeMap::new(),
        home: None,
        now: if hours { later } else { SystemTime::now },
        sleep: |_| {},
        random: |buffer| buffer.fill(1),
        trace: None,
    }
}

fn trial(checks: Vec<Check>) -> Trial {
    Trial {
        user_data: b"password".to_vec(),
        instance_type: "t3.small".to_owned(),
        key_name: None,
        subnet: None,
        groups: Vec::new(),
        public_address: None,
        timeout: Duration::from_secs(600),
        checks,
    }
}

fn says(text: &'static str) -> Check {
    let found: Finder = Arc::new(move |console| console.contains(text));
    Check::Console { what: format!("the console says {text}"), found }
}

fn program(script: &str) -> Check {
    Check::Run(["sh", "-c", script].map(str::to_owned).to_vec())
}

#[test]
fn what_comes_late_comes_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let console = folder.path().join("console");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-x\r\n").unwrap();
    });
    let script =
        "test $HARDTACK_INSTANCE = i-1 && test -n \"$HARDTACK_PORT_22\" && grep -q login: $HARDTACK_CONSOLE";
    let mut machine = Scripted { texts: vec!["", "Linux", "Linux\nlogin:"], port: Some(port), end: None };
    let trial = trial(vec![program(script), says("login:"), Check::Port(22)]);
    watch(&mut machine, &trial, &console, &environment(false), &Silent).unwrap();
    assert!(!console.exists());
    assert!(!format!("{trial:?}").contains("password"));
}

#[test]
fn what_fails_is_named_and_the_console_stays() {
    let folder = tempfile::tempdir().unwrap();
    let console = folder.path().join("console");
    let fails = |checks, end, hours| {
        let mut machine = Scripted { texts: vec!["panic"], port: None, end };
        match watch(&mut machine, &trial(checks), &console, &environment(hours), &Silent) {
            Err(Error::No(text)) => text,
            other => panic!("{other:?}"),
        }
    };
    let text = fails(vec![says("login:")], Some("terminated: by itself"), false);
    assert!(text.contains("terminated: by itself") && text.contains("login:"), "{text}");
    assert_eq!(std::fs::read_to_string(&console).unwrap(), "panic");
    let text = fails(vec![says("panic"), Check::Port(22)], None, true);
    assert!(text.contains("port 22 answers") && text.contains("600 s"), "{text}");
    let text = fails(vec![program("exit 3")], None, false);
    assert!(text.contains("sh ended with") && text.contains('3'), "{text}");
    let text = fails(vec![program("sleep 60")], None, true);
    assert!(text.contains("not ended in time"), "{text}");
}

#[test]
fn a_connection_that_ends_at_once_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            drop(stream);
        }
    });
    assert!(!answers("127.0.0.1", port, false));
    assert!(!answers("127.0.0.1", port, true));
}

#[test]
fn machines_that_cannot_be_started_are_refused_before() {
    let environment = environment(false);
    use hardtack_local::Error as Local;
    assert!(matches!(check_qemu("arm64", false, &environment), Err(Error::Local(Local::Refused(_)))));
    assert!(matches!(check_qemu("x86_64", false, &environment), Err(Error::Local(Local::Usage(_)))));
}

#[test]
fn a_console_is_never_written_over_the_journal_or_through_a_link() {
    let name = |journal: &str| console_of(Path::new(journal)).display().to_string();
    assert_eq!(
        (name("a/web.journal"), name("web.console")),
        ("a/web.console".into(), "web.test.console".into())
    );
    assert_eq!((name("web.seed"), name("web")), ("web.test.console".into(), "web.console".into()));
    let folder = tempfile::tempdir().unwrap();
    let (link, file) = (folder.path().join("link"), folder.path().join("file"));
    std::fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(keep(&link, "login:").is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    keep(&file, "login:").unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap()) & 0o777, 0o600);
}
