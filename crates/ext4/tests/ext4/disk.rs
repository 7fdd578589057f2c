//! A disk for tests: a file that is only read, and edits in memory above it.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hardtack_disk::{BlockSource, BlockWrite, Error};

const PAGE: u64 = 1024;

pub struct TestDisk {
    file: File,
    path: PathBuf,
    size: u64,
    pages: Mutex<HashMap<u64, [u8; PAGE as usize]>>,
    writes: AtomicU64,
}

impl TestDisk {
    pub fn open(path: &Path) -> Arc<Self> {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        Arc::new(Self {
            file,
            path: path.to_owned(),
            size,
            pages: Mutex::new(HashMap::new()),
            writes: AtomicU64::new(0),
        })
    }

    /// Writes the edited disk to a file of its own, sparse.
    pub fn save(&self, to: &Path) {
        let done =
            std::process::Command::new("cp").arg("--sparse=always").arg(&self.path).arg(to).status().unwrap();
        assert!(done.success());
        let file = File::options().write(true).open(to).unwrap();
        for (page, bytes) in self.pages.lock().unwrap().iter() {
            file.write_all_at(bytes, page * PAGE).unwrap();
        }
    }

    /// The edits as (offset, bytes), ascending.
    pub fn edits(&self) -> Vec<(u64, Vec<u8>)> {
        let mut edits: Vec<_> =
            self.pages.lock().unwrap().iter().map(|(page, bytes)| (page * PAGE, bytes.to_vec())).collect();
        edits.sort();
        edits
    }

    /// How many times it was written to.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn page(&self, page: u64) -> [u8; PAGE as usize] {
        if let Some(bytes) = self.pages.lock().unwrap().get(&page) {
            return *bytes;
        }
        let mut bytes = [0; PAGE as usize];
        let start = page * PAGE;
        let length = PAGE.min(self.size - start) as usize;
        self.file.read_exact_at(&mut bytes[..length], start).unwrap();
        bytes
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), Error> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(Error::OutOfRange { offset, length: length as u64, size: self.size }),
        }
    }
}

impl BlockSource for TestDisk {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.check(offset, buf.len())?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let bytes = self.page(at / PAGE);
            let within = (at % PAGE) as usize;
            let count = (PAGE as usize - within).min(buf.len() - done);
            buf[done..done + count].copy_from_slice(&bytes[within..within + count]);
            done += count;
        }
        Ok(())
    }
}

impl BlockWrite for TestDisk {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.check(offset, bytes.len())?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let mut page = self.page(at / PAGE);
            let within = (at % PAGE) as usize;
            let count = (PAGE as usize - within).min(bytes.len() - done);
            page[within..within + count].copy_from_slice(&bytes[done..done + count]);
            self.pages.lock().unwrap().insert(at / PAGE, page);
            done += count;
        }
        Ok(())
    }
}
