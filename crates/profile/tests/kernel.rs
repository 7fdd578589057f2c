//! What the rules take for in force, beside what the real programs of Debian 12 and 13 make of the same files.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hardtack_disk::{BlockSource, Overlay, open_source};
use hardtack_guest::{Guest, HostTree, Stage};
use hardtack_profile::{
    Exception, Finding, Kind, Phase, Profile, Settings, Surroundings, apply, check, rules,
};

fn cache() -> PathBuf {
    std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from)
}

/// The programs of a Debian root below a directory; or a visible word and nothing.
fn root(name: &str) -> Option<tempfile::TempDir> {
    let tar = cache().join(format!("{name}.tar"));
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    if !tar.exists() || !is_root {
        eprintln!("SKIPPED: {} is not there, or this is not root", tar.display());
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let parts = [
        "./lib",
        "./lib64",
        "./bin",
        "./sbin",
        "./usr/lib",
        "./usr/lib64",
        "./usr/bin",
        "./usr/sbin/modprobe",
    ];
    let status =
        Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(directory.path()).args(parts).status();
    assert!(status.unwrap().success());
    for path in ["proc", "etc", "run"] {
        fs::create_dir_all(directory.path().join(path)).unwrap();
    }
    Some(directory)
}

/// Whether the rule passes, and whether it fails, by the files below `root`.
fn passes(root: &Path, rule: &'static str) -> bool {
    let tree = HostTree::new(root);
    let stage = Stage::new(&tree);
    // All others are left out: they take longer.
    let others = rules().iter().filter(|other| other.id != rule);
    let exceptions = others.map(|other| Exception { rule: other.id, reason: String::new() }).collect();
    let profile = Profile { exceptions, enforce: vec![rule], ..Profile::new(Kind::Baseline) };
    let judged = check(&profile, &stage).unwrap();
    judged.into_iter().find(|judged| judged.rule.id == rule).unwrap().finding == Finding::Pass
}

/// The same numbers each time (Numerical Recipes' generator).
struct Numbers(u32);

impl Numbers {
    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        &of[(self.0 >> 16) as usize % of.len()]
    }
}

fn files(root: &Path, numbers: &mut Numbers, kind: &str, lines: &[String]) -> String {
    let directories = ["etc", "run", "usr/local/lib", "usr/lib"];
    for directory in directories {
        let _ = fs::remove_dir_all(root.join(directory).join(kind));
    }
    let mut told = String::new();
    for _ in 0..*numbers.pick(&[1, 2, 3, 4]) {
        let path = root.join(numbers.pick(&directories)).join(kind).join(numbers.pick(&[
            "10-a.conf",
            "50-b.conf",
            "99-c.conf",
            "60-d",
        ]));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text: Vec<&str> =
            (0..*numbers.pick(&[0, 1, 2, 3])).map(|_| numbers.pick(lines).as_str()).collect();
        let text = text.join("\n");
        told.push_str(&format!("{}:\n{text}\n", path.display()));
        let _ = fs::remove_file(&path);
        fs::write(path, text).unwrap();
    }
    told
}

const SCRIPT: &str = "
set -e
mount --make-rprivate /
mount -t proc proc \"$1/proc\"
cd \"$1/proc/sys/net/ipv4/conf\"
for at in all default; do echo 1 > $at/send_redirects; echo 0 > $at/log_martians; done
chroot \"$1\" /usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf 2> /dev/null || :
cat all/send_redirects default/send_redirects all/log_martians default/log_martians
";

#[test]
fn systemd_sysctl_sets_what_passes() {
    let mut lines = Vec::new();
    for (key, values) in [("send_redirects", [0, 1]), ("log_martians", [0, 1])] {
        for value in values {
            for pattern in [
                "net.ipv4.conf.all.",
                "net/ipv4/conf/default/",
                "net.ipv4.conf.*.",
                "-net.ipv4.conf.[ad]*.",
                "net.ipv4.*.",
                "net.*.*.default.",
            ] {
                lines.push(format!("{pattern}{key} = {value}"));
            }
        }
        lines.push(format!("-net.ipv4.conf.all.{key}"));
        lines.push(format!("  -net/ipv4/conf/default/{key}"));
        lines.push(format!("net.ipv4.conf.{{all,default}}.{key}=1"));
        lines.push(format!("net.ipv4.conf.*{{all,default}}.{key} =0"));
        lines.push(format!("; net.ipv4.conf.all.{key}=1"));
    }
    for name in ["bookworm", "trixie"] {
        let Some(root) = root(name) else { return };
        let root = root.path();
        let mut numbers = Numbers(11);
        let mut passed = 0;
        for _ in 0..8 {
            let told = files(root, &mut numbers, "sysctl.d", &lines);
            let out = Command::new("unshare")
                .args(["-n", "-m", "sh", "-c", SCRIPT, "sh"])
                .arg(root)
                .output()
                .unwrap();
            if !out.status.success() {
                eprintln!("SKIPPED: no network namespace here: {}", String::from_utf8_lossy(&out.stderr));
                return;
            }
            let values = String::from_utf8_lossy(&out.stdout).replace('\n', "");
            assert_eq!(
                passes(root, "sys-send-redirects"),
                values.starts_with("00"),
                "{name}: {values}\n{told}"
            );
            assert_eq!(passes(root, "sys-log-martians"), values.ends_with("11"), "{name}: {values}\n{told}");
            passed += usize::from(values.starts_with("00")) + usize::from(values.ends_with("11"));
        }
        assert!(passed > 0, "{name}: {passed}");
    }
}

#[test]
fn modprobe_does_nothing_for_what_passes() {
    // Debian 13's cloud kernel has no dccp any more.
    let Some(root) = root("bookworm") else { return };
    let root = root.path();
    let version = fs::read_dir(root.join("lib/modules")).unwrap().next().unwrap().unwrap().file_name();
    let lines: Vec<String> = [
        "install dccp /bin/true",
        "install dccp /bin/false",
        "install dccp /sbin/modprobe --ignore-install dccp",
        "install d[a-d]* /bin/true",
        "install sctp /bin/true",
        "install \\\n dccp \\\n /bin/true",
        "# install dccp /bin/true",
        "install dccp",
        "options dccp x=1",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut numbers = Numbers(5);
    let mut passed = 0;
    for _ in 0..16 {
        let told = files(root, &mut numbers, "modprobe.d", &lines);
        let directory = root.join("etc/modprobe.d");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("00-blacklist.conf"), "blacklist dccp\n").unwrap();
        let mut modprobe = Command::new("chroot");
        modprobe.arg(root).args(["/sbin/modprobe", "--show-depends", "-S"]).arg(&version).arg("dccp");
        let out = modprobe.output().unwrap();
        let out = String::from_utf8_lossy(&out.stdout).into_owned();
        let told_off: Vec<&str> = out.split_whitespace().collect();
        let off = matches!(told_off[..], ["install", "/bin/true" | "/bin/false", ..]);
        assert_eq!(passes(root, "mod-dccp"), off, "{out}\n{told}");
        passed += usize::from(off);
    }
    assert!((1..16).contains(&passed), "{passed}");
}

#[test]
fn grub_and_mount_understand_what_is_written() {
    for name in ["debian12", "debian13"] {
        let path = cache().join("images").join(format!("{name}.qcow2"));
        if !path.exists() {
            eprintln!("SKIPPED: {} is not there", path.display());
            return;
        }
        let source: Arc<dyn BlockSource> = Arc::from(open_source(&path).unwrap());
        let guest = Guest::open_to_read(Arc::new(Overlay::new(source))).unwrap();
        let mut stage = Stage::new(&guest);
        let hash = "grub.pbkdf2.sha512.10000.0A1B.2C3D".to_owned();
        let settings = Settings { boot_password: Some(hash), ..Settings::default() };
        let enforce = vec!["mount-boot-opts", "mount-proc-hidepid"];
        // Those that look at every file have nothing to do with it.
        let walks = |id: &str| id.starts_with("perm-") || id.starts_with("audit") || id.starts_with("aide");
        let exceptions = rules()
            .iter()
            .filter(|rule| walks(rule.id))
            .map(|rule| Exception { rule: rule.id, reason: String::new() })
            .collect();
        let profile = Profile { settings, enforce, exceptions, ..Profile::new(Kind::Cis2) };
        let around = Surroundings { epoch: 1_700_000_000, ..Surroundings::default() };
        for phase in [Phase::Early, Phase::Late] {
            apply(&profile, &mut stage, around, phase).unwrap();
        }
        let judged = check(&profile, &stage).unwrap();
        let password = judged.iter().find(|judged| judged.rule.id == "boot-password").unwrap();
        assert_eq!(password.finding, Finding::Pass, "{name}");
        let directory = tempfile::tempdir().unwrap();
        for (file, program) in [
            ("/boot/grub/grub.cfg", &["grub-script-check"][..]),
            ("/etc/grub.d/10_linux", &["sh", "-n"]),
            ("/etc/grub.d/01_hardtack", &["sh", "-n"]),
            ("/usr/lib/hardtack/profile-first-boot", &["sh", "-n"]),
            ("/etc/fstab", &["findmnt", "--verify", "--tab-file"]),
        ] {
            let text = stage.read_text(file).unwrap().unwrap();
            let copy = directory.path().join("copy");
            fs::write(&copy, &text).unwrap();
            match Command::new(program[0]).args(&program[1..]).arg(&copy).output() {
                Ok(out) => {
                    let told = [out.stdout, out.stderr].concat();
                    let told = String::from_utf8_lossy(&told);
                    // Labels and directories of the image are not this machine's.
                    let parsed = told.contains("0 parse errors");
                    assert!(out.status.success() || parsed, "{name}: {file}: {told}\n{text}");
                }
                Err(error) => eprintln!("SKIPPED: {}: {error}", program[0]),
            }
        }
    }
}
