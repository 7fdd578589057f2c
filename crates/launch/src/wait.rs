//! Waiting for instances: until they run, answer SSH, or have told their credentials.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hardtack_publish::Teller;
use hardtack_publish::poll::{Fresh, Poll};
use hardtack_publish::refusal::missing;

use crate::Error;
use crate::console::stuck::Stuck;
use crate::console::{Console, Seen, advice, last_lines};
use crate::machine::{Machine, Machines, Part, Selection};
use crate::news::News;

/// A try of SSH: connecting, and then being greeted.
const TRY: Duration = if cfg!(test) { Duration::from_millis(400) } else { Duration::from_secs(4) };
/// What a server may say before its greeting (RFC 4253, section 4.2, names no bound).
const GREETING: usize = 4096;
/// What is waited for is told this often.
const TOLD: Duration = Duration::from_secs(60);
/// Columns of a console's last line in that.
const LINE: usize = 80;

/// Waits until all of `ids` run. One that ends instead is an error with its reason.
///
/// # Errors
/// Time is up; one has ended; no answer.
pub fn running(
    machines: &dyn Machines,
    ids: &[String],
    timeout: Duration,
    tell: &dyn Teller,
) -> Result<Vec<Machine>, Error> {
    until(machines, ids, timeout, tell, false, |machine| match machine.instance.state.name.as_str() {
        "running" => None,
        state => Some(format!("{} is {state}", machine.instance.id)),
    })
}

/// Waits until SSH greets at each of `ids` (a server says `SSH-2.0-…` first; a port that is open and silent, as of QEMU
/// before the guest listens, does not count). What is told once a minute has the console's last line; one that stands where
/// no boot goes on for a minute is not waited for.
///
/// # Errors
/// As [`running`]; a console stands still.
pub fn ssh(
    machines: &dyn Machines,
    ids: &[String],
    timeout: Duration,
    tell: &dyn Teller,
) -> Result<Vec<Machine>, Error> {
    let mut greeted: Vec<String> = Vec::new();
    until(machines, ids, timeout, tell, true, |machine| {
        let id = &machine.instance.id;
        if greeted.contains(id) {
            return None;
        }
        let Some((host, port)) = machine.host() else {
            return Some(format!("{id} is {}, and has no address yet", machine.instance.state.name));
        };
        match greets(&host, port) {
            Ok(()) => {
                greeted.push(id.clone());
                None
            }
            Err(why) => {
                Some(format!("{id} is {}, and SSH at {host} port {port}: {why}", machine.instance.state.name))
            }
        }
    })
}

/// Looks until `lacks` says of none of them what is missing. `consoles`: theirs are looked at, too.
fn until(
    machines: &dyn Machines,
    ids: &[String],
    timeout: Duration,
    tell: &dyn Teller,
    consoles: bool,
    mut lacks: impl FnMut(&Machine) -> Option<String>,
) -> Result<Vec<Machine>, Error> {
    let environment = machines.environment();
    let started = (environment.now)();
    let mut poll = Poll::over(environment, tell);
    let mut fresh = Fresh::over(environment).at_most(timeout);
    let which = Selection::Ids(ids.to_vec());
    let mut told: Option<Duration> = None;
    let (mut news, mut stands) = (News::default(), (String::new(), Stuck::default()));
    loop {
        let described = machines.describe(&which);
        let spent = (environment.now)().duration_since(started).unwrap_or_default().max(poll.waited());
        let over = spent >= timeout;
        let found = match described {
            // They were started a moment ago.
            Err(Error::Cloud(error)) if missing(&error) => {
                if over || !fresh.again() {
                    return Err(error.into());
                }
                continue;
            }
            Err(Error::Cloud(error)) if !over => {
                poll.endure(error)?;
                continue;
            }
            other => other?,
        };
        let found: Vec<Machine> = ids
            .iter()
            .filter_map(|id| found.iter().find(|machine| machine.instance.id == *id))
            .cloned()
            .collect();
        if let Some(ended) = found.iter().find_map(ended) {
            return Err(Error::No(ended));
        }
        ids.iter().for_each(|id| news.tell(machines, id, tell));
        let state = if found.len() < ids.len() {
            Some((None, format!("{} of {} instances are known", found.len(), ids.len())))
        } else {
            found.iter().find_map(|machine| Some((Some(machine), lacks(machine)?)))
        };
        let Some((whose, mut state)) = state else { return Ok(found) };
        if over {
            return Err(Error::No(format!("{state} after {} s, and goes on", timeout.as_secs())));
        }
        if told.is_none_or(|at| spent >= at + TOLD) {
            told = Some(spent);
            if let Some(machine) = whose.filter(|_| consoles) {
                let id = &machine.instance.id;
                if stands.0 != *id {
                    stands = (id.clone(), Stuck::default());
                }
                let console = console(machines, id);
                if let Some(what) = stands.1.look(spent, console.text()) {
                    let seen = Seen { machine: machine.clone(), console, credentials: false };
                    return Err(Error::No(format!(
                        "{id} has stood at {what} for a minute: {}",
                        advice(&seen)
                    )));
                }
                if let Some(line) = last_lines(console.text(), 1).pop() {
                    state = format!("{state}; last line: {}", line.chars().take(LINE).collect::<String>());
                }
            }
            tell.note(&state);
        }
        poll.rest(timeout - spent);
    }
}

/// What its console says now, as far as that is known: nothing else waits for it.
fn console(machines: &dyn Machines, id: &str) -> Console {
    let mut console = Console::default();
    for part in [Part::Latest, Part::Kept] {
        if let Ok(Some(window)) = machines.console(id, part) {
            console.take(&window);
            break;
        }
    }
    console
}

/// How it ended, if it did.
fn ended(machine: &Machine) -> Option<String> {
    let state = &machine.instance.state;
    if !machine.has_ended() {
        return None;
    }
    let why: String = state
        .reason
        .as_deref()
        .unwrap_or("and nothing says why")
        .chars()
        .filter(|char| !char.is_control())
        .take(300)
        .collect();
    Some(format!("{} is {} instead of running: {why}", machine.instance.id, state.name))
}

/// Whether a server of SSH greets there, within a few seconds; why not.
fn greets(host: &str, port: u16) -> Result<(), String> {
    let address: IpAddr = host.parse().map_err(|_| "its address is none".to_owned())?;
    let until = Instant::now() + TRY;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), TRY)
        .map_err(|error| format!("no connection ({})", error.kind()))?;
    let mut said = Vec::new();
    while said.len() < GREETING {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            break;
        }
        let mut buffer = [0; 256];
        match stream.read(&mut buffer) {
            Ok(0) => return Err("the connection is closed without a greeting".to_owned()),
            Ok(count) => said.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if said.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"SSH-")) {
            return Ok(());
        }
    }
    Err("the port is open and nobody greets yet".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use hardtack_publish::Silent;

    use super::*;
    use crate::console::script::{Answer, Script, at};

    /// What people are told.
    #[derive(Default)]
    struct Said(std::sync::Mutex<Vec<String>>);

    impl Teller for Said {
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }

        fn progress(&self, _: &str, _: u64, _: u64) {}

        fn waiting(&self, _: &str) {}
    }

    /// A port that says `text` to each and goes on listening; nothing where it is empty.
    fn says(text: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.write_all(text.as_bytes());
                open.push(stream);
            }
        });
        port
    }

    #[test]
    fn only_a_greeting_counts() {
        assert!(greets("127.0.0.1", says("SSH-2.0-OpenSSH_9.2\r\n")).is_ok());
        assert!(greets("127.0.0.1", says("Welcome\r\nSSH-2.0-x\r\n")).is_ok());
        assert!(greets("127.0.0.1", says("220 mail\r\n")).unwrap_err().contains("nobody greets"));
        assert!(greets("not.an.address", 22).is_err());
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(greets("127.0.0.1", closed).unwrap_err().contains("no connection"));
    }

    #[test]
    fn running_instances_are_given_and_ended_ones_are_told() {
        let ids = vec!["i-0123456789abcdef0".to_owned()];
        let wait = |states: &[&'static str]| {
            let mut script = Script::new(&[], &[]);
            script.states = states.to_vec();
            running(&script, &ids, Duration::from_secs(60), &Silent)
        };
        assert_eq!(wait(&["pending", "pending", "running"]).unwrap()[0].instance.state.name, "running");
        let error = wait(&["pending", "terminated"]).unwrap_err().to_string();
        assert!(error.contains("terminated instead of running"), "{error}");
        let error = wait(&["pending"]).unwrap_err().to_string();
        assert!(error.contains("is pending after 60 s"), "{error}");
        assert_eq!(at(&[1, 2], 5), 2);
    }

    #[test]
    fn what_waits_for_ssh_has_a_console() {
        let ids = vec!["i-0123456789abcdef0".to_owned()];
        let wait = |text: &str| {
            let mut script = Script::new(&[Answer::No], &[Answer::Window(text.to_owned())]);
            script.notes = vec!["KVM hangs here; i-0123456789abcdef0 is started anew with TCG".to_owned()];
            let said = Said::default();
            let error = ssh(&script, &ids, Duration::from_secs(600), &said).unwrap_err().to_string();
            (error, said.0.into_inner().unwrap())
        };
        let (error, said) = wait("[ 1.0] x\r\nALERT! no root\r\n(initramfs) ");
        assert!(error.contains("initramfs' prompt for a minute: the initramfs does not find"), "{error}");
        assert_eq!(said.iter().filter(|note| note.contains("started anew with TCG")).count(), 1, "{said:?}");
        assert!(said.iter().any(|note| note.ends_with("last line: (initramfs)")), "{said:?}");
        let (error, said) = wait("[ 1.0] a service starts\r\n");
        assert!(error.contains("after 600 s"), "{error}");
        assert!(said.iter().filter(|note| note.ends_with("last line: [ 1.0] a service starts")).count() > 5);
    }

    #[test]
    fn ssh_is_asked_at_the_port_of_this_machine() {
        let ids = vec!["i-0123456789abcdef0".to_owned()];
        let mut script = Script::new(&[Answer::No], &[Answer::No]);
        script.ssh = Some(("127.0.0.1".to_owned(), says("SSH-2.0-x\r\n")));
        assert!(ssh(&script, &ids, Duration::from_secs(60), &Silent).is_ok());
        script.ssh = None;
        let error = ssh(&script, &ids, Duration::from_secs(60), &Silent).unwrap_err().to_string();
        assert!(error.contains("no address yet"), "{error}");
    }
}
