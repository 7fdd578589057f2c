//! The boot chain of real images: what `hardtack build` writes, read by debugfs and by GRUB's own programs.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hardtack_tests::image::{Images, assert_clean, debugfs_cat, extract};

const HEAD: &str = "recipe: 1\nname: chain\nsteps:\n";
const WORDS: &str = "console=tty0 console=ttyS0,115200n8";

struct Bench(tempfile::TempDir);

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hardtack(&self, steps: &str, verb: &[&str], source: &Path, rest: &[&str]) -> Output {
        std::fs::write(self.path("chain.yaml"), format!("{HEAD}{steps}")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(verb)
            .arg(source)
            .args(rest)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn done(&self, steps: &str, verb: &[&str], source: &Path, rest: &[&str]) -> (String, String) {
        let output = self.hardtack(steps, verb, source, rest);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }
}

/// `grub-script-check` takes it, where that is installed.
fn check_script(text: &str) {
    let Ok(mut child) = Command::new("grub-script-check").stdin(Stdio::piped()).spawn() else {
        eprintln!("SKIPPED: grub-script-check (grub-common) is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "grub-script-check refuses:\n{text}");
}

fn serial_console(image: &str, menu: (u32, &str), root: u32) {
    let Some(images) = Images::find() else { return };
    let bench = Bench(tempfile::tempdir().unwrap());
    let source = images.disk(image);
    const STEPS: &str = "  - serial-console\n  - boot: check\n";
    bench.done(STEPS, &["build", "chain.yaml", "--source"], &source, &["--output", "one.raw"]);
    let file_system = bench.path("partition");
    extract(&bench.path("one.raw"), menu.0, &file_system);
    assert_clean(&file_system);
    let cfg = debugfs_cat(&file_system, menu.1);
    let kernels: Vec<&str> = cfg.lines().filter(|line| line.trim_start().starts_with("linux\t")).collect();
    assert!(!kernels.is_empty(), "{cfg}");
    assert!(kernels.iter().all(|line| line.contains(WORDS)), "{kernels:?}");
    assert_eq!(cfg.matches("terminal_output console serial\n").count(), 1, "{cfg}");
    check_script(&cfg);

    // What update-grub reads, taken by the shell that runs it.
    if root != menu.0 {
        extract(&bench.path("one.raw"), root, &file_system);
    }
    let defaults = debugfs_cat(&file_system, "/etc/default/grub");
    let ours = debugfs_cat(&file_system, "/etc/default/grub.d/zz-hardtack.cfg");
    let terminal = debugfs_cat(&file_system, "/etc/default/grub.d/zz-hardtack-terminal.cfg");
    let script =
        format!("set -e\n{defaults}\n{ours}\n{terminal}\necho \"$GRUB_CMDLINE_LINUX | $GRUB_TERMINAL\"");
    let shell = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert_eq!(said.trim(), format!("{WORDS} | console serial"), "{script}");

    // The result is what the recipe says, by the recipe's own verdict.
    let raw = bench.path("one.raw");
    let (plan, _) = bench.done(STEPS, &["plan", "chain.yaml"], &raw, &["--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["changes"], serde_json::json!([]), "{plan}");
}

#[test]
fn debian_with_a_serial_console() {
    serial_console("debian12", (1, "/boot/grub/grub.cfg"), 1);
}

#[test]
fn boot_on_a_partition_of_its_own() {
    serial_console("bootpart", (16, "/grub/grub.cfg"), 1);
}

#[test]
fn a_silent_machine_is_warned_of_and_a_missing_driver_refused() {
    const AGENT: [&str; 3] = ["--plan", "--agent", "agent"];
    let Some(images) = Images::find() else { return };
    let bench = Bench(tempfile::tempdir().unwrap());
    // As much of a program as a build looks at: a static ELF of this machine.
    let mut elf = vec![0_u8; 64];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (elf[16], elf[18], elf[20], elf[52]) = (2, 62, 1, 64);
    std::fs::write(bench.path("agent"), elf).unwrap();
    const SILENT: &str =
        "  - files:\n      - {replace: /boot/grub/grub.cfg, match: ' console=\\S+', with: ''}\n";
    let build = ["build", "chain.yaml", "--source"];
    bench.done(SILENT, &build, &images.disk("debian12"), &["--output", "silent.qcow2"]);
    let source = bench.path("silent.qcow2");
    const USER: &str = "  - user: {name: joe, password: random}\n  - agent\n";
    let (silent, _) = bench.done(USER, &build, &source, &AGENT);
    assert!(silent.contains("has no serial console") && silent.contains("step serial-console"), "{silent}");
    let (loud, _) = bench.done(&format!("{USER}  - serial-console\n"), &build, &source, &AGENT);
    assert!(!loud.contains("has no serial console"), "{loud}");

    // Without its initramfs the kernel has to know its disk by itself.
    const BARE: &str = "  - files:\n      - {replace: /boot/grub/grub.cfg, match: '^\\s*initrd.*$', with: ''}\n  - boot: {target: ec2-xen}\n";
    let output = bench.hardtack(BARE, &build, &source, &["--plan"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("step boot: /boot/grub/grub.cfg:"), "{told}");
    assert!(told.contains("without an initramfs: no xen_blkfront in the kernel or initramfs"), "{told}");
}
