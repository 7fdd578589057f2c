//! What is not believed, and what cannot be had: the exit code, and words that help.

use crate::bench::Bench;

#[test]
fn what_is_not_proved_is_not_taken() {
    let Some(bench) = Bench::new("repositories that are refused") else { return };
    let made = &bench.made;
    bench.recipe("      install: lib\n");
    bench.plan("base.img", &[]);
    let inrelease = bench.path("r/dists/stable/InRelease");

    // Rolled back: an older one than was seen before.
    bench.publish("Date: Thu, 01 Jan 2015 00:00:00 UTC");
    bench.refused(3, &[], &["2015-01-01", "InRelease"]);
    bench.plan("base.img", &["--packages-cache", "another"]);
    // Expired.
    bench.publish("Valid-Until: Thu, 01 Jan 2015 00:00:00 UTC");
    bench.refused(3, &["--packages-cache", "fresh"], &["2015-01-01", "InRelease"]);
    // By a key that nobody trusts, until it is named.
    made.key("other", "ed25519", &[], "0");
    made.index("");
    made.sign(&["other"], &[]);
    bench.refused(3, &["--packages-cache", "fresh"], &["InRelease", "--keyring FILE"]);
    bench.plan("base.img", &["--packages-cache", "fresh", "--keyring", "other.gpg"]);
    bench.refused(4, &["--keyring", "none.gpg"], &["none.gpg"]);
    // Changed afterwards.
    bench.publish("");
    let text = std::fs::read_to_string(&inrelease).unwrap();
    std::fs::write(&inrelease, text.replacen("Codename: book", "Codename: boot", 1)).unwrap();
    bench.refused(3, &["--packages-cache", "fresh"], &["InRelease"]);
    // Not signed.
    std::fs::remove_file(&inrelease).unwrap();
    bench.refused(3, &["--packages-cache", "fresh"], &["Release"]);
    // An index, and a package, that are not what was signed.
    bench.publish("");
    let deb = bench.path("r/pool/lib_2.0_all.deb");
    let mut content = std::fs::read(&deb).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(&deb, content).unwrap();
    bench.refused(3, &["--packages-cache", "fresher"], &["lib_2.0_all.deb", "SHA-256"]);
    for name in ["Packages", "Packages.xz", "Packages.gz", "Packages.zst"] {
        let path = bench.path("r/dists/stable/main/binary-amd64").join(name);
        let mut content = std::fs::read(&path).unwrap();
        content[0] ^= 1;
        std::fs::write(&path, content).unwrap();
    }
    bench.refused(3, &["--packages-cache", "last"], &["Packages"]);
}

#[test]
fn what_cannot_be_had_is_explained() {
    let Some(bench) = Bench::new("packages that cannot be had") else { return };
    for (step, wanted) in [
        ("      install: none-such\n", &["none-such: no repository offers a package of that name"][..]),
        ("      install: broken\n", &["broken 1 needs nowhere (>= 3)"]),
        ("      install: app\n", &["old-one", "remove"]),
        ("      install: tool=7\n", &["tool 2 is offered by"]),
        ("      remove: dpkg\n", &["essential or protected"]),
        ("      hold: none-such\n", &["none-such is not in the image"]),
    ] {
        bench.recipe(step);
        bench.refused(3, &[], wanted);
    }
    bench.recipe("      install: a b\n");
    bench.refused(2, &[], &["is no package"]);
    let host = "http://127.0.0.1:1";
    bench.recipe(&format!(
        "      install: lib\n      repository: {{uri: \"{host}\", suite: stable, components: main}}\n"
    ));
    bench.refused(5, &[], &[host, "--offline"]);
    bench.recipe(&format!(
        "      install: lib\n      repository: {{uri: \"{}\", suite: unknown, components: main}}\n",
        bench.made.uri()
    ));
    bench.refused(5, &[], &["suite's name"]);
    bench.recipe("      install: lib\n      repository: image\n");
    bench.refused(3, &[], &["no list of package sources"]);
}
