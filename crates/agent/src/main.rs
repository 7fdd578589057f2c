//! The first-boot agent: finishes packages, runs the recipe's tasks, enrols users before SSH starts, and prints the
//! credentials block on the serial consoles. Where it replaces cloud-init it also finds the machine's
//! identity and applies user-data, stage by stage. One oneshot unit runs each of its commands.
//!
//! It is a static program that needs nothing of the image's: no libc, no NSS, no shell. It runs on
//! kernels from 3.2 on, which is what Rust's standard library needs; newer system calls have a way
//! around them.
#![forbid(unsafe_code)]

mod accounts;
mod addresses;
mod again;
mod banner;
mod config;
mod console;
mod coreos;
mod devices;
mod enrol;
mod error;
mod execute;
mod facts;
mod guard;
mod home;
mod host;
mod host_keys;
mod identity;
mod instance;
mod instance_data;
mod journal;
mod key_report;
mod log;
mod login_files;
mod machine;
mod network_cards;
mod network_setup;
mod overlay;
mod overview;
mod packages;
mod python_json;
mod random;
mod ready;
mod record;
mod report;
mod running;
mod stage;
mod status;
mod system_config;
mod tasks;
#[cfg(test)]
mod testing;
mod tools;
mod user_data;
mod web;

use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use lexopt::Arg::{Long, Short, Value};

use hardtack_credentials::AgentConfig;

use crate::error::AgentError;
use crate::host::Host;
use crate::stage::Stage;

const HELP: &str = "\
hardtack-agent: run at boot by the units hardtack-packages, hardtack-enrol,
hardtack-guard and hardtack-credentials, and where it replaces cloud-init by
cloud-init's units.

Usage: hardtack-agent COMMAND

Examples, as root:
  hardtack-agent status                  # how things are, and what to do
  hardtack-agent enroll --user debian    # a new second factor, shown here

  packages   install and configure the packages that the build left for the boot
  host-keys  make SSH's host keys where there are none yet
  tasks      run what the recipe left for the first boot, each task once
  enrol      make the users' one-time-code secrets where there are none yet
  enroll --user NAME [--password] [--console]
             renew a user's secret: the old one ends at once; shown on a terminal,
             else (or with --console) printed on the serial consoles; --password
             renews a password that was made here, too
  guard [--gate | --watch]
             judge whether logins ask for what the recipe promised; with --gate
             the exit status says whether SSH may start
  print [--again]
             wait for SSH, then print the credentials on the serial consoles;
             with --again only if they arrived damaged or are no longer true
  status [--wait] [--timeout SECONDS] [--json]
             what was applied, what failed, who is enrolled, doors, drift; ends
             with 0: all is well, 1: something is not, 2: the boot has not ended,
             3: only root sees; --wait waits for the end of the boot (1800 s)
  nvme-name DISK
             print the name under which EC2 attached an NVMe disk
  coreos     apply the section `coreos:` of the user-data that cloud-init has received
  stage STAGE
             do what cloud-init does in its stage `local`, `network`, `config` or `final`

Called as cloud-init or cloud-id it answers as those do.

  --root DIR  work on the tree below DIR instead of / (for tests)
  --version   print the version
  --help      print this
";

enum Command {
    Packages,
    HostKeys,
    Tasks,
    Enrol,
    Print {
        again: bool,
    },
    Enroll(enrol::Renewal),
    Guard(guard::Mode),
    Status(overview::Question),
    Stage(Stage),
    Coreos,
    /// Called by the initramfs, which has mounted the root that the agent lies on and nothing else.
    NvmeName(std::path::PathBuf),
    /// The agent's own child: see `execute`.
    PowerWait,
    Tell(String),
}

fn main() -> ExitCode {
    // The secret file must never be readable for others, not even for an instant.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if let Some((name, arguments)) = tool() {
        return tools::run(&Host::new("/"), &name, &arguments);
    }
    let outcome = arguments().and_then(|(command, host)| {
        if let Command::Guard(mode) = command {
            return Ok(Some(guard::command(&host, mode, now)));
        }
        if let Command::Status(question) = command {
            return Ok(Some(overview::run(&host, question)));
        }
        run(&command, &host).map(|()| None)
    });
    match outcome {
        Ok(code) => code.unwrap_or(ExitCode::SUCCESS),
        Err(AgentError::Usage(text)) => {
            journal::say(&format!("{text} (see --help)"));
            ExitCode::from(2)
        }
        Err(error) => {
            journal::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, host: &Host) -> Result<(), AgentError> {
    if let Command::Tell(text) = command {
        return std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| AgentError::text(format!("cannot write to standard output: {error}")));
    }
    match command {
        Command::NvmeName(disk) => return nvme_name(disk),
        Command::Stage(stage) => return stage::run(host, *stage),
        Command::Coreos => return coreos::run(host),
        _ => {}
    }
    if let Command::PowerWait = command {
        return execute::power_wait(host);
    }
    let config = config::load(host)?;
    config::directory(host, config::RUNTIME)?;
    config::directory(host, config::STATE)?;
    match command {
        Command::Packages => packages::run(host, &config),
        Command::HostKeys => host_keys::run(host, &config),
        Command::Tasks => tasks::run(host, &config),
        Command::Enrol => enrol::run(host, &config, now()),
        Command::Enroll(renewal) => renew(host, &config, renewal),
        Command::Print { again: true } if !again::is_needed(host) => Ok(()),
        Command::Print { .. } => report::run(host, &config, now),
        Command::Guard(_)
        | Command::Status(_)
        | Command::Stage(_)
        | Command::Coreos
        | Command::NvmeName(_)
        | Command::PowerWait
        | Command::Tell(_) => Ok(()),
    }
}

/// Prints the name under which EC2 attached a disk.
fn nvme_name(path: &std::path::Path) -> Result<(), AgentError> {
    let opened = std::fs::File::open(path).and_then(|file| hardtack_nvme::disk(&file));
    let disk = opened.map_err(|error| AgentError::io("identify", path, error))?;
    let name = disk.name.ok_or_else(|| {
        AgentError::text(format!("{}: {:?} has no name of EC2's", path.display(), disk.model))
    })?;
    run(&Command::Tell(format!("{name}\n")), &Host::new("/"))
}

/// Renews a secret, and shows it where somebody looks.
fn renew(host: &Host, config: &AgentConfig, renewal: &enrol::Renewal) -> Result<(), AgentError> {
    let mut stdout = std::io::stdout().lock();
    let is_private = rustix::termios::isatty(&stdout)
        && std::fs::read_link("/proc/self/fd/1").is_ok_and(|tty| enrol::is_private(host, &tty));
    let terminal: Option<&mut dyn Write> = if is_private { Some(&mut stdout) } else { None };
    enrol::renew(host, config, renewal, now, terminal)
}

fn arguments() -> Result<(Command, Host), AgentError> {
    let usage = |error: lexopt::Error| AgentError::Usage(error.to_string());
    let mut parser = lexopt::Parser::from_env();
    let mut command = None;
    let mut root = std::path::PathBuf::from("/");
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Long("root") => root = parser.value().map_err(usage)?.into(),
            Long("version") | Short('V') => {
                command = Some(Command::Tell(format!("hardtack-agent {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Long("help") | Short('h') => command = Some(Command::Tell(HELP.to_owned())),
            Long("again") if matches!(command, Some(Command::Print { .. })) => {
                command = Some(Command::Print { again: true });
            }
            Long(word @ ("user" | "password" | "console")) if matches!(command, Some(Command::Enroll(_))) => {
                let word = word.to_owned();
                let name = if word == "user" { Some(parser.value().map_err(usage)?) } else { None };
                if let Some(Command::Enroll(renewal)) = &mut command {
                    match name.map(|name| name.to_string_lossy().into_owned()) {
                        Some(name) => renewal.user = name,
                        None if word == "console" => renewal.console = true,
                        None => renewal.password = true,
                    }
                }
            }
            Long("wait") if matches!(command, Some(Command::Status(_))) => {
                if let Some(Command::Status(question)) = &mut command {
                    question.wait.get_or_insert(overview::PATIENCE);
                }
            }
            Long("timeout") if matches!(command, Some(Command::Status(_))) => {
                let word = parser.value().map_err(usage)?;
                let seconds = word.to_str().and_then(|word| word.parse().ok());
                let seconds = seconds
                    .ok_or_else(|| AgentError::Usage(format!("{word:?} is not a number of seconds")))?;
                if let Some(Command::Status(question)) = &mut command {
                    question.wait = Some(std::time::Duration::from_secs(seconds));
                }
            }
            Long("json") if matches!(command, Some(Command::Status(_))) => {
                if let Some(Command::Status(question)) = &mut command {
                    question.json = true;
                }
            }
            Long(mode) if matches!(command, Some(Command::Guard(_))) => {
                let mode = guard::Mode::named(mode);
                let mode =
                    mode.ok_or_else(|| AgentError::Usage("guard takes --gate or --watch".to_owned()))?;
                command = Some(Command::Guard(mode));
            }
            Value(word) if command.is_none() && word == "stage" => {
                let word = parser.value().map_err(usage)?;
                let stage = word.to_str().and_then(Stage::named);
                let stage = stage.ok_or_else(|| AgentError::Usage(format!("{word:?} is not a stage")))?;
                command = Some(Command::Stage(stage));
            }
            Value(word) if command.is_none() => {
                command = Some(match word.to_str() {
                    Some("packages") => Command::Packages,
                    Some("host-keys") => Command::HostKeys,
                    Some("tasks") => Command::Tasks,
                    Some("enrol") => Command::Enrol,
                    Some("enroll") => Command::Enroll(enrol::Renewal::default()),
                    Some("print") => Command::Print { again: false },
                    Some("guard") => Command::Guard(guard::Mode::Once),
                    Some("status") => Command::Status(overview::Question { wait: None, json: false }),
                    Some("coreos") => Command::Coreos,
                    Some("nvme-name") => Command::NvmeName(parser.value().map_err(usage)?.into()),
                    Some("power-wait") => Command::PowerWait,
                    _ => return Err(AgentError::Usage(format!("{word:?} is not a command of the agent"))),
                });
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let command = command.ok_or_else(|| AgentError::Usage("no command given".to_owned()))?;
    if matches!(&command, Command::Enroll(renewal) if renewal.user.is_empty()) {
        return Err(AgentError::Usage("enroll takes --user NAME".to_owned()));
    }
    Ok((command, Host::new(root)))
}

/// The tool that the program is called as, if it is called by the name of one.
fn tool() -> Option<(String, Vec<String>)> {
    let mut arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let name = arguments.next()?;
    let name = name.rsplit('/').next().unwrap_or_default();
    matches!(name, "cloud-init" | "cloud-id").then(|| (name.to_owned(), arguments.collect()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
