//! `install --test` on this machine: a real image is started by QEMU, looked at, and only then stays in the catalog.

use std::process::Command;

use hardtack_tests::image::Images;

const TEST: &str = "\
user-data: |
  #cloud-config
  locale: false
  runcmd: [[sh, -c, \"echo USER-DATA-WAS-READ >/dev/ttyS0\"]]
timeout: 1800
checks:
  - console: \"login:\"
  - console: \"USER-DATA-WAS-READ\"
  - port: 22
  - run: [sh, -c, 'echo \"$HARDTACK_INSTANCE $HARDTACK_ADDRESS $HARDTACK_PORT_22\" > ran']
";

#[test]
fn an_image_that_starts_passes_its_test_and_stays() {
    let Some(images) = Images::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.yaml"), TEST).unwrap();
    let output = Command::new(hardtack_tests::tools::hardtack())
        .arg("install")
        .arg(images.disk("debian12"))
        .args(["-n", "trial", "--test", "t.yaml"])
        .current_dir(folder.path())
        .env("HARDTACK_CATALOG", folder.path().join("catalog"))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let id = out.trim_end().strip_prefix("IMAGE\t").unwrap();
    let ran = std::fs::read_to_string(folder.path().join("ran")).unwrap();
    assert!(ran.starts_with(&format!("{id} 127.0.0.1 ")), "{ran}");
    // Nothing of the test is left, and the image is as it was.
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["catalog", "ran", "t.yaml", "trial.journal"]);
}
