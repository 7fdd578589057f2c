#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn commands_are_filled_in() {
    let values = HashMap::from([("label", "a b"), ("device", "/dev/vdb1"), ("filesystem", "ext4")]);
    let fill = |text: &str| filled(text, &values);
    assert_eq!(
        fill("mkfs -t %(filesystem)s -L '%(label)s' %(device)s").unwrap(),
        "mkfs -t ext4 -L 'a b' /dev/vdb1"
    );
    assert_eq!(fill("100%% of %(device)s").unwrap(), "100% of /dev/vdb1");
    for bad in ["%", "100% of it", "%(device)", "%(other)s", "%s", "%(device"] {
        assert_eq!(fill(bad), None, "{bad}");
    }
}

#[test]
fn details_are_read() {
    let details = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let given = details(&[
        ("filesystem", "ext4"),
        ("overwrite", "false"),
        ("extra_opts", r#"["-E", "a=b"]"#),
        ("cmd", "mkfs %(device)s"),
    ]);
    let details_of = Details(&given);
    let wanted = Wanted::read(&details_of);
    assert_eq!(wanted.options, ["-E", "a=b"]);
    assert_eq!((wanted.partition, wanted.overwrite, wanted.shell), ("any", false, true));
    assert_eq!(wanted.command.unwrap(), ["mkfs %(device)s"]);
    assert_eq!(part("/dev/vdb", "1"), "/dev/vdb1");
    assert_eq!(part("/dev/nvme0n1", "2"), "/dev/nvme0n1p2");
    assert_eq!(["ext4", "XFS", "swap", "vfat"].map(force), [Some("-F"), Some("-f"), Some("-f"), None]);
}

#[test]
fn a_file_system_is_made_once() {
    use crate::testing::{Loop, has};
    if !["sfdisk", "partprobe", "blkid", "mkfs.ext4", "mkswap"].into_iter().all(has) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let Some(device) = Loop::new(&path) else { return };
    let host = crate::host::Host::new("/");
    let installed = |name: &str| {
        ["/usr/sbin", "/usr/bin"].iter().any(|directory| std::path::Path::new(directory).join(name).exists())
    };
    let disks = Disks { host: &host, has: &installed, loops: true };
    disks.partition(&device.path, "mbr", "[50, 50]", false).unwrap();
    let made = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        make(&disks, &device.path, &Wanted::read(&Details(&pairs))).unwrap()
    };
    let on = |number: &str, what: &str| Made::Done(format!("{}p{number} {what}", device.path));
    let data = [("filesystem", "ext4"), ("label", "a b"), ("partition", "auto")];
    assert_eq!(made(&data), on("1", "has a new ext4"));
    assert_eq!(made(&data), on("1", "has the file system already"));
    assert_eq!(
        made(&[("filesystem", "ext4"), ("partition", "1"), ("label", "a b")]),
        on("1", "has the file system already")
    );
    assert_eq!(
        made(&[("filesystem", "swap"), ("label", "sw"), ("partition", "any")]),
        on("2", "has a new swap")
    );
    assert!(matches!(made(&[("filesystem", "xfs"), ("partition", "any")]), Made::Warning(_)));
    assert!(matches!(made(&[("filesystem", "ext4"), ("partition", "7")]), Made::Warning(_)));
    assert_eq!(
        made(&[
            ("filesystem", "ext4"),
            ("label", "c"),
            ("partition", "2"),
            ("cmd", "mkfs -t %(filesystem)s -F -q -L %(label)s %(device)s")
        ]),
        on("2", "has what its cmd makes")
    );
    assert_eq!(disks.file_system(&format!("{}p2", device.path)).unwrap().label.as_deref(), Some("c"));
}
