//! What is printed is what euca-run-instances prints: compared with the real program, where it is.

use std::path::PathBuf;
use std::process::Command;

use crate::{ids, scene};

#[test]
fn lines_are_those_of_the_real_program() {
    let Some(directory) = std::env::var_os("HARDTACK_EUCA2OOLS").map(PathBuf::from) else {
        // It needs Python 2.7, which Debian has no more.
        eprintln!("SKIPPED: euca2ools is not here (HARDTACK_EUCA2OOLS names the directory of its programs)");
        return;
    };
    let (folder, cloud, image) = scene(|_| {});
    let ran = folder.expect_at(
        &cloud,
        0,
        "launch web -f web.yaml --on aws --region us-east-1 --wait --tag Name=web",
    );
    let id = ids(&ran.out).remove(0);
    let theirs = Command::new(directory.join("euca-describe-instances"))
        .env("AWS_AUTH_REGION", "us-east-1")
        .args(["-U", &cloud.url(), "-I", "AKIDEXAMPLE", "-S", "secret/of+the-first+account", &id])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&theirs.stderr).into_owned();
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    assert!(theirs.contains(&image), "{theirs}{told}");
    assert_eq!(ran.out, theirs);
}
