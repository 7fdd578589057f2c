//! One image, generalized, and two machines of it: they share nothing that makes a machine, and nothing of the image's
//! own past is in them or in the image's bytes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hardtack_tests::image::{Images, assert_clean, debugfs_cat, debugfs_stat, extract};
use hardtack_tests::ssh::{Client, Login};
use hardtack_tests::tools::{output, run};
use serde_json::Value;

use crate::workshop::Workshop;

const PATIENCE: &str = "25m";
/// What somebody left behind who worked in the image; its place follows.
const MARKER: &str = "LEFT-BEHIND-4be1c7-";

/// The image is lived in: a log, host keys, a history, a machine ID, a seed.
fn dirty() -> String {
    let mut text = String::from("recipe: 1\nname: dirty\nsteps:\n  - files:\n");
    for path in [
        "/var/log/syslog",
        "/var/log/journal/00112233445566778899aabbccddeeff/system.journal",
        "/root/.bash_history",
        "/etc/ssh/ssh_host_rsa_key",
        "/var/lib/systemd/random-seed",
        "/var/lib/cloud/instance/user-data.txt",
        "/etc/ssh/ssh_host_dsa_key",
    ] {
        let line = format!("{MARKER}{} ", path.replace('/', ":"));
        text += &format!("    - {{write: {path}, content: \"{}\"}}\n", line.repeat(300));
    }
    text += "    - {write: /etc/machine-id, content: \"00112233445566778899aabbccddeeff\\n\"}\n";
    text
}

const GENERALIZED: &str = "recipe: 1\nname: generalized\nsteps:\n  - generalize\n";

struct Built {
    workshop: Workshop,
}

impl Built {
    /// `generalized.raw`, made of a lived-in image, with `more` steps.
    fn make(images: &Images, disk: &str, suite: &str, more: &str) -> Self {
        let workshop = Workshop::new(images, suite);
        let write = |name: &str, text: &str| std::fs::write(workshop.path().join(name), text).unwrap();
        write("dirty.yaml", &dirty());
        write("generalized.yaml", &format!("{GENERALIZED}{more}"));
        workshop.build_ok("dirty.yaml", &images.disk(disk), &["--output", "dirty.qcow2"]);
        let lived_in = workshop.path().join("dirty.qcow2");
        workshop.build_ok("generalized.yaml", &lived_in, &["--output", "generalized.raw", "--format", "raw"]);
        Self { workshop }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workshop.path().join(name)
    }

    /// The plan for the output, as JSON.
    fn again(&self) -> Value {
        let mut command = self.workshop.command();
        command.args(["build", "generalized.yaml", "--source", "generalized.raw", "--plan", "--json"]);
        serde_json::from_str(&run(&mut command)).unwrap()
    }

    /// `hardtack` with a catalog of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workshop.command();
        command.args(arguments).env("HARDTACK_CATALOG", self.path("catalog"));
        command
    }

    /// Two that start within a second would have one journal.
    fn launch(&self, journal: &str) -> Child {
        let mut command = self.command(&["launch", "generalized", "--json", "--accel", "tcg", "--wait=ssh"]);
        command.args(["--timeout", PATIENCE, "-k", "id_ed25519.pub", "--journal", journal]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // A test that failed leaves no machines behind.
        for entry in std::fs::read_dir(self.path("catalog/instances")).into_iter().flatten().flatten() {
            let id = entry.file_name().into_string().unwrap_or_default();
            let _ = self.command(&["terminate", &id]).output();
        }
    }
}

/// How often the marker is in the file, without reading it into memory.
fn markers(file: &Path) -> String {
    let found =
        output(Command::new("grep").args(["-a", "-o", "-m", "5", &format!("{MARKER}[^ ]*")]).arg(file));
    String::from_utf8_lossy(&found.stdout).into_owned()
}

/// The root file system of the output, checked.
fn root(built: &Built) -> PathBuf {
    let root = built.path("root.ext4");
    extract(&built.path("generalized.raw"), 1, &root);
    assert_clean(&root);
    root
}

fn without_a_trace(disk: &str, suite: &str, more: &str) -> Option<Built> {
    let images = Images::find()?;
    let built = Built::make(&images, disk, suite, more);
    assert_eq!(markers(&built.path("generalized.raw")), "", "what was taken away is in the output's bytes");
    let root = root(&built);
    assert_eq!(debugfs_cat(&root, "/etc/machine-id"), "uninitialized\n");
    // debugfs says on standard error that a path is not there.
    for gone in ["/var/lib/systemd/random-seed", "/etc/ssh/ssh_host_rsa_key", "/root/.bash_history"] {
        assert_eq!(debugfs_stat(&root, gone), "", "{gone}");
    }
    let plan = built.again();
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0), "{plan}");
    Some(built)
}

#[test]
fn what_is_taken_away_is_nowhere_in_the_output() {
    without_a_trace("debian13", "trixie", "");
}

/// What makes a machine, each on a line of its own.
const WHO: &str = "cat /etc/machine-id; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2; \
                   sudo sha256sum /var/lib/systemd/random-seed | cut -d' ' -f1";

fn two_machines_share_nothing(disk: &str, suite: &str, more: &str) {
    let Some(built) = without_a_trace(disk, suite, more) else { return };
    run(&mut built.command(&["install", "generalized.raw", "-n", "generalized"]));
    let launched = [built.launch("one.journal"), built.launch("other.journal")].map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["instances"][0].clone()
    });
    let told = launched.each_ref().map(|instance| {
        let port = instance["ssh"]["port"].as_u64().unwrap().try_into().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let client = Client::stranger(directory.path(), port);
        let login = Login { user: "debian", key: Some(&built.workshop.key), ..Login::default() };
        let past = client.login(
            login,
            // sudo writes the arguments of what it runs into the journal, so the marker is none of them.
            &format!(
                "cloud-init status --wait >/dev/null; \
                 echo {MARKER} | sudo grep -rlaF -f - /var /root /etc /home; {WHO}"
            ),
        );
        assert!(past.entered, "{}", past.stderr);
        past.stdout
    });
    let [one, other] = told.each_ref().map(|text| text.lines().collect::<Vec<_>>());
    assert_eq!((one.len(), other.len()), (3, 3), "{told:?}");
    for (mine, its) in one.iter().zip(&other) {
        assert!(mine.len() >= 32, "{told:?}");
        assert_ne!(mine, its, "both machines have it");
    }
}

#[test]
fn two_machines_with_cloud_init_share_nothing_on_debian_13() {
    two_machines_share_nothing("debian13", "trixie", "");
}

#[test]
#[ignore = "the full suite boots it"]
fn two_machines_with_cloud_init_share_nothing_on_debian_12() {
    two_machines_share_nothing("debian12", "bookworm", "");
}

#[test]
#[ignore = "the full suite boots it"]
fn two_machines_with_the_agent_share_nothing() {
    two_machines_share_nothing("debian13", "trixie", "  - agent: {mode: replace}\n");
}
