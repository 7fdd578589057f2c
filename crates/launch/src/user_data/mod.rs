//! What instances are given: checked by the project's own parser before the first call, packed when it needs to be.
//!
//! The limit is EC2's, 16 KiB before base64; Eucalyptus has the same, and this machine keeps to it, so that what boots
//! here is what boots there.

use hardtack_userdata::check::{CheckOptions, Report, check};
use hardtack_userdata::pack::{self, Gzip, Input, pack};
use hardtack_userdata::{Severity, limits, report};

use crate::Error;

/// The cloud whose limit counts.
const CLOUD: &str = "EC2";
/// What is compressed, if need be, is not told to be too large.
const TOO_LARGE: &str = "too-large-for-clouds";

/// User-data as it is sent.
#[derive(Clone, Default)]
pub struct Prepared {
    /// Its bytes. They may have secrets.
    pub bytes: Vec<u8>,
    /// What was found that is no error: pictures for people.
    pub warnings: Vec<String>,
    /// What was done to it, for people: "2 parts, gzip, 9120 bytes".
    pub told: Option<String>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prepared").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Checks `files` (name, content). One that fits is sent as it is, byte for byte; several are packed, and what is too
/// large (16 KiB) is compressed. `force`: what the check finds does not stop it.
///
/// # Errors
/// The check finds errors ([`Error::No`], with pictures of the lines, as `hardtack user-data check` prints them); it does
/// not fit.
pub fn prepare(files: &[(String, Vec<u8>)], force: bool) -> Result<Prepared, Error> {
    let mut reports: Vec<(&str, Report)> =
        files.iter().map(|(name, bytes)| (name.as_str(), look(name, bytes))).collect();
    let findings = |severity| reports.iter().map(|(_, report)| report.count(severity)).sum::<usize>();
    let (errors, warnings) = (findings(Severity::Error), findings(Severity::Warning));
    let mut prepared = Prepared::default();
    if errors + warnings > 0 {
        // What is in order need not be told beside what is not.
        reports.retain(|(_, report)| !report.findings.is_empty());
        let all: Vec<(&str, &Report)> = reports.iter().map(|(name, report)| (*name, report)).collect();
        let text = report::of_files(&all);
        if errors > 0 && !force {
            return Err(Error::No(text));
        }
        prepared.warnings.push(text);
    }
    let limit =
        hardtack_userdata::traps::CLOUDS.iter().find(|(name, _)| *name == CLOUD).map(|(_, limit)| *limit);
    match files {
        [] => return Ok(prepared),
        [(_, bytes)] if limit.is_none_or(|limit| bytes.len() <= limit) => {
            prepared.bytes.clone_from(bytes);
            return Ok(prepared);
        }
        _ => {}
    }
    let inputs: Vec<Input> = files.iter().map(input).collect();
    let packed = pack(&inputs, Gzip::Auto).map_err(refused)?;
    packed.fits(Some(CLOUD)).map_err(refused)?;
    prepared.warnings.extend(packed.warnings.iter().map(|warning| format!("warning: {warning}")));
    let parts = match packed.parts.len() {
        1 => "1 part".to_owned(),
        parts => format!("{parts} parts"),
    };
    let before = if packed.gzip { format!(", {} before gzip", packed.plain) } else { String::new() };
    prepared.told = Some(format!("user-data: {parts}, {} bytes{before}", packed.bytes.len()));
    prepared.bytes = packed.bytes;
    Ok(prepared)
}

fn look(name: &str, bytes: &[u8]) -> Report {
    let mut report = check(name, bytes, &CheckOptions::default());
    // Beyond this the parser has read the beginning only.
    if bytes.len() <= limits::RAW {
        report.findings.retain(|finding| finding.code != TOO_LARGE);
    }
    report.cover();
    report
}

fn input((name, content): &(String, Vec<u8>)) -> Input {
    let file = name.rsplit('/').next().filter(|file| !file.is_empty()).unwrap_or(name);
    Input { name: file.to_owned(), content: content.clone(), content_type: None }
}

fn refused(error: pack::Error) -> Error {
    let hint = match &error {
        pack::Error::UnknownType { .. } => ": begin it with #cloud-config or #!/bin/sh",
        pack::Error::TooLarge { .. } => {
            ": leave something out, or fetch it at boot (#include, write_files from a URL)"
        }
        _ => "",
    };
    Error::No(format!("{error}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (String, Vec<u8>) {
        (name.to_owned(), text.as_bytes().to_vec())
    }

    /// Text that does not become small.
    fn noise(bytes: usize) -> String {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn one_that_fits_is_sent_byte_for_byte() {
        let text = "#cloud-config\r\nhostname: web\r\n";
        let prepared = prepare(&[file("a", text)], false).unwrap();
        assert_eq!((prepared.bytes.as_slice(), prepared.told), (text.as_bytes(), None));
        assert_eq!(prepare(&[], false).unwrap().bytes, b"");
        let packed = pack(&[input(&file("a", text))], Gzip::Always).unwrap().bytes;
        assert_eq!(prepare(&[("a.gz".to_owned(), packed.clone())], false).unwrap().bytes, packed);
    }

    #[test]
    fn errors_are_told_as_the_check_tells_them_and_can_be_forced() {
        let bad = file("bad.yaml", "#cloud-config\nhostname: [a]\npassword: x\n");
        let Err(Error::No(text)) = prepare(&[file("good", "#cloud-config\n{}\n"), bad.clone()], false) else {
            panic!("it is taken");
        };
        assert!(text.contains("bad.yaml:2") && text.contains("1 error"), "{text}");
        let forced = prepare(std::slice::from_ref(&bad), true).unwrap();
        assert_eq!(forced.bytes, bad.1);
        assert_eq!(forced.warnings.len(), 1);
    }

    #[test]
    fn several_are_packed_and_what_is_large_is_compressed() {
        let script = file("b/setup.sh", "#!/bin/sh\necho\n");
        let prepared =
            prepare(&[file("a", "#cloud-config\nhostname: web\n"), script.clone()], false).unwrap();
        assert!(prepared.told.unwrap().contains("2 parts"), "packed");
        assert!(prepared.bytes.starts_with(b"Content-Type: multipart/mixed"));
        assert!(String::from_utf8(prepared.bytes).unwrap().contains("filename=\"setup.sh\""));
        let long = file("long", &format!("#!/bin/sh\n{}", "# again\n".repeat(4000)));
        let prepared = prepare(std::slice::from_ref(&long), false).unwrap();
        assert!(prepared.bytes.starts_with(&[0x1f, 0x8b]) && prepared.bytes.len() < 1000);
        assert!(prepared.warnings.is_empty(), "{:?}", prepared.warnings);
    }

    #[test]
    fn what_is_too_large_even_so_is_refused() {
        let noise = file("noise.sh", &format!("#!/bin/sh\n# {}\n", noise(40_000)));
        let Err(Error::No(text)) = prepare(&[noise], true) else { panic!("it is taken") };
        assert!(text.contains("EC2 takes 16384"), "{text}");
    }
}
