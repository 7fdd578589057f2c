//! Seeds on disks and in directories, the marks of a machine, and superblocks: what the first-boot agent reads
//! before there is a network.

use std::io::{self, Cursor};

use hardtack_datasource::identify::{Answers, Question, identify as identified, virtualization};
use hardtack_datasource::{BlockDevice, Found, Local, config_drive, nocloud, superblock as blocks};
use hardtack_modules::Machine;
use hardtack_modules::testing::Tree;
use hardtack_userdata::{Kind, Map, Value};

use crate::memory::bounded;

/// What one seed may take.
const MEMORY: usize = 64 << 20;
/// What ds-identify's rules may take, and a superblock.
const LITTLE: usize = 16 << 20;
/// Between the files of one input.
const BETWEEN: &[u8] = b"\n===\n";
/// Bytes of the device that [`superblock`] makes.
const DEVICE: usize = 256 << 10;

/// The files of an input, in order.
fn files(mut input: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    while let Some(at) = input.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        files.push(&input[..at]);
        input = &input[at + BETWEEN.len()..];
    }
    files.push(input);
    files
}

struct Made {
    tree: Tree,
    disk: Tree,
    device: BlockDevice,
}

impl Local for Made {
    fn machine(&self) -> &dyn Machine {
        &self.tree
    }

    fn block_devices(&self) -> Vec<BlockDevice> {
        vec![self.device.clone()]
    }

    fn with_files(&self, _: &BlockDevice, work: &mut dyn FnMut(&dyn Machine)) -> io::Result<()> {
        work(&self.disk);
        Ok(())
    }
}

fn put(mut tree: Tree, directory: &str, names: &[&str], files: &[&[u8]]) -> Tree {
    for (name, file) in names.iter().zip(files) {
        tree = tree.with(&format!("{directory}/{name}"), file);
    }
    tree
}

/// The same files as a seed for NoCloud in a directory and on a disk, and as a config drive of both versions.
pub fn seeds(input: &[u8]) {
    let files = files(input);
    let text = |index: usize| {
        files.get(index).map(|file| String::from_utf8_lossy(file).into_owned()).unwrap_or_default()
    };
    let config = match Value::load(&text(4), 0).map(|value| value.kind) {
        Ok(Kind::Map(map)) => map,
        _ => Map::new(),
    };
    const NOCLOUD: [&str; 4] = ["meta-data", "user-data", "vendor-data", "network-config"];
    const DRIVE: [&str; 6] = [
        "openstack/latest/meta_data.json",
        "openstack/latest/user_data",
        "openstack/latest/vendor_data.json",
        "openstack/latest/network_data.json",
        "openstack/content/0000",
        "ec2/latest/meta-data.json",
    ];
    const OLD: [&str; 3] = ["meta.js", "root/.ssh/authorized_keys", "etc/network/interfaces"];
    let serial = Tree::new().with("/sys/class/dmi/id/product_serial", text(6));
    let seeded = put(serial.clone(), "/var/lib/cloud/seed/nocloud", &NOCLOUD, &files);
    for (tree, disk, label) in [
        (seeded, Tree::new(), ""),
        (serial, put(Tree::new(), "", &NOCLOUD, &files), "cidata"),
        (Tree::new(), put(Tree::new(), "", &DRIVE, &files), "config-2"),
        (Tree::new(), put(Tree::new(), "", &OLD, &files), "config-2"),
    ] {
        let device = BlockDevice {
            path: "/dev/vdb".to_owned(),
            file_system: "vfat".to_owned(),
            label: label.to_owned(),
            ..BlockDevice::default()
        };
        let made = Made { tree, disk, device };
        bounded(MEMORY, || {
            let question =
                nocloud::Question { local: &made, command_line: &text(5), container: false, config: &config };
            if let nocloud::Outcome::Found(seed) = nocloud::read(&question) {
                known(&seed.found);
            }
            if let config_drive::Outcome::Found(seed) = config_drive::read(&made, &config) {
                known(&seed.found);
            }
        });
    }
}

/// It survives a reboot as it is, but for numbers that no decimal text gives back.
fn known(found: &Found) {
    let written = serde_json::to_string(found).unwrap_or_default();
    let read: Found = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read.user_data, found.user_data);
    assert_eq!(read.instance_id, found.instance_id);
    let _ = found.facts();
}

/// ds-identify's rules on files and labels of any content.
pub fn identify(input: &[u8]) {
    const PATHS: [&str; 9] = [
        "proc/cmdline",
        "etc/cloud/ds-identify.cfg",
        "etc/cloud/cloud.cfg",
        "etc/cloud/cloud.cfg.d/90_ec2.cfg",
        "sys/class/dmi/id/product_name",
        "sys/class/dmi/id/product_serial",
        "sys/class/dmi/id/product_uuid",
        "sys/class/dmi/id/chassis_asset_tag",
        "proc/1/environ",
    ];
    let files = files(input);
    let tree = put(Tree::new(), "", &PATHS, &files);
    let labels = files.get(PATHS.len()).copied().unwrap_or_default();
    let labels = String::from_utf8_lossy(labels).into_owned();
    let devices: Vec<BlockDevice> = labels
        .lines()
        .take(64)
        .map(|line| BlockDevice {
            path: "/dev/sr0".to_owned(),
            file_system: "iso9660".to_owned(),
            label: line.to_owned(),
            ..BlockDevice::default()
        })
        .collect();
    bounded(LITTLE + 64 * input.len(), || {
        let kind = virtualization(&tree);
        for virtualization in [kind.as_str(), "kvm", "xen", "vmware", "lxc", "wsl"] {
            let found = identified(&Question {
                machine: &tree,
                devices: &devices,
                virtualization,
                architecture: "x86_64",
                answers: &Answers::default(),
            });
            assert!(found.exit < 3 && found.runs() == (found.exit == 0));
            assert!(found.list.is_empty() || found.runs(), "{found:?}");
        }
    });
}

/// A device of zeros with patches: four bytes of place, one of length, the bytes.
pub fn superblock(mut input: &[u8]) {
    let mut device = vec![0; DEVICE];
    while let [a, b, c, d, length, rest @ ..] = input {
        let at = u32::from_le_bytes([*a, *b, *c, *d]) as usize % DEVICE;
        let length = usize::from(*length).min(rest.len()).min(DEVICE - at);
        device[at..at + length].copy_from_slice(&rest[..length]);
        input = &rest[length..];
    }
    bounded(LITTLE, || {
        let found = blocks::probe(&mut Cursor::new(&device));
        assert!(found.is_ok_and(|found| found.is_none_or(|found| found.label.len() <= 128)));
    });
}
