//! `--qr`: the QR code as a picture, which holds the secret and is its owner's alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use hardtack_credentials::qr::QrCode;
use hardtack_disk::AtomicFile;

use crate::error::{self, CliError};

/// Pixels for each module of a PNG.
const SCALE: usize = 8;

/// Where a picture will be, checked before anything else happens.
pub(crate) struct Picture {
    path: PathBuf,
    svg: bool,
    replace: bool,
}

impl Picture {
    /// The format follows the suffix; an existing file needs `replace`.
    pub(crate) fn at(path: &Path, replace: bool) -> Result<Self, CliError> {
        let suffix =
            path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default().to_ascii_lowercase();
        let svg = match suffix.as_str() {
            "svg" => true,
            "png" => false,
            _ => {
                return Err(CliError::usage(format!(
                    "{}: a picture's name ends with .svg or .png",
                    path.display()
                )));
            }
        };
        if !replace && path.symlink_metadata().is_ok() {
            let text = format!("{}: exists already", path.display());
            return Err(CliError::new(error::LOCAL_IO, text).hint("--force replaces it"));
        }
        Ok(Self { path: path.to_owned(), svg, replace })
    }

    /// Draws the URL.
    pub(crate) fn write(&self, url: &str, err: &mut dyn Write) -> Result<(), CliError> {
        let code = QrCode::new(url).ok_or_else(|| CliError::refused("the URL is too long for a QR code"))?;
        let picture = if self.svg { code.svg().into_bytes() } else { code.png(SCALE) };
        // New files of AtomicFile are 0600.
        let file = AtomicFile::create(&self.path)?;
        file.file()
            .write_all(&picture)
            .map_err(|error| CliError::io(&self.path, "write the picture", error))?;
        file.commit(self.replace)?;
        writeln!(err, "hardtack: {} holds the secret; delete it after scanning", self.path.display())
            .map_err(CliError::stream)
    }
}
