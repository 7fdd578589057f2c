//! The commands that other software calls: `cloud-init` and `cloud-id` are links to the agent
//! (`cloudinit/cmd/main.py`).
//!
//! * [`status`], [`query`], [`clean`], [`cloud_id`]: as cloud-init's.
//! * [`stages`]: `init`, `modules` and `single`.
//! * `arguments`: arguments as Python has them.
//!
//! What only a developer of cloud-init calls (`analyze`, `collect-logs`, `devel`), and what the host does better
//! (`schema`), answers with a sentence and status 2.

mod arguments;
mod clean;
mod cloud_id;
mod query;
mod stages;
mod status;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use crate::banner;
use crate::facts;
use crate::host::Host;

const HELP: &str = "\
usage: cloud-init [-h] [--version] [--debug] [--force] COMMAND

Hardtack's agent in the place of cloud-init. Its commands:

  status    tell how far this boot's work is, or wait for its end
  query     tell what is known about this instance
  clean     forget what was done, so that the next boot does it again
  init      run the stage before the network (--local) or the one with it
  modules   run the stage `config` or `final`
  single    run one module
  features  list what other programs ask for by name

  -h, --help     print this, or a command's own help
  -v, --version  print the version

analyze, collect-logs, devel and schema are not here.
";

/// systemctl answers in milliseconds, or systemd is not there to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the tools ask of the machine.
pub(super) struct World<'a> {
    pub(super) host: &'a Host,
    /// What `systemctl` prints for these arguments; `None` when it fails.
    pub(super) systemctl: &'a dyn Fn(&[&str]) -> Option<String>,
    /// The environment variable `KERNEL_CMDLINE`.
    pub(super) environment: String,
    /// Whether root asks.
    pub(super) is_root: bool,
}

/// Runs the tool `name` with `arguments`.
pub(crate) fn run(host: &Host, name: &str, arguments: &[String]) -> ExitCode {
    let ask = |arguments: &[&str]| {
        host.is_live().then(|| facts::output("systemctl", arguments, PATIENCE)).flatten()
    };
    let world = World {
        host,
        systemctl: &ask,
        environment: std::env::var("KERNEL_CMDLINE").unwrap_or_default(),
        is_root: rustix::process::getuid().is_root(),
    };
    let (mut out, mut complain) = (std::io::stdout().lock(), std::io::stderr().lock());
    // Nobody is left to tell when standard output is closed.
    ExitCode::from(answer(&world, name, arguments, &mut out, &mut complain))
}

/// The exit status of the tool `name`.
fn answer(
    world: &World<'_>,
    name: &str,
    arguments: &[String],
    out: &mut dyn Write,
    complain: &mut dyn Write,
) -> u8 {
    if name == "cloud-id" {
        if wants_help(arguments) {
            let _ = out.write_all(cloud_id::HELP.as_bytes());
            return 0;
        }
        return finish("cloud-id", cloud_id::HELP, cloud_id::run(world, arguments, out, complain), complain);
    }
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "-h" | "--help" => {
                let _ = out.write_all(HELP.as_bytes());
                return 0;
            }
            "-v" | "--version" => {
                // With the path, as a Python program is called by its own.
                let _ = writeln!(out, "/usr/bin/cloud-init {}", banner::version());
                return 0;
            }
            "-d" | "--debug" | "--force" => rest = behind,
            word if word.starts_with('-') => {
                let _ = write!(complain, "error: {word:?} is no option of cloud-init\n\n{HELP}");
                return 2;
            }
            command => return run_command(world, command, behind, out, complain),
        }
    }
    let _ = write!(complain, "error: a subcommand is required\n\n{HELP}");
    2
}

fn run_command(
    world: &World<'_>,
    command: &str,
    arguments: &[String],
    out: &mut dyn Write,
    complain: &mut dyn Write,
) -> u8 {
    let help = match command {
        "status" => status::HELP,
        "query" => query::HELP,
        "clean" => clean::HELP,
        "init" | "modules" | "single" => stages::HELP,
        "features" => "usage: cloud-init features [-h]\n\nList what other programs ask for by name.\n",
        "schema" => {
            let _ = writeln!(
                complain,
                "cloud-init schema: not in this agent: run `hardtack user-data check FILE` where the image was \
                 built; what came of this machine's user-data is in {}",
                crate::record::PATH
            );
            return 2;
        }
        "analyze" | "collect-logs" | "devel" => {
            let _ = writeln!(
                complain,
                "cloud-init {command}: not in this agent: times and outcomes are in {}, logs in \
                 /var/log/cloud-init.log and /var/log/cloud-init-output.log",
                crate::record::PATH
            );
            return 2;
        }
        _ => {
            let _ = write!(complain, "error: {command:?} is no command of cloud-init\n\n{HELP}");
            return 2;
        }
    };
    if wants_help(arguments) {
        let _ = out.write_all(help.as_bytes());
        return 0;
    }
    let code = match command {
        "status" => status::run(world, arguments, out),
        "query" => query::run(world, arguments, out, complain),
        "clean" => clean::run(world, arguments, complain),
        "features" => {
            let _ = out.write_all(b"NETWORK_CONFIG_V1\nNETWORK_CONFIG_V2\n");
            Ok(0)
        }
        _ => stages::run(world, command, arguments),
    };
    finish(&format!("cloud-init {command}"), help, code, complain)
}

/// Whether help is asked for, before a `--`.
fn wants_help(arguments: &[String]) -> bool {
    arguments.iter().take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help")
}

/// The exit status. What was called wrongly is explained, and so is what could not be answered.
fn finish(name: &str, help: &str, code: Result<u8, Wrong>, complain: &mut dyn Write) -> u8 {
    match code {
        Ok(code) => code,
        Err(Wrong::Call(sentence)) => {
            let _ = write!(complain, "error: {sentence}\n\n{help}");
            2
        }
        Err(Wrong::Machine(sentence)) => {
            let _ = writeln!(complain, "{name}: {sentence}");
            1
        }
    }
}

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It was called wrongly: status 2.
    Call(String),
    /// The machine is not as it should be: status 1.
    Machine(String),
}
