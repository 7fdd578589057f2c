//! What programs print, on its way to people.
//!
//! Programs write into one pipe for the whole stage, as cloud-init's write into the one to `tee`. It is emptied
//! while a program runs, and nobody waits for its end: something that a script left running in the background may
//! hold it for ever. What still holds it when the stage ends is given a `tee` (or what the configuration asks
//! for), so that its writes do not fail.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};

use super::filter::Filter;
use super::redirect::Target;
use crate::host::Host;

const CHUNK: usize = 16 << 10;
/// How much is handed on in one go, so that a program that prints without end does not keep us from looking
/// whether another one has ended.
const AT_ONCE: usize = 256 << 10;
/// How long the last words of a shell command that takes output are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// One of the two streams.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Also where the agent's own output goes: the journal and the console.
    on: bool,
    /// The agent's standard error instead of its standard output.
    is_error: bool,
    file: Option<(File, String)>,
    shell: Option<Child>,
    pipe: Option<(PipeReader, PipeWriter)>,
    filter: Option<Filter>,
}

/// What is on its way.
pub(crate) enum Seen<'a> {
    /// Of a program.
    Output(&'a [u8]),
    /// Of ours, for ourselves; it is not handed on.
    Mark(&'a str),
}

impl Stream {
    /// Output to nowhere but where the agent's own goes.
    pub(super) fn plain(is_error: bool) -> Self {
        Self { on: true, is_error, ..Self::default() }
    }

    /// Output to `target`; where that does not work, as [`plain`](Self::plain), with the reason.
    pub(super) fn open(host: &Host, target: &Target, is_error: bool) -> (Self, Option<String>) {
        let mut stream = Self::plain(is_error);
        let failed = match target {
            Target::Tee(path) => stream.take_file(host, open(host, path, false, true), path),
            Target::Append(path) => {
                stream.on = false;
                stream.take_file(host, open(host, path, false, false), path)
            }
            Target::Replace(path) => {
                stream.on = false;
                stream.take_file(host, open(host, path, true, false), path)
            }
            Target::Pipe(_) if !host.is_live() => Some("programs run on the running machine only".to_owned()),
            Target::Pipe(command) => match shell(host, command) {
                Ok(child) => {
                    stream.on = false;
                    stream.shell = Some(child);
                    None
                }
                Err(error) => Some(format!("output cannot go through {command:?}: {error}")),
            },
        };
        (stream, failed)
    }

    fn take_file(&mut self, host: &Host, file: std::io::Result<File>, path: &str) -> Option<String> {
        let full = host.path(path).to_string_lossy().into_owned();
        match file {
            Ok(file) => {
                self.file = Some((file, full));
                None
            }
            Err(error) => {
                self.on = true;
                Some(format!("output cannot go to {path}: {error}"))
            }
        }
    }

    /// What a program is given to write to.
    pub(super) fn writer(&mut self) -> std::io::Result<PipeWriter> {
        self.open_writer()?.try_clone()
    }

    /// The number of the descriptor of it that stays open here.
    pub(super) fn writer_number(&mut self) -> std::io::Result<i32> {
        Ok(self.open_writer()?.as_raw_fd())
    }

    fn open_writer(&mut self) -> std::io::Result<&PipeWriter> {
        if self.pipe.is_none() {
            let (reader, writer) = std::io::pipe()?;
            let flags = fcntl_getfl(&reader)? | OFlags::NONBLOCK;
            fcntl_setfl(&reader, flags)?;
            self.pipe = Some((reader, writer));
        }
        match &self.pipe {
            Some((_, writer)) => Ok(writer),
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    /// What becomes readable when a program has written.
    pub(super) fn reader(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|(reader, _)| reader.as_fd())
    }

    /// Looks for marks from now on, or no more.
    pub(super) fn look_for(&mut self, filter: Option<Filter>, see: &mut dyn FnMut(Seen<'_>)) {
        if let Some(mut old) = std::mem::replace(&mut self.filter, filter) {
            let rest = old.rest();
            self.write(&rest);
            see(Seen::Output(&rest));
        }
    }

    /// Hands on what programs have written. True when there may be more.
    pub(super) fn forward(&mut self, see: &mut dyn FnMut(Seen<'_>)) -> bool {
        let mut buffer = [0; CHUNK];
        let mut sum = 0;
        while sum < AT_ONCE {
            let Some((reader, _)) = &mut self.pipe else { return false };
            match reader.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    sum += count;
                    self.hand_on(bytes, see);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn hand_on(&mut self, bytes: &[u8], see: &mut dyn FnMut(Seen<'_>)) {
        let Some(mut filter) = self.filter.take() else {
            self.write(bytes);
            see(Seen::Output(bytes));
            return;
        };
        filter.feed(bytes, &mut |piece| {
            if let Seen::Output(bytes) = piece {
                self.write(bytes);
            }
            see(piece);
        });
        self.filter = Some(filter);
    }

    /// Words for people. What cannot be written is lost: a full disk must not keep anybody out.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.on {
            if self.is_error {
                let _ = std::io::stderr().lock().write_all(bytes);
            } else {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(bytes);
                let _ = out.flush();
            }
        }
        if let Some((file, _)) = &mut self.file {
            let _ = file.write_all(bytes);
        }
        if let Some(input) = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
            let _ = input.write_all(bytes);
        }
    }

    /// The end of the stage.
    pub(super) fn finish(mut self) {
        self.forward(&mut |_| ());
        if let Some((mut reader, writer)) = self.pipe.take() {
            drop(writer);
            let mut byte = [0];
            match reader.read(&mut byte) {
                Ok(0) => {}
                Ok(_) => {
                    self.write(&byte);
                    self.leave(reader);
                }
                // Nothing there now, and somebody who may still write.
                Err(_) => self.leave(reader),
            }
        }
        if let Some(mut shell) = self.shell.take() {
            // Its end of input.
            drop(shell.stdin.take());
            let started = Instant::now();
            while matches!(shell.try_wait(), Ok(None)) && started.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Somebody in the background still writes, and will be read.
    fn leave(&mut self, reader: PipeReader) {
        let Ok(flags) = fcntl_getfl(&reader) else { return };
        if fcntl_setfl(&reader, flags - OFlags::NONBLOCK).is_err() {
            return;
        }
        let mut command = match &self.file {
            Some((_, path)) if self.on => {
                let mut tee = Command::new("tee");
                tee.args(["-a", path]);
                tee
            }
            _ => Command::new("cat"),
        };
        command.current_dir("/").stdin(Stdio::from(reader));
        if !self.on {
            if let Some((file, _)) = self.file.take() {
                command.stdout(file);
            } else if let Some(input) = self.shell.as_mut().and_then(|shell| shell.stdin.take()) {
                command.stdout(input);
            }
        }
        let _ = command.spawn();
    }
}

/// Opens a file for output: with `tee` as cloud-init makes it, readable for the group `adm`.
fn open(host: &Host, path: &str, cut: bool, guarded: bool) -> std::io::Result<File> {
    let full = host.path(path);
    if let Some(above) = full.parent() {
        std::fs::create_dir_all(above)?;
    }
    let is_new = !full.exists();
    let mut options = OpenOptions::new();
    options.create(true).mode(if guarded { 0o640 } else { 0o644 });
    // A pipe that nobody reads must not hold the boot.
    options.custom_flags(i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0));
    if cut {
        options.write(true).truncate(true)
    } else {
        options.append(true)
    };
    let file = options.open(&full)?;
    let flags = fcntl_getfl(&file)? - OFlags::NONBLOCK;
    fcntl_setfl(&file, flags)?;
    if is_new && guarded {
        adm(host, &file);
    }
    Ok(file)
}

/// Gives a log to the group `adm`, where there is one.
pub(super) fn adm(host: &Host, file: &File) {
    if let Some(group) = adm_group(host) {
        let _ = fchown(file, None, Some(group));
    }
}

fn adm_group(host: &Host) -> Option<u32> {
    crate::execute::group(host, "adm").ok().flatten()
}

/// A shell for `command`, of the group `adm`, so that files it makes are for that group to read.
fn shell(host: &Host, command: &str) -> std::io::Result<Child> {
    let mut program = Command::new("/bin/sh");
    program.args(["-c", command]).current_dir("/").stdin(Stdio::piped());
    if let Some(group) = adm_group(host) {
        program.gid(group);
    }
    let ours = rustix::process::umask(Mode::from_raw_mode(0o037));
    let child = program.spawn();
    rustix::process::umask(ours);
    child
}
