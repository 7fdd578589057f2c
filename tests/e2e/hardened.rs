//! Machines built from the shipped three-factor recipe, and their owners, who open what the console hands over.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use hardtack_tests::image::Images;
use hardtack_tests::ssh::{Client, Login};
use hardtack_tests::tools::{output, run};
use hardtack_tests::vm::{Launch, Machine, Vm};
use serde_json::Value;

use crate::codes::{Codes, trust};
use crate::workshop::Workshop;

/// The end of the block that the agent prints when SSH answers.
pub(crate) const UP: &str = "-----END HARDTACK CREDENTIALS-----";
/// The agent, in the guest.
pub(crate) const AGENT: &str = "/usr/lib/hardtack/hardtack-agent";
/// The recipe.
pub(crate) const RECIPE: &str = "debian-3fa.yaml";

/// User-data that asks for nothing. Debian 12's cloud-init fails to set its own default locale in a small image, and
/// `status` says so.
pub(crate) const PLAIN: &str = "#cloud-config\nlocale: false\n";

/// A disk and the folder that it was built in.
pub(crate) struct Hardened {
    pub(crate) workshop: Workshop,
    pub(crate) disk: PathBuf,
}

impl Hardened {
    /// Builds what `workshop` holds of the recipe.
    pub(crate) fn build(workshop: Workshop, images: &Images, image: &str) -> Self {
        workshop.build_ok(RECIPE, &images.disk(image), &["--output", "hard.qcow2"]);
        let disk = workshop.path().join("hard.qcow2");
        Self { workshop, disk }
    }

    /// Switches a machine on. `name` names the log.
    pub(crate) fn start(&self, name: &str, launch: Launch<'_>) -> Vm {
        self.start_with(&self.disk, name, launch)
    }

    /// The same with another disk.
    pub(crate) fn start_with(&self, disk: &Path, name: &str, launch: Launch<'_>) -> Vm {
        Vm::start(&Machine {
            disk,
            format: "qcow2",
            launch,
            extra: None,
            nvme: &[],
            directory: self.workshop.path(),
            name,
        })
    }

    /// The disk as an image that somebody else makes of it: the machine is off.
    pub(crate) fn capture(&self, name: &str) -> PathBuf {
        let image = self.workshop.path().join(name);
        run(Command::new("qemu-img").args(["convert", "-O", "qcow2"]).arg(&self.disk).arg(&image));
        image
    }
}

/// `hardtack console` over what was last kept as `console.txt`, as an ordinary user.
pub(crate) fn console(workshop: &Workshop, arguments: &[&str]) -> Output {
    output(workshop.command().args(["console", "console.txt"]).args(arguments))
}

/// The part of `user` in a block.
#[track_caller]
pub(crate) fn part<'a>(block: &'a Value, user: &str) -> &'a Value {
    let users = block["users"].as_array().unwrap();
    users.iter().find(|part| part["name"] == user).unwrap_or_else(|| {
        panic!("no {user} in {:?}", users.iter().map(|part| &part["name"]).collect::<Vec<_>>())
    })
}

/// Adds steps to the recipe.
pub(crate) fn append(workshop: &Workshop, steps: &str) {
    let file = workshop.path().join(RECIPE);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text + steps).unwrap();
}

/// A text that must be there and not be empty.
#[track_caller]
pub(crate) fn text(part: &Value, member: &str) -> String {
    let found = part[member].as_str().unwrap_or_default();
    assert!(!found.is_empty(), "no {member} for {}", part["name"]);
    found.to_owned()
}

/// Somebody who has all factors.
pub(crate) struct Owner<'a> {
    pub(crate) client: Client,
    pub(crate) user: &'a str,
    pub(crate) key: PathBuf,
    pub(crate) password: String,
    pub(crate) codes: Codes,
    /// Whether sudo asks for the password.
    pub(crate) sudo_asks: bool,
}

impl<'a> Owner<'a> {
    /// The owner of what `console.txt` hands over, on the machine behind `port`.
    pub(crate) fn new(
        workshop: &Workshop,
        port: u16,
        user: &'a str,
        key: &Path,
        password: &str,
        secret: &str,
    ) -> Self {
        trust(workshop, port);
        Self {
            client: Client::new(workshop.path(), port),
            user,
            key: key.to_owned(),
            password: password.to_owned(),
            codes: Codes::new(secret),
            sudo_asks: false,
        }
    }

    /// Key and password, without a code.
    pub(crate) fn without_code(&self) -> Login<'_> {
        Login { user: self.user, key: Some(&self.key), password: Some(&self.password), code: None }
    }

    /// What a command prints.
    #[track_caller]
    pub(crate) fn enter(&mut self, command: &str) -> String {
        self.enter_with(command, "")
    }

    /// What a command prints whose standard input is `input`.
    #[track_caller]
    pub(crate) fn enter_with(&mut self, command: &str, input: &str) -> String {
        for _ in 0..6 {
            let code = self.codes.fresh();
            let login = Login { code: Some(&code), ..self.without_code() };
            let outcome = self.client.login_with(login, command, input);
            if !outcome.is_away() {
                return outcome.assert_entered(command).to_owned();
            }
            std::thread::sleep(Duration::from_secs(2));
        }
        panic!("{command}: sshd never came back");
    }

    /// What `script`, in which is no `'`, prints when root runs it with `input` as its standard input.
    #[track_caller]
    pub(crate) fn root_with(&mut self, script: &str, input: &str) -> String {
        assert!(!script.contains('\''), "{script}");
        let asked = if self.sudo_asks { format!("{}\n{input}", self.password) } else { input.to_owned() };
        let password = if self.sudo_asks { "-S -p \"\"" } else { "-n" };
        self.enter_with(&format!("sudo {password} sh -c 'exec 2>&1; {script}'"), &asked)
    }

    /// What `script`, in which is no `'`, prints when root runs it.
    #[track_caller]
    pub(crate) fn root(&mut self, script: &str) -> String {
        self.root_with(script, "")
    }

    /// Has the machine go down, and waits for it.
    pub(crate) fn power_off(mut self, mut vm: Vm) {
        let code = self.codes.fresh();
        let login = Login { code: Some(&code), ..self.without_code() };
        let _ = self.client.login_with(login, "sudo -S systemctl poweroff", &format!("{}\n", self.password));
        vm.wait_for_end();
    }
}
