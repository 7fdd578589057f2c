//! What an instance writes to its console, look by look, and which part of it `GetConsoleOutput` gives ("Instance
//! console output", EC2 user guide).

use crate::builder::Options;
use crate::world::Instance;

/// Bytes that are kept.
pub(crate) const WINDOW: usize = 64 * 1024;

/// A console: how long the text is at each look, whoever looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Console {
    /// Nothing at the first look.
    pub fn new() -> Self {
        Self { text: Vec::new(), ends: vec![0] }
    }

    /// One that has all of this from the first look on.
    pub fn of(text: impl AsRef<[u8]>) -> Self {
        Self { text: text.as_ref().to_vec(), ends: vec![text.as_ref().len()] }
    }

    /// By the next look, this was added.
    #[must_use]
    pub fn then(mut self, more: impl AsRef<[u8]>) -> Self {
        self.text.extend_from_slice(more.as_ref());
        self.ends.push(self.text.len());
        self
    }

    /// By the next `looks` looks, a boot's lines were added: `bytes` of them in all, all of them different.
    #[must_use]
    pub fn boot(mut self, looks: usize, bytes: usize) -> Self {
        let start = self.text.len();
        let mut line = 0_u32;
        while self.text.len() < start + bytes {
            let text =
                format!("[{:>5}.{:06}] systemd[1]: Started unit {line}.service\r\n", line / 10, line * 7);
            self.text.extend_from_slice(text.as_bytes());
            line += 1;
        }
        self.text.truncate(start + bytes);
        for look in 1..=looks {
            self.ends.push(start + bytes * look / looks.max(1));
        }
        self
    }

    /// All of the text, at the end.
    pub fn whole(&self) -> &[u8] {
        &self.text
    }

    /// The text at a look.
    pub fn at(&self, look: usize) -> &[u8] {
        let end = self.ends.get(look).or(self.ends.last()).copied().unwrap_or_default();
        self.text.get(..end).unwrap_or_default()
    }
}

impl<T: AsRef<[u8]>> From<T> for Console {
    fn from(text: T) -> Self {
        Self::of(text)
    }
}

/// What an instance shows now. `latest`: as it is; else as it is kept, which on EC2 is one look behind.
pub(crate) fn shown(options: &Options, euca: bool, instance: &mut Instance, latest: bool) -> Vec<u8> {
    let kept = !latest && !euca;
    let look = if kept { instance.looks.saturating_sub(1) } else { instance.looks };
    instance.looks += 1;
    let number = usize::try_from(instance.number).unwrap_or_default();
    let text = match options.consoles.get(number).or(options.consoles.last()) {
        Some(console) => console.at(look),
        None => {
            options.console.get(look).or(options.console.last()).map(String::as_bytes).unwrap_or_default()
        }
    };
    let last = text.get(text.len().saturating_sub(WINDOW)..).unwrap_or_default();
    if !kept {
        return last.to_vec();
    }
    let seen = instance.buffered_looks;
    instance.buffered_looks += 1;
    if seen < options.console_empty {
        Vec::new()
    } else if seen < options.console_empty + options.console_first {
        text.get(..text.len().min(WINDOW)).unwrap_or_default().to_vec()
    } else {
        last.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_the_first_part_and_then_the_last() {
        let console = Console::new().boot(4, 256 * 1024).then(b"\xff the end\n");
        let whole = console.whole().to_vec();
        assert_eq!((console.at(0).len(), console.at(4).len(), console.at(99)), (0, 256 * 1024, &whole[..]));
        let options =
            Options { consoles: vec![console], console_empty: 2, console_first: 2, ..Options::default() };
        let mut instance = Instance::default();
        let mut look = |latest| shown(&options, false, &mut instance, latest);
        assert!(look(false).is_empty() && look(false).is_empty());
        // One look behind: at the second look there were 64 KiB, at the third 128.
        assert_eq!(look(false), whole[..WINDOW]);
        assert_eq!(look(false), whole[..WINDOW]);
        assert_eq!(look(true), whole[192 * 1024..256 * 1024]);
        assert_eq!(look(false), whole[192 * 1024..256 * 1024]);
        assert!(look(false).ends_with(b"\xff the end\n") && look(true).ends_with(b"\xff the end\n"));
    }
}
