//! `hardtack`: hardened cloud images in one command. Arguments, progress and output; the work is
//! done by the libraries.

#![forbid(unsafe_code)]
// The libraries share what is read from an image by `Arc`; some of it stays in one thread here.
#![allow(clippy::arc_with_non_send_sync)]

mod agent_file;
mod args;
mod cache_place;
mod document;
mod environment;
mod error;
mod image;
mod keys;
mod progress;
mod provenance;
mod random;
mod run;
mod signals;
mod source;
mod supply;
mod talk;
mod target;
mod terminal;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // clap prints its own messages and ends with 2 on wrong usage, as every verb does.
    let arguments = args::Cli::try_parse().unwrap_or_else(|error| args::mistakes::corrected(error).exit());
    signals::clean_up_when_interrupted();
    match run::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            signals::hold();
            // Nothing can be done about an error stream that is gone.
            let _ = write!(std::io::stderr(), "{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}
