//! A first boot with cloud-init and one with the agent in its place, side by side in one run.
//!
//! `cargo bench -p hardtack-tests --bench boot -- [--image debian12] [--runs N] [--user-data FILE]`. The same
//! image and the same NoCloud seed boot under QEMU twice in each run: as the image is, and built with
//! `agent: {mode: replace}`. Nothing else differs but a unit in both that prints what systemd knows of the
//! four stages when the last one is over. The program is the released one; `HARDTACK` names another.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hardtack_tests::image::Images;
use hardtack_tests::tools::{as_ordinary_user, hand_over, hardtack, run};
use hardtack_tests::vm::{Launch, Machine, Vm, seed};

/// RSA keys are left out: finding one takes between one second and thirty, by chance and in the same
/// `ssh-keygen` on both sides.
const USER_DATA: &str = r#"#cloud-config
ssh_genkeytypes: [ed25519, ecdsa]
hostname: bench
timezone: Europe/Berlin
users:
  - default
  - name: alice
    groups: [adm]
    shell: /bin/bash
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIM0wVeAIYJjtZUwYzX6h0pZyDqpZ0k4b6NqZ2G6oQ0bM alice"]
write_files:
  - {path: /etc/bench.conf, content: "a = 1\n", permissions: "0640", owner: "root:adm"}
  - {path: /srv/late, content: "late\n", owner: "alice:alice", defer: true}
bootcmd: [[mkdir, -p, /srv/data]]
runcmd: [[touch, /srv/data/run]]
"#;

const STAGES: [&str; 5] =
    ["cloud-init-main", "cloud-init-local", "cloud-init", "cloud-config", "cloud-final"];
const MARK: &str = "BENCH-END";

/// What a stage took, in microseconds since the kernel started, and its processor time in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Stage {
    started: u64,
    finished: u64,
    processor: u64,
}

/// One boot, in seconds.
#[derive(Clone, Copy, Debug)]
struct Boot {
    /// From the first stage's start to the last one's end, with all that others do in between.
    wall: f64,
    /// In the stages themselves.
    stages: f64,
    /// Of the stages and what they started.
    processor: f64,
}

struct Options {
    image: String,
    runs: usize,
    user_data: String,
}

fn main() {
    let options = options(std::env::args().skip(1));
    let Some(images) = Images::find() else { return };
    let directory = tempfile::TempDir::new().unwrap();
    hand_over(directory.path());
    let mut boots: [Vec<Boot>; 2] = [Vec::new(), Vec::new()];
    for number in 0..options.runs {
        for (contender, list) in boots.iter_mut().enumerate() {
            let agent = if contender == 0 { "" } else { "  - agent: {mode: replace}\n" };
            // A log of its own for every boot: what another one has said would end the wait at once.
            let name = format!("boot-{number}-{contender}");
            let boot = boot(&images, &options, directory.path(), agent, &name);
            eprintln!("{}: {boot:?}", NAMES[contender]);
            list.push(boot);
        }
    }
    print!("{}", table(&options, &boots));
}

const NAMES: [&str; 2] = ["cloud-init", "hardtack-agent"];

fn options(mut arguments: impl Iterator<Item = String>) -> Options {
    let mut options = Options { image: "debian12".to_owned(), runs: 1, user_data: USER_DATA.to_owned() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--image" => options.image = value(),
            "--runs" => options.runs = value().parse().unwrap(),
            "--user-data" => options.user_data = std::fs::read_to_string(value()).unwrap(),
            // What cargo adds.
            "--bench" => {}
            other => panic!("{other} is not known; see the head of benches/boot.rs"),
        }
    }
    assert!(options.runs > 0, "--runs takes a number from 1");
    options
}

fn boot(images: &Images, options: &Options, directory: &Path, agent: &str, name: &str) -> Boot {
    let source = images.disk(&options.image);
    std::fs::write(directory.join("boot.yaml"), format!("recipe: 1\nsteps:\n{}{agent}", files())).unwrap();
    let mut build = as_ordinary_user(hardtack());
    build.current_dir(directory).env("SOURCE_DATE_EPOCH", "1760000000").arg("build").arg("boot.yaml");
    run(build.arg("--source").arg(source).args(["--output", "boot.qcow2", "--force"]));
    let seed_file: PathBuf = directory.join("seed.img");
    seed(&seed_file, "i-bench", &options.user_data);
    let mut vm = Vm::start(&Machine {
        disk: &directory.join("boot.qcow2"),
        format: "qcow2",
        launch: Launch::seed(&seed_file),
        extra: None,
        nvme: &[],
        directory,
        name,
    });
    vm.wait_for(MARK);
    measured(&vm.log())
}

/// The unit that tells, in both images.
fn files() -> String {
    let units: Vec<String> = STAGES.iter().map(|name| format!("{name}.service")).collect();
    format!(
        r#"  - files:
      - write: /etc/systemd/system/bench.service
        content: |
          [Unit]
          After=cloud-final.service
          [Service]
          Type=oneshot
          StandardOutput=tty
          TTYPath=/dev/ttyS0
          ExecStart=/usr/bin/systemctl --no-pager show -p Id -p ExecMainStartTimestampMonotonic -p ExecMainExitTimestampMonotonic -p CPUUsageNSec {}
          ExecStart=/bin/echo {MARK}
      - {{link: /etc/systemd/system/cloud-init.target.wants/bench.service, target: ../bench.service}}
"#,
        units.join(" ")
    )
}

/// Takes the answer of `systemctl show` out of a console.
fn measured(log: &str) -> Boot {
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    let mut stage = Stage::default();
    let mut name = String::new();
    // Each unit is a paragraph, in which the order is systemd's.
    for line in log.lines().map(str::trim).chain([""]) {
        let number = |value: &str| value.parse().unwrap_or(0);
        match line.split_once('=') {
            // A stage that failed has an end too.
            Some(("Id", value)) => name = value.to_owned(),
            Some(("ExecMainStartTimestampMonotonic", value)) => stage.started = number(value),
            Some(("ExecMainExitTimestampMonotonic", value)) => stage.finished = number(value),
            Some(("CPUUsageNSec", value)) => stage.processor = number(value),
            _ if !name.is_empty() && (line.is_empty() || line.contains(MARK)) => {
                stages.insert(std::mem::take(&mut name), std::mem::take(&mut stage));
            }
            _ => {}
        }
    }
    // A name without a unit never started.
    stages.retain(|_, stage| stage.finished > 0);
    assert!(stages.contains_key("cloud-final.service") && stages.len() >= 4, "{stages:?}\n{log}");
    let microseconds = |value: u64| value as f64 / 1e6;
    let first = stages.values().map(|stage| stage.started).min().unwrap();
    let last = stages.values().map(|stage| stage.finished).max().unwrap();
    Boot {
        wall: microseconds(last - first),
        stages: stages.values().map(|stage| microseconds(stage.finished - stage.started)).sum(),
        processor: stages.values().map(|stage| stage.processor as f64 / 1e9).sum(),
    }
}

fn table(options: &Options, boots: &[Vec<Boot>; 2]) -> String {
    let median = |boots: &[Boot], of: fn(&Boot) -> f64| {
        let mut values: Vec<f64> = boots.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mut text = format!(
        "{}, {} boots each, QEMU; medians\n\n| first boot | first stage's start to finished | in the stages | processor |\n\
         |---|--:|--:|--:|\n",
        options.image, options.runs
    );
    let mut json = Vec::new();
    let of: [fn(&Boot) -> f64; 3] = [|boot| boot.wall, |boot| boot.stages, |boot| boot.processor];
    for (name, list) in NAMES.iter().zip(boots) {
        let [wall, stages, processor] = of.map(|of| median(list, of));
        text.push_str(&format!("| {name} | {wall:.2} s | {stages:.2} s | {processor:.2} s |\n"));
        json.push(serde_json::json!({
            "contender": name, "wall": wall, "stages": stages, "processor": processor, "runs": list.len(),
        }));
    }
    let [wall, stages, processor] =
        of.map(|of| median(&boots[0], of) / median(&boots[1], of).max(f64::MIN_POSITIVE));
    text.push_str(&format!("| one to the other | {wall:.1} | {stages:.1} | {processor:.1} |\n\n"));
    text.push_str(&serde_json::json!({"image": options.image, "boots": json}).to_string());
    text.push('\n');
    text
}
