//! What the agent says while it applies user-data: `/var/log/cloud-init.log`, the console, and where the key
//! `output` sends what programs print, as a rule `/var/log/cloud-init-output.log`; with the modes that cloud-init
//! gives these files (`cloudinit/stages.py`: `_initialize_filesystem`; `cloudinit/util.py`: `fixup_output`).
//!
//! Warnings and errors are kept besides, for `status.json` (`recoverable_errors`), which is everybody's to read. What
//! the configuration holds of secrets is taken out of every line.

mod filter;
mod redirect;
mod stream;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{PipeWriter, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hardtack_userdata::redact::Redactor;
use hardtack_userdata::{Kind, Map};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::host::Host;
pub(crate) use filter::Filter;
use redirect::{Target, Targets};
pub(crate) use stream::Seen;
use stream::Stream;

const LOG: &str = "/var/log/cloud-init.log";
const OUTPUT: &str = "/var/log/cloud-init-output.log";
/// The most that others may do with the log.
const LOG_MODE: u32 = 0o640;

/// A text that was told, by its level: `WARNING` or `ERROR`.
pub(crate) type Told = (&'static str, String);

/// Where things are said.
#[derive(Debug)]
pub(crate) struct Log {
    log: Option<RefCell<File>>,
    /// Standard output, and standard error where it goes another way.
    streams: RefCell<(Stream, Option<Stream>)>,
    /// What the streams are now.
    targets: RefCell<Targets>,
    console: PathBuf,
    told: RefCell<Vec<Told>>,
    /// Knows the secrets of the configuration.
    redactor: RefCell<Redactor>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            log: None,
            streams: RefCell::new((Stream::plain(false), None)),
            targets: RefCell::default(),
            console: PathBuf::new(),
            told: RefCell::default(),
            redactor: RefCell::default(),
        }
    }
}

impl Log {
    /// Opens the files of `host`, before anything is known of its configuration. What cannot be opened is done
    /// without: a full disk must not keep anybody out.
    pub(crate) fn open(host: &Host) -> Self {
        let usual = Some(Target::Tee(OUTPUT.to_owned()));
        let mut log = Self::default();
        log.log = open(host, LOG).map(RefCell::new);
        log.console = host.path("/dev/console");
        log.redirect_to(host, (usual.clone(), usual));
        log
    }

    /// Does what the keys `output`, `def_log_file` and `syslog_fix_perms` say. `stage` is `init`, `config` or
    /// `final`. Called again when user-data has come, since that may say something else.
    ///
    /// A configuration without `output` leaves all as it is: on the console and in the usual file.
    pub(crate) fn configure(&self, host: &Host, config: &Map, stage: &str) {
        self.hide_secrets(config);
        self.own_log(host, config);
        match redirect::targets(config, stage) {
            Ok(Some(targets)) => self.redirect_to(host, targets),
            Ok(None) => {}
            Err(why) => self.warn(&why),
        }
    }

    fn redirect_to(&self, host: &Host, targets: Targets) {
        if *self.targets.borrow() == targets {
            return;
        }
        // The file may be the same one, and be cut.
        self.forward(&mut |_| ());
        let mut failures = Vec::new();
        let mut one = |target: &Option<Target>, is_error: bool| match target {
            None => Stream::plain(is_error),
            Some(target) => {
                let (stream, failed) = Stream::open(host, target, is_error);
                failures.extend(failed);
                stream
            }
        };
        let out = one(&targets.0, false);
        let error = (targets.0 != targets.1).then(|| one(&targets.1, true));
        let old = self.streams.replace((out, error));
        old.0.finish();
        if let Some(error) = old.1 {
            error.finish();
        }
        self.targets.replace(targets);
        for failure in failures {
            self.warn(&failure);
        }
    }

    /// `def_log_file` is ours to place; `syslog_fix_perms` names its owners, the first of which counts that exist.
    fn own_log(&self, host: &Host, config: &Map) {
        let Some(file) = &self.log else { return };
        let value = config.iter().find(|(key, _)| key.as_text() == Some("syslog_fix_perms"));
        let pairs: Vec<&str> = match value.map(|(_, value)| &value.kind) {
            Some(Kind::Text(text)) => vec![text],
            Some(Kind::List(items)) => items.iter().filter_map(|item| item.as_text()).collect(),
            _ => return,
        };
        let named = |name: &str| !matches!(name.to_lowercase().as_str(), "" | "-1" | "none");
        for pair in pairs {
            let (user, group) = pair.split_once(':').unwrap_or((pair, ""));
            let pick = |name: &str| Some(name.trim().to_owned()).filter(|name| named(name));
            let owner = hardtack_modules::Owner { user: pick(user), group: pick(group) };
            if let Ok((user, group)) = crate::execute::numbers(host, &owner) {
                let _ = fchown(&*file.borrow(), user, group);
                return;
            }
        }
    }

    /// What happens.
    pub(crate) fn info(&self, text: &str) {
        self.line("INFO", text);
    }

    /// What did not go as somebody wanted.
    pub(crate) fn warn(&self, text: &str) {
        self.tell("WARNING", text);
    }

    /// What failed.
    pub(crate) fn error(&self, text: &str) {
        self.tell("ERROR", text);
    }

    /// Words and output for people: where programs' output goes, behind what they have printed so far.
    pub(crate) fn output(&self, bytes: &[u8]) {
        self.forward(&mut |_| ());
        self.streams.borrow_mut().0.write(bytes);
    }

    /// On the console itself and in no file; what no log may hold. False when the console took nothing.
    pub(crate) fn console(&self, bytes: &[u8]) -> bool {
        self.forward(&mut |_| ());
        let work = || -> std::io::Result<()> {
            // NONBLOCK only for opening, which else waits for a carrier.
            let flags = i32::try_from((OFlags::NOCTTY | OFlags::NONBLOCK).bits()).unwrap_or(0);
            let mut file = OpenOptions::new().append(true).custom_flags(flags).open(&self.console)?;
            let flags = fcntl_getfl(&file)? - OFlags::NONBLOCK;
            fcntl_setfl(&file, flags)?;
            file.write_all(bytes)
        };
        work().is_ok()
    }

    /// On the console itself; where output goes if there is none.
    pub(crate) fn console_or_output(&self, bytes: &[u8]) {
        if !self.console(bytes) {
            self.output(bytes);
        }
    }

    /// What a program is given for its standard output and standard error.
    pub(crate) fn writers(&self) -> std::io::Result<(PipeWriter, PipeWriter)> {
        let mut streams = self.streams.borrow_mut();
        let (out, error) = &mut *streams;
        let first = out.writer()?;
        let second = match error {
            Some(error) => error.writer()?,
            None => first.try_clone()?,
        };
        Ok((first, second))
    }

    /// Hands on what programs have printed; `see` sees it, too. True when there may be more.
    pub(crate) fn forward(&self, see: &mut dyn FnMut(Seen<'_>)) -> bool {
        let mut streams = self.streams.borrow_mut();
        let (out, error) = &mut *streams;
        let more = out.forward(see);
        error.as_mut().is_some_and(|error| error.forward(see)) || more
    }

    /// Looks for marks among what programs print, or no more.
    pub(crate) fn look_for(&self, filter: Option<Filter>, see: &mut dyn FnMut(Seen<'_>)) {
        self.streams.borrow_mut().0.look_for(filter, see);
    }

    /// The number of the descriptor that programs' output is written to, for who opens it by its name in
    /// `/proc/PID/fd`.
    pub(crate) fn writer_number(&self) -> std::io::Result<i32> {
        self.streams.borrow_mut().0.writer_number()
    }

    /// Waits until a program has printed, one of `others` has become readable, or the time is over.
    pub(crate) fn wait(&self, others: &[BorrowedFd<'_>], patience: Duration) {
        let streams = self.streams.borrow();
        let mut wanted: Vec<PollFd<'_>> = Vec::with_capacity(3);
        let ours = [streams.0.reader(), streams.1.as_ref().and_then(Stream::reader)];
        let all = ours.into_iter().flatten().chain(others.iter().copied());
        wanted.extend(all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let patience = Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        let _ = poll(&mut wanted, Some(&patience));
    }

    /// Warnings and errors so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    /// From now on no line has the secrets of `config`.
    pub(crate) fn hide_secrets(&self, config: &Map) {
        self.redactor.replace(Redactor::new(&[config]));
    }

    /// A sentence without the secrets of the configuration.
    pub(crate) fn redacted(&self, text: &str) -> String {
        self.redactor.borrow().text(text)
    }

    fn tell(&self, level: &'static str, text: &str) {
        let text = &plain(&self.redacted(text));
        self.told.borrow_mut().push((level, text.to_owned()));
        self.output(format!("hardtack: {level}: {text}\n").as_bytes());
        self.line(level, text);
    }

    fn line(&self, level: &str, text: &str) {
        let Some(file) = &self.log else { return };
        let text = plain(&self.redacted(text));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = hardtack_credentials::time::format_utc(since.as_secs());
        let millis = since.subsec_millis();
        let time = time.trim_end_matches('Z').replace('T', " ");
        let _ =
            file.borrow_mut().write_all(format!("{time},{millis:03} - agent[{level}]: {text}\n").as_bytes());
    }
}

/// The end of the stage: what programs have printed is handed on, and what is still running gets somebody else who
/// reads it.
impl Drop for Log {
    fn drop(&mut self) {
        let (out, error) = std::mem::take(self.streams.get_mut());
        out.finish();
        if let Some(error) = error {
            error.finish();
        }
    }
}

/// A text in one line without control characters: what it quotes may be anybody's, and goes to terminals.
fn plain(text: &str) -> String {
    let plain = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        _ if character.is_control() => '?',
        _ => character,
    };
    text.trim_end().chars().map(plain).collect()
}

/// Opens the log; a new one is the group `adm`'s to read, and none is everybody's.
fn open(host: &Host, path: &str) -> Option<File> {
    let path = host.path(path);
    if let Some(above) = path.parent() {
        let _ = std::fs::create_dir_all(above);
    }
    let is_new = !path.exists();
    let file = OpenOptions::new().create(true).append(true).mode(LOG_MODE).open(path).ok()?;
    if is_new {
        stream::adm(host, &file);
    }
    if let Ok(metadata) = file.metadata() {
        let mode = if is_new { LOG_MODE } else { metadata.permissions().mode() & LOG_MODE };
        let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
    }
    Some(file)
}

#[cfg(test)]
mod tests;
