//! `hardtack packages why` and `tree`.

use serde_json::Value;

use crate::bench::Bench;

#[test]
fn what_is_there_and_why() {
    let Some(bench) = Bench::new("packages why and tree") else { return };
    bench.recipe("      install: app\n      remove: old-one\n");
    bench.build("base.img", "out.img", &[]);
    let told = |arguments: &[&str]| {
        let done = bench.hardtack(&[&["packages"], arguments].concat());
        let text =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.code().unwrap(), text)
    };
    let (code, text) = told(&["why", "lib", "out.img"]);
    assert_eq!((code, text.as_str()), (0, "app 1.0 (asked for)\n  lib (Depends: lib (>= 2))\n"));
    let (code, text) = told(&["why", "lib", "base.img"]);
    assert!(code == 1 && text.contains("lib is not in the image"), "{text}");
    let (code, text) = told(&["tree", "app", "out.img"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("app 1.0\n  lib 2.0 (Depends: lib (>= 2))\n"), "{text}");
    let (code, text) = told(&["tree", "base", "out.img", "--reverse"]);
    assert_eq!((code, text.as_str()), (0, "base 1\n  tool 1 (Depends: base)\n"));
    let (code, text) = told(&["tree", "app", "out.img", "--json", "--depth", "1"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &json["installed"], &json["tree"]["needs"][0]["package"]),
        (0, &true.into(), &"lib".into())
    );
    let (code, text) = told(&["tree", "none-such", "out.img"]);
    assert!(code == 1 && text.contains("neither in the image nor in its package lists"), "{text}");

    // As the image's own lists have it.
    let lists = "var/lib/apt/lists/mirror_debian_dists_stable_main_binary-amd64_Packages";
    std::fs::create_dir_all(bench.path("root").join(lists).parent().unwrap()).unwrap();
    std::fs::copy(bench.path("r/dists/stable/main/binary-amd64/Packages"), bench.path("root").join(lists))
        .unwrap();
    hardtack_tests::tools::run(std::process::Command::new("mke2fs").current_dir(bench.path("")).args([
        "-q",
        "-t",
        "ext4",
        "-d",
        "root",
        "lists.img",
        "32M",
    ]));
    let (code, text) = told(&["tree", "app", "lists.img"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("lib 2.0") && text.contains("(not in the image; as its package lists have it)"),
        "{text}"
    );
}
