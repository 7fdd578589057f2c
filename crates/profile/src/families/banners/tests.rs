use hardtack_guest::{FileType, MemoryTree, Stage};

use super::text;
use crate::testing::{carry_out, look};
use crate::{Bench, Error, Finding, Settings, rule};

const RULES: [&str; 6] =
    ["motd-text", "issue-text", "issue-net-text", "motd-mode", "issue-mode", "issue-net-mode"];

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/os-release", "ID=debian\n")
        .file_as("/etc/motd", "Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY\n", 0o664, 0, 0)
        .file_as("/etc/issue", "Debian GNU/Linux 12 \\n \\l\n", 0o644, 0, 5)
        .file("/etc/issue.net", "Debian GNU/Linux 12\n")
        .file_as("/etc/update-motd.d/10-uname", "#!/bin/sh\nuname -snrvm\n", 0o755, 0, 0)
}

#[test]
fn banners_say_whose_machine_it_is() {
    let tree = debian();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &RULES);
    for (at, expected) in [(0, true), (1, true), (2, true), (3, true), (4, true), (5, false)] {
        assert_eq!(matches!(before[at], Finding::Fail { .. }), expected, "{}: {:?}", RULES[at], before[at]);
    }
    assert_eq!(after, vec![Finding::Pass; 6]);
    let issue = stage.read_text("/etc/issue").unwrap().unwrap();
    assert!(text::key_words(&issue) >= text::ENOUGH, "{issue}");
    assert_eq!(stage.read_text("/etc/motd").unwrap().as_deref(), Some(""));
    assert_eq!(stage.stat("/etc/update-motd.d/10-uname").unwrap().unwrap().mode & 0o7777, 0o644);
}

#[test]
fn a_motd_that_is_made_at_boot_stays_a_link() {
    let tree = MemoryTree::new()
        .file("/etc/os-release", "ID=ubuntu\n")
        .link("/etc/motd", "/run/motd")
        .file("/etc/default/motd-news", "# x\nENABLED=1\nURLS=\"x\"\n")
        .file_as("/etc/update-motd.d/00-header", "", 0o755, 0, 0)
        .file_as("/usr/share/landscape/sysinfo", "", 0o755, 0, 0)
        .link("/etc/update-motd.d/50-landscape-sysinfo", "/usr/share/landscape/sysinfo")
        .link("/etc/update-motd.d/60-nowhere", "/absent");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["motd-text", "motd-mode"]);
    let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
    let places: Vec<&str> = places.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(
        places,
        ["/etc/update-motd.d/00-header", "/etc/update-motd.d/50-landscape-sysinfo", "/etc/default/motd-news"]
    );
    assert_eq!(after[0], Finding::Pass);
    assert!(matches!(after[1], Finding::NotApplicable(_)));
    assert_eq!(stage.lstat("/etc/motd").unwrap().unwrap().kind, FileType::Symlink);
    assert_eq!(stage.read_text("/etc/default/motd-news").unwrap().unwrap(), "# x\nENABLED=0\nURLS=\"x\"\n");
}

#[test]
fn banners_of_the_settings_are_judged_before_they_are_written() {
    let tree = debian();
    let with = |banner: &str| Settings { banner: Some(banner.to_owned()), ..Settings::default() };
    for (banner, what) in [
        ("host \\n kernel \\r", "has \\n"),
        ("on \\m", "has \\m"),
        ("Debian's finest", "names the system: debian"),
        ("bell \u{7}", "control character"),
        ("clear \u{1b}[2J", "control character"),
    ] {
        let settings = with(banner);
        let mut stage = Stage::new(&tree);
        let mut bench = Bench::new(&mut stage, &settings, 0, &[]);
        let error = rule("issue-text").unwrap().measure.apply(&mut bench).unwrap_err();
        let Error::Refused { what: found, .. } = error else { panic!("{banner}: {error:?}") };
        assert!(found.contains(what), "{banner}: {found}");
    }
    // Few words are enough where somebody has chosen them.
    let settings = with("Keep out");
    let (_, after, stage) = carry_out(&tree, &settings, &RULES);
    assert_eq!(after, vec![Finding::Pass; 6]);
    assert_eq!(stage.read_text("/etc/issue.net").unwrap().as_deref(), Some("Keep out\n"));
    assert!(matches!(look(&stage, &Settings::default(), &["issue-text"])[0], Finding::Fail { .. }));
}

#[test]
fn links_are_not_written_through() {
    let tree = MemoryTree::new()
        .file("/usr/lib/issue", "\\S\nKernel \\r on an \\m\n")
        .link("/etc/issue", "../usr/lib/issue");
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &["issue-text"]);
    assert_eq!(after, [Finding::Pass]);
    assert!(stage.read_text("/usr/lib/issue").unwrap().unwrap().contains("Kernel"));
}
