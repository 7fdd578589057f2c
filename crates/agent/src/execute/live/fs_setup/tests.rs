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
