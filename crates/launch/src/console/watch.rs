//! Looking at a console until the credentials block is there.

use std::time::Duration;

use hardtack_credentials::console::{ReadError, read};
use hardtack_publish::Teller;
use hardtack_publish::poll::{Fresh, Poll};
use hardtack_publish::refusal::{missing, transient};

use super::lines::last_lines;
use super::stuck::Stuck;
use super::{Console, Patience, Seen};
use crate::Error;
use crate::machine::{Machine, Machines, Part, Selection};
use crate::news::News;

/// People are told how things are this often.
const TOLD: Duration = Duration::from_secs(60);
/// So long a newer block is waited for that is not whole.
const SETTLING: Duration = Duration::from_secs(60);
/// Columns of the last line in that.
const LINE: usize = 80;

/// Reads the console of `id` until the block is there, the console stands where no boot goes on, or time is up; once a minute
/// a line says state, bytes and the last line. That time is up is no error: `credentials` is false then, and [`advice`](super::advice) says why that may be.
///
/// # Errors
/// There is no such instance; the cloud refuses.
pub fn watch(
    machines: &dyn Machines,
    id: &str,
    patience: Patience,
    tell: &dyn Teller,
) -> Result<Seen, Error> {
    let environment = machines.environment();
    let started = (environment.now)();
    // By the clock, or by the pauses where the clock stands still.
    let spent =
        |poll: &Poll<'_>| (environment.now)().duration_since(started).unwrap_or_default().max(poll.waited());
    let mut poll = Poll::over(environment, tell);
    let mut fresh = Fresh::over(environment);
    let mut watch = Watch::new(machines, id);
    let (mut tell_at, mut damaged_since) = (Duration::ZERO, None);
    let (mut stuck, mut news) = (Stuck::default(), News::default());
    loop {
        let looked = watch.look();
        let spent = spent(&poll);
        let over = !patience.wait || spent >= patience.timeout;
        match looked {
            Ok(()) => {}
            // It may have been started a moment ago.
            Err(Error::Cloud(error)) if missing(&error) && !over && watch.machine.is_none() => {
                if !fresh.again() {
                    return Err(error.into());
                }
                continue;
            }
            Err(Error::Cloud(error)) if !over => {
                poll.endure(error)?;
                continue;
            }
            // What was seen before is worth more than why the last look failed.
            Err(Error::Cloud(error)) if patience.wait && transient(&error) && watch.machine.is_some() => {}
            Err(error) => return Err(error),
        }
        let settled = match watch.found() {
            Found::Block => true,
            // A newer block may be on its way, or was cut off for good.
            Found::BlockAndMore => spent >= *damaged_since.get_or_insert(spent) + SETTLING,
            Found::Contradiction => true,
            Found::Nothing => false,
        };
        if settled || over || watch.ended() {
            return watch.finish();
        }
        news.tell(machines, id, tell);
        if let Some(what) = stuck.look(spent, watch.console.text()) {
            tell.note(&format!("{id} has stood at {what} for a minute: nothing more is waited for"));
            return watch.finish();
        }
        if spent >= tell_at {
            tell_at = spent + TOLD;
            tell.note(&watch.state());
        }
        poll.rest(patience.timeout - spent);
    }
}

/// What there is on a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// No intact block.
    Nothing,
    /// An intact block, and none behind it.
    Block,
    /// An intact block, and a part of another behind it.
    BlockAndMore,
    /// Two that cannot both be the machine's.
    Contradiction,
}

/// An instance that is looked at.
struct Watch<'a> {
    machines: &'a dyn Machines,
    id: &'a str,
    machine: Option<Machine>,
    console: Console,
    /// Parts that this place or type has; they are asked for in this order, so that the newest comes last.
    parts: Vec<Part>,
}

impl<'a> Watch<'a> {
    fn new(machines: &'a dyn Machines, id: &'a str) -> Self {
        let parts = vec![Part::Kept, Part::Latest];
        Self { machines, id, machine: None, console: Console::default(), parts }
    }

    /// State first: the console of an instance that has ended says nothing new.
    fn look(&mut self) -> Result<(), Error> {
        let mut found = self.machines.describe(&Selection::Ids(vec![self.id.to_owned()]))?;
        match found.pop() {
            Some(machine) => self.machine = Some(machine),
            None if self.machine.is_none() => {
                return Err(Error::Refused(format!("{}: there is no such instance", self.id)));
            }
            // It has ended so long ago that it is forgotten.
            None => self.end("it is not known any more"),
        }
        for part in self.parts.clone() {
            match self.machines.console(self.id, part) {
                Ok(Some(window)) => self.console.take_part(&window, part),
                Ok(None) => self.parts.retain(|other| *other != part),
                Err(_) if self.ended() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn end(&mut self, reason: &str) {
        if let Some(machine) = &mut self.machine {
            "terminated".clone_into(&mut machine.instance.state.name);
            machine.instance.state.reason = Some(reason.to_owned());
        }
    }

    fn found(&self) -> Found {
        match read(self.console.text()) {
            Ok(reading) if reading.damaged_after() => Found::BlockAndMore,
            Ok(_) => Found::Block,
            Err(ReadError::Contradiction { .. }) => Found::Contradiction,
            Err(_) => Found::Nothing,
        }
    }

    fn ended(&self) -> bool {
        let ended =
            |machine: &Machine| matches!(machine.instance.state.name.as_str(), "terminated" | "stopped");
        self.machine.as_ref().is_some_and(ended)
    }

    /// "i-… is running, 14,233 bytes of console, last line: …"
    fn state(&self) -> String {
        let name = self.machine.as_ref().map_or("unknown", |machine| machine.instance.state.name.as_str());
        let text = self.console.text();
        let block = match read(text) {
            Ok(reading) if reading.damaged_after() => ", a block is there, and a damaged one behind it",
            Err(ReadError::Damaged { .. }) => ", a damaged block is there",
            _ => "",
        };
        let state = format!("{} is {name}, {} bytes of console{block}", self.id, grouped(text.len()));
        match last_lines(text, 1).pop() {
            None => state,
            Some(line) => format!("{state}, last line: {}", line.chars().take(LINE).collect::<String>()),
        }
    }

    fn finish(self) -> Result<Seen, Error> {
        let credentials = matches!(self.found(), Found::Block | Found::BlockAndMore);
        let machine =
            self.machine.ok_or_else(|| Error::Refused(format!("{}: there is no such instance", self.id)))?;
        Ok(Seen { machine, console: self.console, credentials })
    }
}

/// `14233` as `14,233`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
