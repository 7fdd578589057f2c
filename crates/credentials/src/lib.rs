//! The credentials block on the console: written in the guest, read on the host, by the same code.
//!
//! A guest that enrols its users at first boot has to hand the secrets over, and the console is
//! the only way out. This crate knows the secret file of google-authenticator-libpam, one-time
//! codes, the block's text with its checksum, how to find a block again in a log that went
//! through serial lines, web pages and terminals, and how to draw a QR code.
//!
//! ```
//! use hardtack_credentials::{SecretFile, TotpConfig};
//!
//! let mut byte = 0_u8;
//! let mut random = |buffer: &mut [u8]| {
//!     buffer.iter_mut().for_each(|slot| { byte = byte.wrapping_mul(31).wrapping_add(7); *slot = byte; });
//!     Ok(())
//! };
//! let file = SecretFile::generate(&TotpConfig::default(), &mut random)?;
//! assert_eq!(file.secret().len(), 26);
//! assert!(!file.accepted_once());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! - [`agent_config`]: what the build tells the agent.
//! - [`secret_file`], [`base32`], [`totp`], [`otpauth`]: one user's second factor.
//! - [`block`]: the block: model, human part, checksum.
//! - [`console`]: finding blocks in a log.
//! - [`known_hosts`]: the machine's keys for OpenSSH's file.
//! - [`qr`]: QR codes as half-blocks, terminal colours, SVG and PNG.
//! - [`seal`]: users' parts for the owners of keys alone.
//!
//! Nothing here prints, reads a file, a clock or an environment variable; randomness and time are
//! arguments. No input makes it panic, and what it allocates is bounded by what it was given.
#![forbid(unsafe_code)]

pub mod agent_config;
pub mod base32;
pub mod block;
pub mod console;
pub mod known_hosts;
pub mod otpauth;
pub mod qr;
pub mod seal;
pub mod secret_file;
pub mod time;
pub mod totp;

pub use agent_config::{
    AccountConfig, AgentConfig, MfaConfig, OverlayConfig, PackagesConfig, RandomPassword, RateLimit,
    RecoveryConfig, Task, TaskKind, TotpConfig,
};
pub use block::{
    BEGIN, Block, END, HostKey, JSON_START, PackagesOutcome, Root, SealedCredentials, Surroundings,
    UserCredentials, UserPart, WithheldCredentials,
};
pub use secret_file::SecretFile;
