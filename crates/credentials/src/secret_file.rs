//! `~/.google_authenticator`, as google-authenticator-libpam writes and reads it.
//!
//! Format: FILEFORMAT of google-authenticator-libpam. The program inserts each option right after
//! the first line, so `-t -d -f -r 3 -R 30 -w 4` leaves RATE_LIMIT, WINDOW_SIZE, DISALLOW_REUSE
//! and TOTP_AUTH in this order. The file is 0400 and belongs to its user.

use std::fmt;
use std::io;

use crate::agent_config::TotpConfig;
use crate::base32;

/// The file's name inside the home directory.
pub const FILE_NAME: &str = ".google_authenticator";
/// The file's mode.
pub const FILE_MODE: u32 = 0o400;
/// Bytes of a secret: 128 bits, 26 characters, as the releases of Debian and Ubuntu write.
const SECRET_BYTES: usize = 16;
/// Scratch codes in a new file.
const SCRATCH_CODES: usize = 5;
/// The module refuses longer files.
const FILE_LIMIT: usize = 64 * 1024;

/// Why a file is not a secret file. Never quotes the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretFileError {
    /// Longer than the PAM module reads.
    #[error("the secret file has {size} bytes; the PAM module reads at most {FILE_LIMIT}")]
    TooLong {
        /// Its length in bytes.
        size: usize,
    },
    /// The first line is not a secret.
    #[error("line 1 of the secret file is not a base32 secret of at least 80 bits")]
    Secret,
    /// A line is neither an option nor a scratch code.
    #[error("line {line} of the secret file is neither an option nor a scratch code of eight digits")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// The file has no TOTP_AUTH line.
    #[error("the secret file has no TOTP_AUTH line: it is not for time-based codes")]
    NotTimeBased,
}

/// A parsed or new secret file. `Debug` masks it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    secret: String,
    options: Vec<String>,
    scratch_codes: Vec<String>,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile")
            .field("secret", &"<redacted>")
            .field("options", &self.options)
            .field("scratch_codes", &self.scratch_codes.len())
            .finish()
    }
}

/// Fills a buffer with random bytes from the operating system.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]) -> io::Result<()>;

impl SecretFile {
    /// A new secret with five scratch codes.
    ///
    /// # Errors
    /// Only those of `random`.
    pub fn generate(totp: &TotpConfig, random: Random<'_>) -> io::Result<Self> {
        let mut bytes = [0; SECRET_BYTES];
        random(&mut bytes)?;
        let mut scratch_codes = Vec::with_capacity(SCRATCH_CODES);
        while scratch_codes.len() < SCRATCH_CODES {
            scratch_codes.push(scratch_code(random)?);
        }
        Ok(Self { secret: base32::encode(&bytes), options: options(totp), scratch_codes })
    }

    /// A file for a secret that somebody has already, without scratch codes.
    ///
    /// # Errors
    /// When it is not base32 of at least 80 bits.
    pub fn with_secret(totp: &TotpConfig, secret: &str) -> Result<Self, SecretFileError> {
        if base32::decode(secret).is_none_or(|key| key.len() < 10) || secret.bytes().any(|byte| byte <= b' ')
        {
            return Err(SecretFileError::Secret);
        }
        Ok(Self { secret: secret.to_owned(), options: options(totp), scratch_codes: Vec::new() })
    }

    /// Reads a file; blank lines are skipped as the module does.
    ///
    /// # Errors
    /// When the module would not take it for a time-based secret, with the line's number.
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretFileError> {
        if bytes.len() > FILE_LIMIT {
            return Err(SecretFileError::TooLong { size: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SecretFileError::Secret)?;
        let mut lines = text.lines();
        let secret = lines.next().unwrap_or_default().trim_end().to_owned();
        if base32::decode(&secret).is_none_or(|key| key.len() < 10) {
            return Err(SecretFileError::Secret);
        }
        let (mut options, mut scratch_codes) = (Vec::new(), Vec::new());
        for (index, line) in lines.enumerate() {
            let line = line.trim_end();
            if let Some(option) = line.strip_prefix("\" ") {
                options.push(option.to_owned());
            } else if line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit()) {
                scratch_codes.push(line.to_owned());
            } else if !line.is_empty() {
                return Err(SecretFileError::Line { line: index + 2 });
            }
        }
        let file = Self { secret, options, scratch_codes };
        if file.option("TOTP_AUTH").is_none() {
            return Err(SecretFileError::NotTimeBased);
        }
        Ok(file)
    }

    /// The file's content.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("{}\n", self.secret);
        for option in &self.options {
            text.push_str("\" ");
            text.push_str(option);
            text.push('\n');
        }
        for code in &self.scratch_codes {
            text.push_str(code);
            text.push('\n');
        }
        text
    }

    /// The secret in base32.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The secret's bytes: the key of the one-time codes.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        base32::decode(&self.secret).unwrap_or_default()
    }

    /// The scratch codes that are left.
    #[must_use]
    pub fn scratch_codes(&self) -> &[String] {
        &self.scratch_codes
    }

    /// The arguments of an option ("3 30"), empty without any; `None` when it is not set.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find_map(|option| {
            let (word, rest) = option.split_once(' ').unwrap_or((option, ""));
            (word == name).then_some(rest)
        })
    }

    /// True when somebody has logged in with this secret: DISALLOW_REUSE or LAST0 carries a time
    /// stamp, or a scratch code is gone.
    ///
    /// A file without DISALLOW_REUSE gets no time stamp at a success. There an attempt that the
    /// rate limit counted has to do: the secret is rather printed once too seldom than for ever.
    #[must_use]
    pub fn accepted_once(&self) -> bool {
        let stamped = |name, fields: usize| {
            self.option(name).is_some_and(|arguments| arguments.split_whitespace().count() > fields)
        };
        let attempted = self.option("DISALLOW_REUSE").is_none() && stamped("RATE_LIMIT", 2);
        stamped("DISALLOW_REUSE", 0)
            || stamped("LAST0", 0)
            || self.scratch_codes.len() < SCRATCH_CODES
            || attempted
    }
}

/// The option lines in the order in which the real program leaves them.
fn options(totp: &TotpConfig) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(limit) = totp.rate_limit {
        options.push(format!("RATE_LIMIT {} {}", limit.attempts, limit.seconds));
    }
    options.push(format!("WINDOW_SIZE {}", totp.window));
    if totp.disallow_reuse {
        options.push("DISALLOW_REUSE".to_owned());
    }
    options.push("TOTP_AUTH".to_owned());
    options
}

/// Eight digits from 10000000 to 99999999, every one as likely as the others.
fn scratch_code(random: Random<'_>) -> io::Result<String> {
    loop {
        let mut bytes = [0; 4];
        random(&mut bytes)?;
        let number = u32::from_be_bytes(bytes);
        // 47 × 90,000,000 is the largest multiple below 2³²; above it some codes would be likelier.
        if number < 47 * 90_000_000 {
            return Ok((number % 90_000_000 + 10_000_000).to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::agent_config::RateLimit;

    /// Written by the real program, release 1.09, with `-t -d -f -r 3 -R 30 -w 4`.
    const SAMPLE: &str = "5EENRV74MYRS6G4UYZMKTKSGKM\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 4\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n30116782\n98721882\n10291978\n42715075\n70813242\n";

    fn counter() -> impl FnMut(&mut [u8]) -> io::Result<()> {
        let mut state = 1_u32;
        move |buffer: &mut [u8]| {
            for slot in buffer {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *slot = (state >> 24) as u8;
            }
            Ok(())
        }
    }

    #[test]
    fn a_new_file_differs_from_the_real_one_only_in_its_secrets() {
        let file = SecretFile::generate(&TotpConfig::default(), &mut counter()).unwrap();
        let (ours, real) = (file.render(), SAMPLE.to_owned());
        assert_eq!(ours.lines().count(), real.lines().count());
        for (number, (ours, real)) in ours.lines().zip(real.lines()).enumerate() {
            assert_eq!(ours.len(), real.len(), "line {number}");
            if real.starts_with('"') {
                assert_eq!(ours, real);
            }
        }
        assert_eq!(SecretFile::parse(ours.as_bytes()).unwrap(), file);
    }

    #[test]
    fn the_sample_comes_back_byte_for_byte() {
        let file = SecretFile::parse(SAMPLE.as_bytes()).unwrap();
        assert_eq!(file.render(), SAMPLE);
        assert_eq!(file.option("RATE_LIMIT"), Some("3 30"));
        assert_eq!(file.scratch_codes().len(), 5);
        assert!(!file.accepted_once());
        assert!(!format!("{file:?}").contains("5EEN"));
    }

    #[test]
    fn a_secret_that_is_there_already_gets_the_options_and_no_scratch_codes() {
        let file = SecretFile::with_secret(&TotpConfig::default(), "5EENRV74MYRS6G4UYZMKTKSGKM").unwrap();
        assert_eq!(file.render(), SAMPLE.split_inclusive('\n').take(5).collect::<String>());
        for wrong in ["", "AAAA", "5EENRV74MYRS6G4UYZMKTKSGKM\n", "not base32 at all, nor near it"] {
            assert_eq!(
                SecretFile::with_secret(&TotpConfig::default(), wrong),
                Err(SecretFileError::Secret),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn options_follow_the_recipe() {
        let totp = TotpConfig { window: 17, rate_limit: None, disallow_reuse: false };
        let file = SecretFile::generate(&totp, &mut counter()).unwrap();
        assert!(file.render().contains("\n\" WINDOW_SIZE 17\n\" TOTP_AUTH\n"));
        let totp = TotpConfig { rate_limit: Some(RateLimit { attempts: 1, seconds: 600 }), ..totp };
        assert!(
            SecretFile::generate(&totp, &mut counter()).unwrap().render().contains("\" RATE_LIMIT 1 600\n")
        );
    }

    #[test]
    fn acceptance_is_seen() {
        for (from, to, wanted) in [
            ("DISALLOW_REUSE\n", "DISALLOW_REUSE 58000000\n", true),
            ("RATE_LIMIT 3 30\n", "RATE_LIMIT 3 30 1700000000\n", false),
            ("30116782\n", "", true),
            ("\" TOTP_AUTH", "\" LAST0 10.0.0.1 17\n\" TOTP_AUTH", true),
            ("\" DISALLOW_REUSE\n", "", false),
        ] {
            let file = SecretFile::parse(SAMPLE.replace(from, to).as_bytes()).unwrap();
            assert_eq!(file.accepted_once(), wanted, "{to}");
        }
        let attempted = SAMPLE.replace("\" DISALLOW_REUSE\n", "").replace("3 30", "3 30 1700000000");
        assert!(SecretFile::parse(attempted.as_bytes()).unwrap().accepted_once());
    }

    #[test]
    fn scratch_codes_have_eight_digits_without_a_leading_zero() {
        let mut random = counter();
        for _ in 0..500 {
            let code = scratch_code(&mut random).unwrap();
            assert!(code.len() == 8 && !code.starts_with('0'), "{code}");
        }
    }

    #[test]
    fn foreign_files_are_refused_with_their_line() {
        assert_eq!(SecretFile::parse(b""), Err(SecretFileError::Secret));
        assert_eq!(SecretFile::parse(b"\xff\xfe"), Err(SecretFileError::Secret));
        assert_eq!(
            SecretFile::parse(SAMPLE.replace("98721882", "9872188").as_bytes()),
            Err(SecretFileError::Line { line: 7 })
        );
        assert_eq!(
            SecretFile::parse(SAMPLE.replace("\" TOTP_AUTH\n", "").as_bytes()),
            Err(SecretFileError::NotTimeBased)
        );
        assert!(matches!(SecretFile::parse(&vec![b'A'; 70_000]), Err(SecretFileError::TooLong { .. })));
    }
}
