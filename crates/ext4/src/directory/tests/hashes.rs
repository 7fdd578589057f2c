//! The hash of a name, as debugfs computes it.

use crate::directory::hash::Hasher;

use super::debugfs_script;

fn samples() -> Vec<String> {
    let mut samples: Vec<String> =
        ["a", "ab", "abc", "abcd", "passwd", "authorized_keys", "ü", "日本語", "ÿÿÿÿ"]
            .map(str::to_owned)
            .into();
    for length in [15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 200, 254, 255] {
        samples.push("0123456789abcdefghijklmnopqrstuvwxyz".chars().cycle().take(length).collect());
    }
    samples.extend((1..=120).map(|length| "é".repeat(length)));
    samples
}

#[test]
fn every_version_is_debugfs_own() {
    let dir = tempfile::tempdir().unwrap();
    let seeds = [
        ([0; 4], "00000000-0000-0000-0000-000000000000"),
        ([0x1c2f_5d5d, 0x514d_9e7d, 0x0f9a_3e51, 0x8b6b_7c4d], "5d5d2f1c-7d9e-4d51-513e-9a0f4d7c6b8b"),
    ];
    let mut checked = 0;
    for (seed, uuid) in seeds {
        for (version, unsigned) in [(0, false), (1, false), (2, false), (0, true), (1, true), (2, true)] {
            let algorithm = version + if unsigned { 3 } else { 0 };
            let script: String =
                samples().iter().map(|name| format!("dx_hash -h {algorithm} -s {uuid} {name}\n")).collect();
            let answers = debugfs_script(dir.path(), None, &script);
            let answers: Vec<u32> = answers
                .lines()
                .filter(|line| line.starts_with("Hash of"))
                .map(|line| {
                    let word = line.split(" is 0x").nth(1).unwrap().split(' ').next().unwrap();
                    u32::from_str_radix(word, 16).unwrap()
                })
                .collect();
            let hasher = Hasher::new(version, unsigned, seed).unwrap();
            let ours: Vec<u32> = samples().iter().map(|name| hasher.hash(name.as_bytes())).collect();
            assert_eq!(ours, answers, "version {version}, unsigned {unsigned}, seed {uuid}");
            checked += ours.len();
        }
    }
    assert_eq!(checked, 12 * samples().len());
}

#[test]
fn unknown_versions_are_none() {
    for version in [3, 4, 5, 6, 255] {
        assert_eq!(Hasher::new(version, false, [1; 4]), None, "{version}");
    }
}
