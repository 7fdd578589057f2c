//! moto in a virtual environment, a server of it for each test, and programs that talk to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The version whose ways are known.
const MOTO: &str = "5.2.5";

/// A server, and a folder to run programs in. Both go with it.
pub(crate) struct Moto {
    child: Child,
    url: String,
    python: PathBuf,
    folder: tempfile::TempDir,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

impl Moto {
    /// A server; `None`, said aloud, where moto cannot be had.
    pub(crate) fn start() -> Option<Self> {
        static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let environment = match ENVIRONMENT.get_or_init(environment) {
            Ok(environment) => environment,
            Err(why) => {
                assert!(std::env::var_os("CI").is_none(), "moto cannot be had: {why}");
                eprintln!("SKIPPED: moto cannot be had: {why}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(environment.join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", "0"])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let url = loop {
            let Some(Ok(line)) = lines.next() else { panic!("moto ended: {said}") };
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].trim().to_owned();
            }
            said.push_str(&line);
        };
        // A pipe that nobody reads would stop the server some day.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url, python: environment.join("bin/python"), folder })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, program: &Path, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("CI", "true")
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that ends without reading closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs `hardtack`.
    pub(crate) fn hardtack(&self, arguments: &[&str]) -> Ran {
        self.run(Path::new(env!("CARGO_BIN_EXE_hardtack")), arguments, "")
    }

    /// What a program of Python's prints, as JSON. `ec2` and others are clients of boto3; it prints by `tell(…)`.
    #[track_caller]
    pub(crate) fn python(&self, program: &str) -> Value {
        const HEAD: &str = "\
import boto3, json
ec2, s3 = boto3.client('ec2'), boto3.client('s3')
cloudformation, autoscaling = boto3.client('cloudformation'), boto3.client('autoscaling')
def tell(what): print(json.dumps(what, default=str))
";
        let ran = self.run(&self.python, &["-"], &format!("{HEAD}{program}"));
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        if ran.out.is_empty() { Value::Null } else { ran.json() }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The virtual environment with moto in it.
fn environment() -> Result<PathBuf, String> {
    hardtack_tests::python::environment(
        "moto",
        &[&format!("moto[server]=={MOTO}"), "boto3"],
        Path::new(env!("CARGO_TARGET_TMPDIR")),
    )
}
