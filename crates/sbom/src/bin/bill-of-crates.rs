//! The bills of materials of a release: `cargo xtask release` runs it.
//!
//!     bill-of-crates NAME VERSION EPOCH SPDX CYCLONEDX PROGRAM... <trees
//!
//! Standard input has what `cargo tree` says of the programs. Both documents are written to the files named.

#![forbid(unsafe_code)]
#![allow(clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use hardtack_sbom::{Document, Inventory, cyclonedx, hex, spdx};
use sha2::{Digest as _, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bill-of-crates: {message}");
            ExitCode::FAILURE
        }
    }
}

fn write(arguments: &[String]) -> Result<(), String> {
    let [name, version, epoch, to_spdx, to_cyclonedx, programs @ ..] = arguments else {
        return Err("NAME VERSION EPOCH SPDX CYCLONEDX PROGRAM... <trees".to_owned());
    };
    let mut digests = Vec::new();
    for program in programs {
        let bytes = fs::read(program).map_err(|error| format!("{program}: {error}"))?;
        digests.push((Path::new(program).file_name().unwrap_or_default(), hex(&Sha256::digest(bytes))));
    }
    let trees = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let digest = |name: &str| Some(digests.iter().find(|(program, _)| *program == name)?.1.clone());
    let inventory = Inventory::of_programs(version, &trees, digest).map_err(|error| error.to_string())?;
    let created = epoch.parse().map_err(|_| format!("{epoch}: no seconds since 1970"))?;
    let document = Document { name: name.clone(), tool_version: version.clone(), created };
    for (path, value) in
        [(to_spdx, spdx(&inventory, &document)), (to_cyclonedx, cyclonedx(&inventory, &document))]
    {
        fs::write(path, format!("{value:#}\n")).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}
