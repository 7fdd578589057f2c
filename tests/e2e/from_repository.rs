//! Packages by name from Debian's own repository: the lock makes the same image twice, and the booted machine's dpkg
//! and apt are content with what they find.
//!
//! The image's own lists of sources name the mirror that `tests/images/make.sh` had, so the recipe need not.

use std::path::PathBuf;
use std::process::Output;

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::tools::{output, run};
use hardtack_tests::vm::Launch;

use crate::replaced::{Replaced, Running, assert_lines};
use crate::workshop::Workshop;

const RECIPE: &str = "debian-replace.yaml";
const STEP: &str = "  - packages:
      install: [libpam-google-authenticator, nftables]
      lock: packages.lock
";
/// Exit code of a remote service that does not answer.
const UNREACHABLE: i32 = 5;
/// Minutes until the agent has finished what the build could not.
const MINUTES: usize = 15;

struct Built {
    workshop: Workshop,
    source: PathBuf,
}

impl Built {
    /// `hardtack build` with a cache of the test's own.
    fn build(&self, source: &str, more: &[&str]) -> Output {
        let mut command = self.workshop.command();
        command.args(["build", RECIPE, "--packages-cache", "packages", "--source", source]).args(more);
        output(&mut command)
    }

    fn plan(&self, source: &str, cache: &str) -> serde_json::Value {
        let mut command = self.workshop.command();
        command.args(["build", RECIPE, "--plan", "--json", "--offline", "--packages-cache", cache]);
        serde_json::from_str(&run(command.args(["--source", source]))).unwrap()
    }

    fn digest(&self, name: &str) -> String {
        sha256(&self.workshop.path().join(name))
    }
}

/// `replaced.qcow2`, built twice: from the mirror, and by the lock without one. `None`, said aloud, without a mirror.
fn build(images: &Images, disk: &str, suite: &str) -> Option<Built> {
    let workshop = Workshop::new(images, suite);
    let file = workshop.path().join(RECIPE);
    let text = std::fs::read_to_string(&file).unwrap().replace("mode: replace", "mode: companion");
    std::fs::write(file, text + STEP).unwrap();
    let built = Built { workshop, source: images.disk(disk) };
    let source = built.source.to_str().unwrap();
    let first = built.build(source, &["--output", "replaced.qcow2"]);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    if first.status.code() == Some(UNREACHABLE) {
        assert!(std::env::var_os("CI").is_none(), "no mirror: {said}");
        eprintln!("SKIPPED: packages from Debian's repository: {said}");
        return None;
    }
    assert!(first.status.success(), "{said}");
    for wanted in ["libpam-google-authenticator", "nftables", "libnftnl11", "packages.lock: written"] {
        assert!(said.contains(wanted), "no {wanted}: {said}");
    }
    let lock = built.digest("packages.lock");
    let second = built.build(source, &["--output", "again.qcow2", "--offline"]);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(built.digest("again.qcow2"), built.digest("replaced.qcow2"), "the lock made another image");
    assert_eq!(built.digest("packages.lock"), lock, "the second build wrote the lock");
    // The output has everything: neither a network nor a cache is needed to see it.
    let plan = built.plan("replaced.qcow2", "empty");
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0), "{plan}");
    Some(built)
}

/// Waits until the agent has finished the packages.
fn finished(running: &Running<'_>) {
    let mut state = String::new();
    for _ in 0..MINUTES {
        state = running.root(
            "for second in $(seq 30); do state=$(systemctl is-active hardtack-packages.service); \
             [ $state = activating ] || break; sleep 2; done; echo $state",
        );
        if state.trim() != "activating" {
            break;
        }
    }
    let journal = running.root("journalctl -b --no-pager -u hardtack-packages.service");
    assert_ne!(state.trim(), "failed", "{journal}");
    assert_ne!(state.trim(), "activating", "{journal}");
}

fn boots(disk: &str, suite: &str) {
    let Some(images) = Images::find() else { return };
    let Some(built) = build(&images, disk, suite) else { return };
    let replaced = Replaced::of(built.workshop, "replaced.qcow2");
    let seed = replaced.seed("i-repository", crate::hardened::PLAIN);
    let running = replaced.boot("first", Launch::seed(&seed));
    finished(&running);

    assert_eq!(running.root("dpkg --audit"), "", "dpkg finds something half done");
    let states = running.root(
        "dpkg-query -W -f \"\\${binary:Package} \\${db:Status-Status}\\n\" libpam-google-authenticator nftables \
         libqrencode4 libnftables1 libnftnl11 libjansson4 | sed s/:amd64//",
    );
    assert_lines(
        &states,
        &[
            "libpam-google-authenticator installed",
            "nftables installed",
            "libqrencode4 installed",
            "libnftables1 installed",
            "libnftnl11 installed",
        ],
    );
    // What came for others only, as apt would have it.
    let automatic = running.root("apt-mark showauto libnftables1 libqrencode4 nftables | sort");
    assert_eq!(automatic, "libnftables1\nlibqrencode4\n");
    for command in ["apt-get -f install -s", "apt-get -s upgrade", "apt-get check", "apt-get -s autoremove"] {
        let said = running.root(&format!("LC_ALL=C {command}; echo exit $?"));
        assert!(said.ends_with("exit 0\n"), "{command}: {said}");
        assert!(!said.contains("not fully installed"), "{command}: {said}");
        assert!(!said.contains("\nRemv "), "{command}: {said}");
    }
    let fix = running.root("LC_ALL=C apt-get -f install -s | tail -n 1");
    assert!(fix.starts_with("0 upgraded, 0 newly installed, 0 to remove"), "{fix}");
    assert_eq!(running.root("dpkg -V libpam-google-authenticator libqrencode4 nftables libnftables1"), "");
    assert_lines(
        &running.root("nft --version | cut -d\" \" -f1; test -e /usr/lib/*/security/pam_google_authenticator.so && echo module"),
        &["nftables", "module"],
    );
    running.power_off();
}

#[test]
fn packages_of_debian_13_by_name() {
    boots("debian13", "trixie");
}

#[test]
#[ignore = "the full suite boots it; the other release is booted always"]
fn packages_of_debian_12_by_name() {
    boots("debian12", "bookworm");
}
