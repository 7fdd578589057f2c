//! Partitions (`config/cc_disk_setup.py`: `mkpart` and what it calls).
//!
//! Tables are made by the image's `sfdisk` (MBR) and `sgdisk`, or `sfdisk` where that is missing (GPT), with the
//! arguments that cloud-init gives them, so that sizes and alignment come out the same. What is on a disk is asked
//! of the kernel (/sys) and `blkid`.

mod layout;
#[cfg(test)]
mod tests;

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use super::block::{self, Node};
use super::{Details, program};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::host::Host;
use layout::{Layout, Table};

/// What both ends of a disk lose when its table is removed.
const PURGED: usize = 1 << 20;

/// What disks are looked at with.
#[derive(Clone, Copy)]
pub(super) struct Disks<'a> {
    pub(super) host: &'a Host,
    pub(super) has: &'a dyn Fn(&str) -> bool,
    /// A test has loop devices where a machine has disks.
    pub(super) loops: bool,
}

/// `disk-setup`.
pub(super) fn disk_setup(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    program::only_live(cx.host, "disk_setup")?;
    let device = details.need("device")?;
    let machine = cx.machine;
    let disks = Disks { host: cx.host, has: &|name| machine.program(name).is_some(), loops: false };
    let table = details.get("table_type").unwrap_or("mbr");
    let overwrite = details.get("overwrite").is_some_and(is_yes);
    // What fails is told, and the next disk is done.
    match disks.partition(device, table, details.get("layout").unwrap_or("false"), overwrite) {
        Ok(what) => cx.log.info(&format!("{device}: {what}")),
        Err(error) => cx.log.warn(&format!("{device} is not partitioned: {error}")),
    }
    Ok(())
}

/// Whether a detail says yes.
pub(super) fn is_yes(text: &str) -> bool {
    !matches!(text.to_lowercase().as_str(), "" | "false" | "0" | "no" | "off" | "null" | "[]" | "{}")
}

/// A file system that `blkid` sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) label: Option<String>,
    pub(super) kind: Option<String>,
}

impl Disks<'_> {
    /// Partitions a disk; a sentence about what became of it.
    pub(super) fn partition(
        &self,
        device: &str,
        table: &str,
        layout: &str,
        overwrite: bool,
    ) -> Result<String, AgentError> {
        let device = &self.settled(device)?;
        let layout = match Layout::read(layout) {
            Some(Layout::None) => return Ok("no partitions are asked for".to_owned()),
            layout => layout,
        };
        if self.kind(device).as_deref() != Some("disk") {
            return Err(AgentError::text(format!("{device} is no disk")));
        }
        if layout == Some(Layout::Remove) {
            self.purge(device)?;
            return Ok("the partition table is removed".to_owned());
        }
        let Some(table) = Table::named(table) else {
            return Err(AgentError::text(format!(
                "{table:?} is no kind of partition table; write mbr or gpt"
            )));
        };
        let Some(layout) = layout else {
            return Err(AgentError::text(
                "the layout is neither true, remove nor a list; write percentages as in [33, [66, 82]]",
            ));
        };
        if layout.matches(&self.types(device, table)?)? {
            return Ok("it has these partitions already".to_owned());
        }
        if !overwrite {
            if self.tree(device)?.len() > 1 {
                return Ok("it has partitions, and stays as it is without overwrite: true".to_owned());
            }
            if let Some(kind) = self.file_system(device)?.kind {
                return Ok(format!("it holds {kind}, and stays as it is without overwrite: true"));
            }
        }
        let sector = block::sector(self.host, device);
        let sectors = block::bytes(self.host, device).unwrap_or(0).checked_div(sector).unwrap_or(0);
        match table {
            Table::Mbr => {
                let script = format!("{}\n", layout.for_mbr(sectors)?);
                self.run(&["sfdisk", "--force", device], Some(&script))?;
            }
            Table::Gpt if (self.has)("sgdisk") => {
                let partitions = layout.for_gpt(sectors)?;
                self.run(&["sgdisk", "-Z", device], None)?;
                for argument in layout::for_sgdisk(&partitions) {
                    let [option, value] = &argument;
                    self.run(&["sgdisk", option, value, device], None)?;
                }
            }
            Table::Gpt => {
                let script = layout::for_sfdisk(&layout.for_gpt(sectors)?);
                self.run(&["sfdisk", "-X", "gpt", "--force", device], Some(&script))?;
            }
        }
        self.read_table(device);
        Ok("it is partitioned".to_owned())
    }

    /// The device that a name leads to, once udev has made it.
    pub(super) fn settled(&self, device: &str) -> Result<String, AgentError> {
        self.settle();
        if !self.host.exists(device) {
            return Err(AgentError::text(format!("{device} does not exist")));
        }
        Ok(block::real(self.host, device))
    }

    fn settle(&self) {
        if (self.has)("udevadm") {
            let _ = program::ask(&["udevadm", "settle"], &[], None, program::PATIENCE);
        }
    }

    /// Has the kernel read the table.
    fn read_table(&self, device: &str) {
        self.settle();
        let argv: &[&str] = if (self.has)("partprobe") {
            &["partprobe", device]
        } else {
            &["blockdev", "--rereadpt", device]
        };
        // What it does not like it will not like later, either.
        let _ = program::ask(argv, &[], None, program::PATIENCE);
        self.settle();
    }

    fn run(&self, argv: &[&str], stdin: Option<&str>) -> Result<String, AgentError> {
        program::must(argv, stdin.map(str::as_bytes), program::PATIENCE).map(|done| done.out)
    }

    /// What a device is: `disk`, `part`…
    pub(super) fn kind(&self, device: &str) -> Option<String> {
        block::kind(self.host, device).map(|kind| self.seen(kind))
    }

    fn seen(&self, kind: String) -> String {
        if self.loops && kind == "loop" { "disk".to_owned() } else { kind }
    }

    /// A device and what is on it.
    pub(super) fn tree(&self, device: &str) -> Result<Vec<Node>, AgentError> {
        let mut nodes = block::tree(self.host, device)?;
        for node in &mut nodes {
            node.kind = self.seen(std::mem::take(&mut node.kind));
        }
        Ok(nodes)
    }

    /// The file system on a device.
    pub(super) fn file_system(&self, device: &str) -> Result<Found, AgentError> {
        let done = program::ask(&["blkid", "-c", "/dev/null", device], &[], None, program::PATIENCE)?;
        // 2: nothing that it knows.
        if !matches!(done.code, Some(0 | 2)) {
            return Err(AgentError::text(format!("blkid cannot look at {device}: {}", done.why())));
        }
        Ok(found(&done.out))
    }

    /// The types of the partitions that a disk has.
    fn types(&self, device: &str, table: Table) -> Result<Vec<String>, AgentError> {
        match table {
            Table::Mbr => {
                self.read_table(device);
                Ok(layout::types_of_sfdisk(&self.run(&["sfdisk", "-l", device], None)?, device))
            }
            Table::Gpt if (self.has)("sgdisk") => {
                Ok(layout::types_of_sgdisk(&self.run(&["sgdisk", "-p", device], None)?))
            }
            Table::Gpt => {
                let done = program::ask(&["sfdisk", "-l", "-J", device], &[], None, program::PATIENCE)?;
                match done.code {
                    Some(0 | 1) => Ok(layout::types_of_json(&done.out)),
                    _ => Err(AgentError::text(format!("sfdisk cannot look at {device}: {}", done.why()))),
                }
            }
        }
    }

    /// Removes file systems and the table.
    fn purge(&self, device: &str) -> Result<(), AgentError> {
        for node in self.tree(device)? {
            if !matches!(node.kind.as_str(), "disk" | "crypt") {
                self.run(&["wipefs", "--all", &node.path], None)?;
            }
        }
        let path = self.host.path(device);
        let zeros = vec![0; PURGED];
        let written = OpenOptions::new().read(true).write(true).open(&path).and_then(|mut file| {
            file.write_all(&zeros)?;
            file.seek(SeekFrom::End(-(1 << 20)))?;
            file.write_all(&zeros)?;
            file.sync_all()
        });
        written.map_err(|error| AgentError::io("write zeros to", &path, error))?;
        self.read_table(device);
        Ok(())
    }
}

/// What a line of blkid says: `/dev/vdb: LABEL="a b" UUID="…" TYPE="ext4"`.
fn found(text: &str) -> Found {
    let mut found = Found::default();
    let mut lines = text.lines();
    let (Some(line), None) = (lines.next(), lines.next()) else { return found };
    let mut rest = line.split_once(": ").map_or("", |(_, rest)| rest);
    while let Some((name, behind)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = behind.chars();
        loop {
            match characters.next() {
                None | Some('"') => break,
                Some('\\') => value.extend(characters.next()),
                Some(character) => value.push(character),
            }
        }
        match name.trim() {
            "LABEL" => found.label = Some(value),
            "TYPE" => found.kind = Some(value),
            _ => {}
        }
        rest = characters.as_str();
    }
    found
}
