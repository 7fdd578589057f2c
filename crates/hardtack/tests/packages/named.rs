//! Packages by name: installed, brought up to date, removed, held, locked.

use crate::bench::{Bench, same};

const STEP: &str = "      install: app\n      remove: old-one\n      upgrade: all\n      hold: steady\n";

fn changes(plan: &serde_json::Value) -> usize {
    plan["changes"].as_array().unwrap().len()
}

#[test]
fn a_recipe_has_its_packages_and_the_same_again_with_its_lock() {
    let Some(bench) = Bench::new("a recipe with packages") else { return };
    bench.recipe(&format!("{STEP}      lock: my.lock\n"));

    // The plan says all of it, and writes neither image nor lock.
    let told = bench.hardtack(&["build", "r.yaml", "--source", "base.img", "--agent", "agent", "--plan"]);
    let told = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    for wanted in [
        "tool 1 → 2",
        "app 1.0 (asked for",
        "lib 2.0 (app needs lib (>= 2)",
        "second 1 (app needs missing | second",
        "old-one 1 removed",
    ] {
        assert!(told.contains(wanted), "no {wanted:?}: {told}");
    }
    assert!(!told.contains("mail 1"), "other-mail provides it: {told}");
    let short = bench.hardtack(&["plan", "r.yaml", "base.img", "--agent", "agent", "--summary"]);
    let short = String::from_utf8(short.stdout).unwrap();
    assert!(short.lines().any(|line| line.starts_with("package  app 1.0 (")), "{short}");
    assert!(short.contains("(asked for") && short.contains("ways in\n"), "{short}");
    assert!(!bench.path("my.lock").exists());

    let said = bench.build("base.img", "out.img", &[]);
    assert!(said.contains("my.lock: written"), "{said}");
    let wanted = [
        "app 1.0 install ok installed",
        "base 1 install ok installed",
        "dpkg 1.22.0 install ok installed",
        "lib 2.0 install ok installed",
        "other-mail 1 install ok installed",
        "second 1 install ok installed",
        "steady 1 hold ok installed",
        "tool 2 install ok installed",
    ];
    assert_eq!(bench.packages("out.img"), wanted);
    assert_eq!(bench.file("out.img", "/usr/share/tool/version"), "2");
    let states = bench.file("out.img", "/var/lib/apt/extended_states");
    let automatic: Vec<&str> = states.lines().filter_map(|line| line.strip_prefix("Package: ")).collect();
    assert_eq!(automatic, ["lib", "second"]);

    // The repository is gone: its output needs none, and the cache is enough for the same again.
    std::fs::rename(bench.path("r"), bench.path("gone")).unwrap();
    assert_eq!(changes(&bench.plan("out.img", &["--packages-cache", "none"])), 0);
    bench.refused(5, &["--packages-cache", "none"], &["there is neither this nor a Release"]);
    std::fs::rename(bench.path("gone"), bench.path("r")).unwrap();

    // Another version does not come with the lock, and comes when it is made anew.
    bench.made.deb("lib", "3.0", "");
    bench.publish("");
    let lock = std::fs::read_to_string(bench.path("my.lock")).unwrap();
    bench.build("base.img", "again.img", &[]);
    assert!(same(&bench.path("out.img"), &bench.path("again.img")), "the lock made another image");
    assert_eq!(std::fs::read_to_string(bench.path("my.lock")).unwrap(), lock);
    bench.build("base.img", "newer.img", &["--update-packages-lock"]);
    assert!(bench.packages("newer.img").contains(&"lib 3.0 install ok installed".to_owned()));
    assert!(std::fs::read_to_string(bench.path("my.lock")).unwrap().contains("\"3.0\""));

    // A lock of something else is told, and so is one that is none.
    bench.recipe("      install: [app, mail]\n      remove: old-one\n      lock: my.lock\n");
    bench.refused(3, &[], &["mail: neither the lock nor the image has it", "--update-packages-lock"]);
    std::fs::write(bench.path("my.lock"), "{").unwrap();
    bench.refused(3, &[], &["my.lock", "is no lock file"]);
}

#[test]
fn a_host_that_answers_once_is_enough() {
    let Some(bench) = Bench::new("packages over HTTP") else { return };
    let host = hardtack_tests::repository::serve(bench.path("r"));
    let repository = format!(
        "      repository: {{uri: \"{host}\", suite: stable, components: main, keyring: good.gpg}}\n"
    );
    bench.recipe(&format!("      install: lib\n{repository}"));
    bench.refused(4, &["--offline"], &["is not in the cache", "run once without --offline"]);
    bench.build("base.img", "out.img", &[]);
    bench.build("base.img", "again.img", &["--offline"]);
    assert!(same(&bench.path("out.img"), &bench.path("again.img")));

    // A file of the cache that is not what it was: noticed, and fetched again where that is allowed.
    let content = std::fs::read(bench.path("r/pool/lib_2.0_all.deb")).unwrap();
    let mut damaged = 0;
    for folder in std::fs::read_dir(bench.path("cache/hardtack/packages/sha256")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if std::fs::read(&file).unwrap() == content {
                std::fs::write(&file, [b"x", &content[1..]].concat()).unwrap();
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 1);
    bench.refused(4, &["--offline"], &["lib_2.0_all.deb"]);
    bench.build("base.img", "again.img", &[]);
    assert!(same(&bench.path("out.img"), &bench.path("again.img")));
    bench.build("base.img", "again.img", &["--offline"]);
    assert!(same(&bench.path("out.img"), &bench.path("again.img")));
}

#[test]
fn a_directory_stands_for_all_repositories() {
    let Some(bench) = Bench::new("packages of a directory") else { return };
    bench.recipe(
        "      install: lib\n      repository: {uri: \"http://nowhere.invalid/debian\", suite: stable, components: main}\n",
    );
    bench.build("base.img", "out.img", &["--packages-from", "r"]);
    bench.build("base.img", "pile.img", &["--packages-from", "r/pool"]);
    assert!(same(&bench.path("out.img"), &bench.path("pile.img")));
    assert!(bench.packages("out.img").contains(&"lib 2.0 install ok installed".to_owned()));
}

#[test]
fn security_updates_are_all_that_come_when_no_more_is_asked_for() {
    let Some(bench) = Bench::new("security updates") else { return };
    // The same repository under both names: what it offers is of security by its label.
    bench.recipe("      upgrade: security\n");
    assert_eq!(changes(&bench.plan("base.img", &[])), 0);
    bench.publish("Label: Test-Security");
    bench.build("base.img", "out.img", &[]);
    let found = bench.packages("out.img");
    assert!(found.contains(&"tool 2 install ok installed".to_owned()), "{found:?}");
    assert!(found.contains(&"steady 2 install ok installed".to_owned()), "{found:?}");
    assert!(!found.iter().any(|one| one.starts_with("app")), "{found:?}");
}

/// What came from a repository may be something else tomorrow.
#[test]
fn only_a_lock_lets_packages_be_cached() {
    let Some(bench) = Bench::new("only_a_lock_lets_packages_be_cached") else { return };
    let cached = |output: &str| {
        let arguments = ["build", "r.yaml", "--source", "base.img", "--agent", "agent", "--output", output];
        let ran = bench.hardtack(&[&arguments[..], &["--json", "--cache", "builds"]].concat());
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        let made: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        (made["cache"]["result"].as_str().unwrap().to_owned(), made["cache"]["why"].to_string())
    };
    bench.recipe(STEP);
    for output in ["1.img", "2.img"] {
        let (result, why) = cached(output);
        assert!(result == "off" && why.contains("no lock file pinned them"), "{result} {why}");
    }
    bench.recipe(&format!("{STEP}      lock: my.lock\n"));
    assert_eq!(cached("3.img").0, "off", "this run makes the lock");
    assert_eq!(cached("4.img").0, "built");
    assert_eq!(cached("5.img").0, "hit");
    assert!(
        same(&bench.path("4.img"), &bench.path("5.img")) && same(&bench.path("3.img"), &bench.path("5.img"))
    );
    let lock = std::fs::read_to_string(bench.path("my.lock")).unwrap();
    std::fs::write(bench.path("my.lock"), format!("{lock}\n")).unwrap();
    assert_eq!(cached("6.img").0, "built", "another lock is another key");
    // What the image has asks nobody.
    bench.recipe("      install: steady\n");
    assert_eq!(cached("7.img").0, "built");
    assert_eq!(cached("8.img").0, "hit");
}
