//! From an image to a login by `hardtack` alone: `install`, `launch --on local … --wait=credentials`, real SSH; on virtio
//! with EC2's identity and on NVMe with Eucalyptus'. The two instances share a private network: they talk to each other,
//! the capture shows it, and a third machine boots from the first one over it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hardtack_tests::image::Images;
use hardtack_tests::tools::{output, run};
use serde_json::Value;

use crate::codes;
use crate::hardened::{Owner, RECIPE, part, text};
use crate::workshop::{PASSWORD, Workshop};

/// A machine that is booted this way has four minutes on an idle host.
const PATIENCE: &str = "25m";
const PXE: Duration = Duration::from_secs(600);

/// The first instance serves those that boot from the network: dnsmasq tells them where, and Python gives them the
/// kernel that it runs itself.
const SERVER: &str = r#"#cloud-config
locale: false
write_files:
  - path: /srv/boot.ipxe
    content: |
      #!ipxe
      kernel http://${next-server}:8000/vmlinuz console=ttyS0 break=top FROM-THE-FIRST
      initrd http://${next-server}:8000/initrd
      boot
  - path: /usr/local/sbin/serve
    permissions: "0755"
    content: |
      #!/bin/sh
      set -e
      card=$(ip -o -4 addr show | awk '$4 ~ /^10\./ {print $2; exit}')
      address=$(ip -o -4 addr show dev "$card" | awk '{sub("/.*", "", $4); print $4; exit}')
      cp /boot/vmlinuz-* /srv/vmlinuz
      cp /boot/initrd.img-* /srv/initrd
      chmod 644 /srv/*
      systemd-run --unit=files python3 -m http.server --directory /srv 8000
      systemd-run --unit=boot dnsmasq --keep-in-foreground --port=0 --interface="$card" --bind-interfaces \
        --dhcp-range="${address%.*}.200,${address%.*}.220,1h" --dhcp-vendorclass=set:pxe,PXEClient \
        --dhcp-ignore=tag:!pxe --enable-tftp --tftp-root=/srv --dhcp-boot=boot.ipxe --user=root
runcmd: [/usr/local/sbin/serve]
"#;

/// The agent brings the second card up, of which only the metadata tell.
const CLIENT: &str = "#cloud-config\nhostname: nvme\n";

struct Here {
    workshop: Workshop,
}

impl Here {
    /// `hardtack` with a catalog of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workshop.command();
        command.args(arguments).env("HARDTACK_CATALOG", self.workshop.path().join("catalog"));
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(arguments)).unwrap()
    }

    /// Begins `launch`, whose one JSON document is for [`done`].
    fn launch(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&["launch", "--json", "--timeout", PATIENCE, "--accel", "tcg"]);
        command.args(arguments).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// The console of an instance, in a file of the workshop.
    fn console(&self, id: &str) -> std::path::PathBuf {
        let path = self.workshop.path().join(format!("{id}.txt"));
        let log = self.workshop.path().join("catalog/instances").join(id).join("console.log");
        std::fs::copy(log, &path).unwrap();
        path
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // A test that failed leaves no machines behind.
        let instances = self.workshop.path().join("catalog/instances");
        for entry in std::fs::read_dir(instances).into_iter().flatten().flatten() {
            let id = entry.file_name().into_string().unwrap_or_default();
            if std::thread::panicking() {
                let log = std::fs::read(entry.path().join("console.log")).unwrap_or_default();
                let log = String::from_utf8_lossy(&log).into_owned();
                let from = log.char_indices().rev().nth(20_000).map_or(0, |(at, _)| at);
                eprintln!("==== {id}\n{}", &log[from..]);
            }
            let _ = self.command(&["terminate", &id]).output();
        }
    }
}

fn done(launched: Child) -> Value {
    let output = launched.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The port at which an instance's SSH answers.
fn port(instance: &Value) -> u16 {
    instance["ssh"]["port"].as_u64().unwrap_or_else(|| panic!("{instance}")).try_into().unwrap()
}

#[test]
fn from_an_image_to_logins_on_two_instances_of_one_network() {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, "bookworm");
    let extra = images.debs("dnsmasq");
    for deb in std::fs::read_dir(extra).unwrap() {
        let deb = deb.unwrap();
        std::fs::copy(deb.path(), workshop.path().join("debs").join(deb.file_name())).unwrap();
    }
    let here = Here { workshop };
    let disk = images.disk("debian12");
    let disk = disk.to_str().unwrap();
    // One image with cloud-init, and one with the agent in its place, as Eucalyptus needs it.
    here.run(&["install", disk, "--recipe", RECIPE, "-n", "three-factors"]);
    here.workshop
        .change(RECIPE, &[("mode: companion", "mode: replace"), ("name: debian-3fa", "name: replaced")]);
    here.run(&["install", disk, "--recipe", RECIPE, "-n", "replaced"]);
    std::fs::write(here.workshop.path().join("server.yaml"), SERVER).unwrap();
    std::fs::write(here.workshop.path().join("client.yaml"), CLIENT).unwrap();

    let first = here.launch(&[
        "three-factors",
        "-f",
        "server.yaml",
        "--network",
        "lab",
        "--wait=credentials",
        "--identity",
        "id_ed25519",
        "--volume",
        "1G:/dev/vdc",
        "--tag",
        "Name=first",
        "--journal",
        "first.journal",
    ]);
    let second = here.launch(&[
        "replaced",
        "-f",
        "client.yaml",
        "--network",
        "lab",
        "--wait=credentials",
        "--identity",
        "id_ed25519",
        "--like",
        "eucalyptus",
        "--disk-bus",
        "nvme",
        "--pcap",
        "lab.pcap",
        "--tag",
        "Name=second",
        "-k",
        "id_ed25519.pub",
        "--ephemeral",
        "512M",
        "--journal",
        "second.journal",
    ]);
    let (first, second) = (done(first), done(second));
    let [first, second] = [&first, &second].map(|document| document["instances"][0].clone());
    let mut owners: Vec<Owner<'_>> = Vec::new();
    for instance in [&first, &second] {
        let id = instance["id"].as_str().unwrap();
        let block = codes::block(&here.workshop, &here.console(id), &["id_ed25519"]);
        assert_eq!(instance["credentials"], block);
        let secret = text(part(&block, "debian"), "secret");
        owners.push(Owner::new(
            &here.workshop,
            port(instance),
            "debian",
            &here.workshop.key,
            PASSWORD,
            &secret,
        ));
    }
    // All of them at once: the known hosts are a file of each login's.
    let facts = owners[1]
        .root("cloud-init status --wait >/dev/null; lsblk -dno NAME; cloud-id; hostname; ip -o -4 addr");
    for wanted in ["nvme0n1", "nvme1n1", "nvme\n", "10."] {
        assert!(facts.contains(wanted), "{wanted}:\n{facts}");
    }
    codes::block(&here.workshop, &here.console(first["id"].as_str().unwrap()), &["id_ed25519"]);
    codes::trust(&here.workshop, port(&first));
    let facts = owners[0].root(
        "cloud-init status --wait >/dev/null; lsblk -dno NAME; cloud-id; systemctl is-active boot files",
    );
    for wanted in ["vda", "vdb", "vdc", "aws", "active\nactive"] {
        assert!(facts.contains(wanted), "{wanted}:\n{facts}");
    }
    let address = second["private_address"].as_str().unwrap();
    // They talk to each other, and who wrote it down has seen it.
    let greeted = format!("timeout 60 bash -c \"exec 3<>/dev/tcp/{address}/22; head -c 7 <&3\"");
    assert_eq!(owners[0].root(&greeted), "SSH-2.0");
    let mut tcpdump = Command::new("tcpdump");
    let seen = run(tcpdump.args(["-nr"]).arg(here.workshop.path().join("lab.pcap")).arg("tcp"));
    let own = first["private_address"].as_str().unwrap();
    assert!(seen.contains(&format!("IP {address}.22 > {own}.")), "{seen}");

    // A machine without an image boots from the first.
    let third = done(here.launch(&["--netboot", "--network", "lab", "--journal", "third.journal"]));
    let id = third["instances"][0]["id"].as_str().unwrap().to_owned();
    wait_for(&here, &id, "(initramfs)");
    let log = std::fs::read_to_string(here.console(&id)).unwrap();
    assert!(log.contains("Linux version") && log.contains("FROM-THE-FIRST"), "{log}");

    assert_eq!(here.json(&["instances", "--json"]).as_array().unwrap().len(), 3);
    for journal in ["first.journal", "third.journal"] {
        here.run(&["undo", journal]);
        assert!(!here.workshop.path().join(journal).exists());
    }
    here.run(&["terminate", second["id"].as_str().unwrap()]);
    assert_eq!(names(&here.workshop.path().join("catalog/instances")), [""; 0]);
    // The switch waits a minute for somebody else.
    let until = Instant::now() + Duration::from_secs(180);
    loop {
        let processes = output(Command::new("pgrep").args(["-fa"]).arg(here.workshop.path().join("catalog")));
        if processes.stdout.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "still there: {}", String::from_utf8_lossy(&processes.stdout));
        std::thread::sleep(Duration::from_secs(2));
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn wait_for(here: &Here, id: &str, what: &str) {
    let until = Instant::now() + PXE;
    loop {
        let log = std::fs::read(here.console(id)).unwrap();
        if String::from_utf8_lossy(&log).contains(what) {
            return;
        }
        assert!(Instant::now() < until, "{id} never said {what}");
        std::thread::sleep(Duration::from_secs(2));
    }
}
