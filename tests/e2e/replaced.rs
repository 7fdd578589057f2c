//! Machines whose user-data the agent applies, and talking to them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hardtack_tests::image::Images;
use hardtack_tests::ssh::{Client, Login};
use hardtack_tests::tools::run;
use hardtack_tests::vm::{Launch, Machine, Vm, seed};

use crate::codes::trust;
use crate::workshop::Workshop;

/// The end of the block that the agent prints when SSH answers.
const UP: &str = "-----END HARDTACK CREDENTIALS-----";

/// A disk built from `debian-replace.yaml`, and what it is booted with.
pub(crate) struct Replaced {
    pub(crate) workshop: Workshop,
    disk: PathBuf,
    extra: Option<PathBuf>,
}

/// One of its boots.
pub(crate) struct Running<'a> {
    pub(crate) vm: Vm,
    client: Client,
    workshop: &'a Workshop,
}

impl Replaced {
    /// Builds `image`; `files` are operations of one more step.
    pub(crate) fn build(images: &Images, image: &str, suite: &str, files: &str) -> Self {
        Self::build_with(images, image, suite, files, |_| ())
    }

    /// The same beside cloud-init, which stays.
    pub(crate) fn build_beside(images: &Images, image: &str, suite: &str, files: &str) -> Self {
        Self::build_beside_with(images, image, suite, files, |_| ())
    }

    /// The same; `prepare` puts files into the folder that the recipe is built in.
    pub(crate) fn build_beside_with(
        images: &Images,
        image: &str,
        suite: &str,
        files: &str,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        Self::of_recipe(images, image, suite, files, prepare, |text| {
            assert!(text.contains("mode: replace"));
            *text = text.replace("mode: replace", "mode: companion");
        })
    }

    /// The same; `prepare` puts files into the folder that the recipe is built in.
    pub(crate) fn build_with(
        images: &Images,
        image: &str,
        suite: &str,
        files: &str,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        Self::of_recipe(images, image, suite, files, prepare, |_| ())
    }

    fn of_recipe(
        images: &Images,
        image: &str,
        suite: &str,
        files: &str,
        prepare: impl FnOnce(&Path),
        change: impl FnOnce(&mut String),
    ) -> Self {
        let workshop = Workshop::new(images, suite);
        prepare(workshop.path());
        let recipe = workshop.path().join("debian-replace.yaml");
        let mut text = std::fs::read_to_string(&recipe).unwrap();
        change(&mut text);
        if !files.is_empty() {
            text.push_str(&format!("  - files:\n{files}"));
        }
        std::fs::write(&recipe, text).unwrap();
        workshop.build_ok("debian-replace.yaml", &images.disk(image), &["--output", "replaced.qcow2"]);
        Self::of(workshop, "replaced.qcow2")
    }

    /// A disk that was built in `workshop` from this recipe and more.
    pub(crate) fn of(workshop: Workshop, disk: &str) -> Self {
        let disk = workshop.path().join(disk);
        Self { workshop, disk, extra: None }
    }

    /// Puts in an empty second disk, `/dev/vdb`.
    pub(crate) fn add_disk(&mut self) -> PathBuf {
        let extra = self.workshop.path().join("extra.raw");
        run(Command::new("truncate").args(["-s", "1G"]).arg(&extra));
        self.extra = Some(extra.clone());
        extra
    }

    /// A NoCloud seed with this user-data, where `KEY` is the public key of the test.
    pub(crate) fn seed(&self, instance: &str, user_data: &str) -> PathBuf {
        let file = self.workshop.path().join("seed.img");
        seed(&file, instance, &user_data.replace("KEY", &self.public_key()));
        file
    }

    /// The public half of the test's key.
    pub(crate) fn public_key(&self) -> String {
        std::fs::read_to_string(self.workshop.key.with_extension("pub")).unwrap().trim().to_owned()
    }

    /// Boots until SSH answers. `name` names the log.
    pub(crate) fn boot(&self, name: &str, launch: Launch<'_>) -> Running<'_> {
        let mut vm = Vm::start(&Machine {
            disk: &self.disk,
            format: "qcow2",
            launch,
            extra: self.extra.as_deref(),
            nvme: &[],
            directory: self.workshop.path(),
            name,
        });
        vm.wait_for(UP);
        crate::codes::block(&self.workshop, &vm.console, &[]);
        trust(&self.workshop, vm.port);
        let client = Client::new(self.workshop.path(), vm.port);
        Running { vm, client, workshop: &self.workshop }
    }
}

impl Running<'_> {
    /// A login with the test's key, and nothing else.
    pub(crate) fn login<'a>(&'a self, user: &'a str) -> Login<'a> {
        Login { user, key: Some(&self.workshop.key), password: None, code: None }
    }

    /// The client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What `script`, in which is no `'`, prints when root runs it.
    pub(crate) fn root(&self, script: &str) -> String {
        assert!(!script.contains('\''), "{script}");
        // Without sudo's own complaint about a host name that /etc/hosts does not have.
        let command = format!("sudo sh -c 'exec 2>&1; {script}'");
        self.enter(&command)
    }

    /// What `command` prints for the image's user.
    fn enter(&self, command: &str) -> String {
        for _ in 0..10 {
            let outcome = self.client.login(self.login("debian"), command);
            if !outcome.is_away() {
                return outcome.assert_entered(command).to_owned();
            }
            std::thread::sleep(Duration::from_secs(2));
        }
        panic!("{command}: sshd never came back:\n{}", self.vm.log());
    }

    /// What `cloud-init status --wait` says, with its exit code at the end; then no unit is left over.
    pub(crate) fn wait(&self) -> String {
        // The dots of waiting run into the first line, as they do with cloud-init.
        let status = self.enter(
            "cloud-init status --wait >/dev/null; code=$?; cloud-init status --long; echo \"exit $code\"",
        );
        let cycles = self.root("journalctl -b -o cat --no-pager _PID=1 | grep -i \"ordering cycle\"; true");
        assert_eq!(cycles, "", "systemd found units that wait for each other");
        status
    }

    /// Has the machine go down, and waits for it.
    pub(crate) fn power_off(mut self) {
        let _ = self.client.login(self.login("debian"), "sudo systemctl poweroff");
        self.vm.wait_for_end();
    }
}

/// Every line of `wanted` is a line of `found`.
#[track_caller]
pub(crate) fn assert_lines(found: &str, wanted: &[&str]) {
    let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
    let missing: Vec<_> = wanted.iter().filter(|line| !lines.contains(line)).collect();
    assert!(missing.is_empty(), "missing: {missing:#?}\n{found}");
}
