//! Sources of a matrix are what their digests say, each looked at once.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use hardtack_matrix::Job;
use sha2::{Digest as _, Sha256};

use crate::error::CliError;

/// The digest of a file, or why there is none; by the first who asks.
type Found = Arc<OnceLock<Result<String, std::io::Error>>>;

/// The digests of files.
#[derive(Default)]
pub(super) struct Sources(Mutex<HashMap<PathBuf, Found>>);

impl Sources {
    /// Refuses a job whose source is another than its digest says.
    pub(super) fn check(&self, job: &Job) -> Result<(), CliError> {
        let Some(wanted) = &job.digest else { return Ok(()) };
        if let Some(named) = job.source.to_str().and_then(|text| text.strip_prefix("sha256:")) {
            return match named.eq_ignore_ascii_case(wanted) {
                true => Ok(()),
                false => {
                    Err(CliError::usage(format!("sha256:{named}: the matrix says sha256:{wanted}, too")))
                }
            };
        }
        let cell = match self.0.lock() {
            Ok(mut cells) => cells.entry(job.source.clone()).or_default().clone(),
            Err(_) => Found::default(),
        };
        match cell.get_or_init(|| digest(&job.source)) {
            Ok(found) if found == wanted => Ok(()),
            Ok(found) => Err(CliError::refused(format!(
                "{}: its SHA-256 is {found}, and the matrix says {wanted}",
                job.source.display()
            ))
            .hint("fetch the image again, or correct `digest`")),
            Err(error) => Err(CliError::io(
                &job.source,
                "read it",
                std::io::Error::new(error.kind(), error.to_string()),
            )),
        }
    }
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = hardtack_disk::open_regular(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
