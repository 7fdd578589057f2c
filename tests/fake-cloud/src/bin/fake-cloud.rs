//! A fake cloud for a shell: prints the variables that lead programs to it, and runs until it is killed or its
//! standard input ends.
//!
//! `sleep 1h | fake-cloud [--euca] … > variables &`, then `. ./variables`. It has one image from the beginning, whose
//! id is in the variable `IMAGE`; any of the types that it describes can be started of it:
//! `euca-run-instances "$IMAGE" -t m1.small`, `aws ec2 run-instances --image-id "$IMAGE" --instance-type t3.small`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write as _;
use std::process::ExitCode;

use hardtack_fake_cloud::{Builder, Cloud, Console};

const USAGE: &str = "there are --euca, --encrypt, --no-default-vpc, --no-images, --console FILE (all consoles, whole from the \
first look on), --growing-console FILE (in ten looks: nothing, then the first 64 KiB, then the last), --key-pair NAME, \
--group NAME and --property NAME=VALUE";

/// Takes one option.
fn option(
    builder: Builder,
    name: &str,
    value: &mut dyn FnMut() -> Option<String>,
) -> Result<Builder, String> {
    let mut need = || value().ok_or_else(|| format!("{name} takes a value"));
    let read = |path: String| std::fs::read(&path).map_err(|error| format!("{path} cannot be read: {error}"));
    Ok(match name {
        "--euca" => builder.eucalyptus(),
        "--encrypt" => builder.with(|options| options.encryption_by_default = true),
        "--no-default-vpc" => builder.with(|options| options.default_vpc = false),
        "--console" => {
            let console = Console::of(read(need()?)?);
            builder.with(|options| options.consoles = vec![console])
        }
        "--growing-console" => {
            let bytes = read(need()?)?;
            let pieces = bytes.chunks(bytes.len().div_ceil(10).max(1));
            let console = pieces.fold(Console::new(), |console, piece| console.then(piece));
            builder.with(|options| {
                options.consoles = vec![console];
                (options.console_empty, options.console_first) = (2, 3);
            })
        }
        "--key-pair" => {
            let name = need()?;
            builder.with(|options| options.key_pairs.push(name))
        }
        "--group" => {
            let name = need()?;
            builder.with(|options| options.groups.push(name))
        }
        "--property" => {
            let text = need()?;
            let (name, value) = text.split_once('=').ok_or("a property is NAME=VALUE")?;
            let (name, value) = (name.to_owned(), value.to_owned());
            builder.with(|options| {
                options.properties.retain(|(have, _)| *have != name);
                options.properties.push((name, value));
            })
        }
        _ => return Err(format!("{name} is no option; {USAGE}")),
    })
}

fn main() -> ExitCode {
    let mut builder = Cloud::builder();
    let mut arguments = std::env::args().skip(1);
    let mut images = true;
    while let Some(name) = arguments.next() {
        if name == "--no-images" {
            images = false;
            continue;
        }
        builder = match option(builder, &name, &mut || arguments.next()) {
            Ok(builder) => builder,
            Err(error) => {
                eprintln!("fake-cloud: {error}");
                return ExitCode::from(2);
            }
        };
    }
    let cloud = builder.start();
    println!("# {}", cloud.url());
    for (name, value) in cloud.environment() {
        println!("export {name}='{value}'");
    }
    if images {
        let (region, owner) = (cloud.options().region.clone(), cloud.options().accounts.first());
        let owner = owner.map(|account| account.number.clone()).unwrap_or_default();
        let snapshot = cloud.make_snapshot(&region, &owner, 8, None, false, &[]);
        println!("export IMAGE='{}'", cloud.make_image(&region, "an-image", &snapshot, "x86_64", false));
    }
    if std::io::stdout().flush().is_err() {
        return ExitCode::FAILURE;
    }
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}
