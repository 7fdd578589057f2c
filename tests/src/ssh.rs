//! The real SSH client, answering prompts through its askpass program.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::tools::{output, run};

/// Somebody who tries to log in.
pub struct Client {
    directory: PathBuf,
    port: u16,
    /// It talks to whatever answers.
    stranger: bool,
}

/// What a login brings along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The private key, if any.
    pub key: Option<&'a Path>,
    /// What is answered to `Password:`; `None` has no answer to any prompt.
    pub password: Option<&'a str>,
    /// What is answered to `Verification code:`.
    pub code: Option<&'a str>,
}

/// How a login ended.
pub struct Outcome {
    /// It got in and ran the command.
    pub entered: bool,
    /// The prompts that were shown, in order.
    pub prompts: Vec<String>,
    /// Standard output of the command.
    pub stdout: String,
    /// What the client said.
    pub stderr: String,
}

impl Client {
    /// A client for the machine behind `port`; keys and notes live in `directory`.
    pub fn new(directory: &Path, port: u16) -> Self {
        let askpass = directory.join("askpass");
        std::fs::write(
            &askpass,
            "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$PROMPTS\"\ncase $1 in\n\
             *erification*) [ -n \"${CODE+x}\" ] || exit 1; printf '%s\\n' \"$CODE\" ;;\n\
             *) [ -n \"${PASSWORD+x}\" ] || exit 1; printf '%s\\n' \"$PASSWORD\" ;;\nesac\n",
        )
        .unwrap();
        std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory: directory.to_owned(), port, stranger: false }
    }

    /// A client that has never heard of the machine, takes any host key, and has no patience.
    pub fn stranger(directory: &Path, port: u16) -> Self {
        Self { stranger: true, ..Self::new(directory, port) }
    }

    /// The known-hosts file that every login checks the host against.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }

    /// Logs in and runs `command`.
    pub fn login(&self, login: Login<'_>, command: &str) -> Outcome {
        let mut ssh = self.command("ssh", login, &["-p", &self.port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", login.user)).arg(command);
        self.outcome(&mut ssh)
    }

    /// The same with `input` as the command's standard input, so that it is in nobody's arguments.
    pub fn login_with(&self, login: Login<'_>, command: &str, input: &str) -> Outcome {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(input.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut ssh = self.command("ssh", login, &["-p", &self.port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", login.user)).arg(command).stdin(file);
        self.outcome(&mut ssh)
    }

    /// Copies a file to the machine with scp, or with the old protocol through sftp's batch mode.
    pub fn copy(&self, login: Login<'_>, program: &str, file: &Path) -> Outcome {
        let port = self.port.to_string();
        let mut copy = self.command(program, login, &["-P", &port]);
        if program == "sftp" {
            let batch = self.directory.join("batch");
            std::fs::write(&batch, format!("put {} by-sftp\n", file.display())).unwrap();
            // -b turns prompts off; it can be turned back on behind it.
            copy.args(["-o", "BatchMode=no", "-b"]).arg(batch);
            copy.arg(format!("{}@127.0.0.1", login.user));
        } else {
            copy.arg(file).arg(format!("{}@127.0.0.1:by-scp", login.user));
        }
        self.outcome(&mut copy)
    }

    fn command(&self, program: &str, login: Login<'_>, options: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .arg(program)
            .args(options)
            .args(["-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1"])
            .args(["-o", "LogLevel=INFO"])
            .env("SSH_ASKPASS", self.directory.join("askpass"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("PROMPTS", self.directory.join("prompts"))
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("PASSWORD")
            .env_remove("CODE")
            .stdin(Stdio::null());
        if self.stranger {
            command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
            command.args(["-o", "ConnectTimeout=10"]);
        } else {
            command.args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=60"]);
            command.args(["-o", &format!("UserKnownHostsFile={}", self.known_hosts().display())]);
        }
        match login.key {
            Some(key) => command.arg("-i").arg(key),
            None => command.args(["-o", "PubkeyAuthentication=no"]),
        };
        if let Some(password) = login.password {
            command.env("PASSWORD", password);
        }
        if let Some(code) = login.code {
            command.env("CODE", code);
        }
        command
    }

    fn outcome(&self, command: &mut Command) -> Outcome {
        let prompts = self.directory.join("prompts");
        std::fs::write(&prompts, "").unwrap();
        let Output { status, stdout, stderr } = output(command);
        let prompts = std::fs::read_to_string(prompts).unwrap();
        Outcome {
            entered: status.success(),
            prompts: prompts.lines().map(str::to_owned).collect(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// The login worked.
    #[track_caller]
    pub fn assert_entered(&self, what: &str) -> &str {
        assert!(self.entered, "{what}: refused; prompts {:?}\n{}", self.prompts, self.stderr);
        &self.stdout
    }

    /// sshd is just restarting, for user-data that changes it: nobody listens, or the connection ends before anything
    /// is asked, since the directory for it (`/run/sshd`) goes with the unit.
    pub fn is_away(&self) -> bool {
        let away = ["Connection reset", "Connection refused", "Connection closed"];
        !self.entered && self.prompts.is_empty() && away.iter().any(|text| self.stderr.contains(text))
    }

    /// The server refused the login (and did not, say, drop the connection for another reason).
    #[track_caller]
    pub fn assert_refused(&self, what: &str) {
        assert!(!self.entered, "{what}: got in; prompts {:?}\n{}", self.prompts, self.stdout);
        let refused = ["Permission denied", "Too many authentication failures", "Connection closed"];
        assert!(refused.iter().any(|text| self.stderr.contains(text)), "{what}: {}", self.stderr);
    }
}

/// Makes a key pair and returns the private half's path; the public one is beside it (`.pub`).
pub fn make_key(directory: &Path, name: &str) -> PathBuf {
    make_key_of(directory, name, &["-t", "ed25519"])
}

/// The same of another kind: ssh-keygen's options.
pub fn make_key_of(directory: &Path, name: &str, kind: &[&str]) -> PathBuf {
    let path = directory.join(name);
    run(Command::new("ssh-keygen").arg("-q").args(kind).args(["-N", "", "-C", name, "-f"]).arg(&path));
    path
}
