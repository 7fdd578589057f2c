//! A fake cloud for a shell: prints the variables that lead programs to it, and runs until it is killed or its
//! standard input ends.
//!
//! `sleep 1h | fake-cloud [--euca] [--encrypt] > variables &`, then `. ./variables`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write as _;
use std::process::ExitCode;

use hardtack_fake_cloud::Cloud;

fn main() -> ExitCode {
    let mut builder = Cloud::builder();
    for argument in std::env::args().skip(1) {
        builder = match argument.as_str() {
            "--euca" => builder.eucalyptus(),
            "--encrypt" => builder.with(|options| options.encryption_by_default = true),
            _ => {
                eprintln!("fake-cloud: {argument} is no option; there are --euca and --encrypt");
                return ExitCode::from(2);
            }
        };
    }
    let cloud = builder.start();
    println!("# {}", cloud.url());
    for (name, value) in cloud.environment() {
        println!("export {name}='{value}'");
    }
    if std::io::stdout().flush().is_err() {
        return ExitCode::FAILURE;
    }
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}
