//! QEMU's monitor: JSON lines on a Unix socket (QEMU's `docs/interop/qmp-spec.rst`).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// No answer that is of use is longer.
const LONGEST: usize = 4 << 20;
/// Events that nobody has asked for yet.
const EVENTS: usize = 256;

/// Something that happened to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `SHUTDOWN`, `RESET` ….
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// A connection.
#[derive(Debug)]
pub struct Monitor {
    stream: UnixStream,
    rest: Vec<u8>,
    events: VecDeque<Event>,
}

impl Monitor {
    /// Connects and agrees on what is spoken.
    ///
    /// # Errors
    /// Nobody listens yet; somebody else's answer.
    pub fn connect(socket: &Path, patience: Duration) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut monitor = Self { stream, rest: Vec::new(), events: VecDeque::new() };
        let greeting = monitor.line()?;
        if greeting.get("QMP").is_none() {
            return Err(std::io::Error::new(ErrorKind::InvalidData, "it is no monitor of QEMU"));
        }
        monitor.ask("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Calls a command.
    ///
    /// # Errors
    /// No answer in time; QEMU refuses.
    pub fn ask(&mut self, command: &str, arguments: &Value) -> std::io::Result<Value> {
        let line = format!("{}\n", json!({"execute": command, "arguments": arguments}));
        self.stream.write_all(line.as_bytes())?;
        for _ in 0..EVENTS {
            let answer = self.line()?;
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = answer.get("error") {
                let text = error.get("desc").and_then(Value::as_str).unwrap_or("it gives no reason");
                return Err(std::io::Error::other(format!("QEMU refuses {command}: {text}")));
            }
            self.note(&answer);
        }
        Err(std::io::Error::new(ErrorKind::InvalidData, "QEMU tells of events only"))
    }

    /// All reads and writes of disks so far: how many, and how many of them were writes.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn operations(&mut self) -> std::io::Result<(u64, u64)> {
        let stats = self.ask("query-blockstats", &json!({}))?;
        let count = |disk: &Value, name: &str| {
            disk.get("stats").and_then(|stats| stats.get(name)).and_then(Value::as_u64).unwrap_or(0)
        };
        let disks = stats.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(disks.iter().fold((0_u64, 0_u64), |(all, writes), disk| {
            let wrote = count(disk, "wr_operations");
            (
                all.saturating_add(count(disk, "rd_operations")).saturating_add(wrote),
                writes.saturating_add(wrote),
            )
        }))
    }

    /// What has happened since the last look; also after QEMU's end.
    pub fn events(&mut self) -> Vec<Event> {
        // What is there already is read: it does not wait.
        if self.stream.set_nonblocking(true).is_ok() {
            while let Ok(line) = self.line() {
                self.note(&line);
                if self.events.len() >= EVENTS {
                    break;
                }
            }
            let _ = self.stream.set_nonblocking(false);
        }
        self.events.drain(..).collect()
    }

    fn note(&mut self, line: &Value) {
        let Some(name) = line.get("event").and_then(Value::as_str) else { return };
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        let data = line.get("data").cloned().unwrap_or(Value::Null);
        self.events.push_back(Event { name: name.to_owned(), data });
    }

    fn line(&mut self) -> std::io::Result<Value> {
        let mut buffer = [0; 8192];
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error));
            }
            if self.rest.len() > LONGEST {
                return Err(std::io::Error::new(ErrorKind::InvalidData, "an answer is too long"));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.rest.extend_from_slice(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
