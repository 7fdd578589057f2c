//! The messages that the handbook explains are those of the program: each of its headings is printed by a case that is run
//! here, or stands in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hardtack_tests::markdown::read;
use hardtack_tests::tools::top;
use regex::Regex;

use crate::scene::Scene;

const PAGE: &str = "docs/troubleshooting.md";

/// What is run, its exit code, and a part of the heading that it prints.
const CASES: &[(&str, i32, &str)] = &[
    ("hardtack verify cis-9 base.qcow2", 2, "no profile of that name"),
    ("echo no > no.img; hardtack plan recipe.yaml no.img", 3, "it is truncated or no disk image"),
    ("echo '<html>gone</html>' > p.img; hardtack plan recipe.yaml p.img", 3, "the download went wrong"),
    ("sed s/seal/sael/ recipe.yaml > b.yaml; hardtack plan b.yaml base.qcow2", 2, "unknown key"),
    ("env -u DEBIAN_PASSWORD hardtack plan recipe.yaml base.qcow2", 2, "the environment variable"),
    (
        "printf 'recipe: 1\\nvars: {size: }\\nsteps:\\n  - hostname: {var: size}\\n' > v.yaml; hardtack plan v.yaml base.qcow2",
        2,
        "the variable",
    ),
    (
        "printf 'recipe: 1\\nsteps:\\n\\t- agent\\n' > t.yaml; hardtack plan t.yaml base.qcow2",
        2,
        "a tab cannot",
    ),
    (
        "printf 'recipe: 1\\nsteps:\\n  - packages: {debs: [gone/]}\\n' > d.yaml; hardtack plan d.yaml base.qcow2",
        4,
        "no such file or directory` with",
    ),
    (
        "truncate -s 400M xfs.raw && mkfs.xfs -q xfs.raw && hardtack plan recipe.yaml xfs.raw",
        3,
        "the root file system is",
    ),
    ("truncate -s 1M e.raw; hardtack plan recipe.yaml e.raw", 3, "no root file system"),
    ("head -c 30000 base.qcow2 > cut.qcow2; hardtack convert cut.qcow2 cut.raw", 3, "damaged … image"),
    (
        "hardtack convert base.qcow2 over.qcow2 --overlay && hardtack inspect over.qcow2",
        3,
        "it needs its backing file",
    ),
    ("hardtack cat base.qcow2:/etc/gone", 3, "no such file or directory in the image"),
    (
        "printf 'recipe: 1\\nsteps:\\n  - packages: {install: [nginx]}\\n' > p.yaml; hardtack plan p.yaml base.qcow2",
        3,
        "no list of package sources",
    ),
    (
        "printf 'recipe: 1\\nsteps:\\n  - mfa: {users: [debian]}\\n  - agent\\n' > m.yaml; hardtack plan m.yaml base.qcow2",
        3,
        "nobody could log in",
    ),
    (
        "printf 'recipe: 1\\nsteps:\\n  - files: [{replace: /etc/motd, match: gone, with: x}]\\n' > r.yaml; hardtack plan r.yaml base.qcow2",
        3,
        "no line matches",
    ),
    (
        "printf 'recipe: 1\\nsteps:\\n  - timezone: Europe/Berln\\n' > z.yaml; hardtack plan z.yaml base.qcow2",
        3,
        "the image has no time zone",
    ),
    (
        "head -c 70M /dev/urandom > n; printf 'recipe: 1\\nsteps:\\n  - copy-in: {from: n, to: /opt}\\n' > f.yaml; \
         hardtack build f.yaml --source base.qcow2 --output f.qcow2",
        3,
        "bytes are needed",
    ),
    ("hardtack enroll --image base.qcow2 --user gone", 3, "no user"),
    ("hardtack convert base.qcow2 hard.qcow2", 4, "exists already"),
    ("hardtack convert gone.qcow2 x.raw", 4, "No such file or directory (os error 2)"),
    ("hardtack console recipe.yaml", 1, "no credentials block"),
    (
        "sed 's/SHA256:/SHA256:x/' serial.log > s.log; hardtack console s.log",
        3,
        "read the console again, or reboot",
    ),
    ("hardtack user-data check recipe.yaml", 1, "is no header"),
    ("hardtack launch web -f recipe.yaml", 1, "nothing was launched"),
    ("hardtack console i-0123456789abcdef0", 3, "no such instance"),
    ("hardtack launch web -f launch.yaml", 3, "no such image"),
    ("hardtack install base.qcow2 -n web --on aws", 2, "no region of AWS"),
    ("AWS_REGION=eu-west-1 hardtack install base.qcow2 -n web --on aws", 2, "no access keys"),
    ("hardtack install base.qcow2 -n web --on euca -b images", 2, "no address of a Eucalyptus"),
    ("hardtack bundle disk.raw -o .", 2, "missing account ID"),
    ("hardtack bundle disk.raw -o . --user 123456789012", 2, "missing cloud certificate"),
    ("hardtack undo gone.journal", 4, "cannot open the journal"),
    (
        "hardtack install base.qcow2 -n here >&2; HARDTACK=\"$(command -v hardtack)\"; \
         PATH=/nowhere \"$HARDTACK\" launch here -f launch.yaml -k id.pub",
        2,
        "qemu-system-x86_64 is not in PATH",
    ),
    (
        "mkdir -p alone && cp \"$(command -v hardtack)\" alone && alone/hardtack plan recipe.yaml base.qcow2",
        4,
        "the program hardtack-agent was not found",
    ),
];

/// A heading's message: what it must match, `…` being anything.
fn pattern(heading: &str) -> Option<Regex> {
    let message = heading.split('`').nth(1)?;
    let parts: Vec<String> = message.split('…').map(regex::escape).collect();
    Some(Regex::new(&parts.join("[^\\n]{0,300}?")).unwrap())
}

/// All sources on lines as the program prints them: text that goes on in the next line is joined.
fn sources() -> String {
    let mut text = String::new();
    let mut pending = vec![top().join("crates")];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !["tests", "benches"].contains(&name.as_str()) {
                pending.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    Regex::new("\\\\\n\\s*").unwrap().replace_all(&text, "").replace("\\\"", "\"")
}

#[test]
fn every_message_that_is_explained_is_one() {
    let Some(scene) = Scene::of(Path::new(PAGE)) else { return };
    let page = read(Path::new(PAGE));
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (command, code, part) in CASES {
        let found: Vec<&&str> = headings.iter().filter(|heading| heading.contains(part)).collect();
        assert_eq!(found.len(), 1, "{part}: {found:?}");
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(scene.files()).env_clear().envs(scene.variables());
        let ran = shell.stdin(Stdio::null()).output().unwrap();
        let printed = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        if !pattern(found[0]).unwrap().is_match(&printed) || ran.status.code() != Some(*code) {
            wrong.push(format!(
                "{command}: {} instead of {code}, and not {}:\n{printed}",
                ran.status, found[0]
            ));
        }
        seen.insert(*found[0]);
    }
    let sources = sources();
    let mut in_sources = 0;
    for heading in headings.iter().filter(|heading| !seen.contains(**heading)) {
        match pattern(heading) {
            // A service's own codes.
            None => assert!(heading.starts_with("AccessDenied"), "{heading}"),
            Some(pattern) if pattern.is_match(&sources) => in_sources += 1,
            Some(_) => wrong.push(format!("{heading}: neither printed here nor in the sources")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 25, "{}", seen.len());
    eprintln!("{} messages printed, {in_sources} found in the sources", seen.len());
}
