//! The local catalog.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hardtack_fake_cloud::Cloud;
use sha2::{Digest as _, Sha256};

use crate::workshop::Folder;

const LINE: &str = "install sample.qcow2 --recipe x.yaml -n web";

/// Name, digest and all of an image that is new each time are left out.
fn state(folder: &Folder) -> Vec<String> {
    let names = folder.names("catalog/images");
    names
        .iter()
        .map(|id| {
            let text =
                std::fs::read_to_string(folder.path(&format!("catalog/images/{id}/image.json"))).unwrap();
            let mut entry: serde_json::Value = serde_json::from_str(&text).unwrap();
            for what in ["id", "created"] {
                entry.as_object_mut().unwrap().remove(what).unwrap();
            }
            entry["tags"].as_object_mut().unwrap().remove("hardtack:journal").unwrap();
            let raw = format!("convert catalog/images/{id}/disk.qcow2 whole.raw");
            folder.expect(0, &raw);
            let disk = std::fs::read(folder.path("whole.raw")).unwrap();
            std::fs::remove_file(folder.path("whole.raw")).unwrap();
            let sum = &Sha256::digest(disk)[..8];
            format!("{entry} {sum:?} {:?}", folder.names(&format!("catalog/images/{id}")))
        })
        .collect()
}

fn kill(times: u64) {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("tmp")).unwrap();
    let command = |line: &str| {
        let mut command = folder.command(line);
        command.env("TMPDIR", folder.path("tmp"));
        command
    };
    let kill = |line: &str, at: u64| {
        let mut child = command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(at));
        // One that is over is no error.
        let _ = child.kill();
        child.wait().unwrap();
    };
    let started = Instant::now();
    assert!(command(LINE).output().unwrap().status.success());
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap();
    let whole = state(&folder);
    assert_eq!(whole.len(), 1);
    folder.expect(0, "undo web.journal");
    let files = folder.names(".");
    let mut seed = 3;
    for turn in 0..times {
        kill(LINE, micros * turn / times + Cloud::random(&mut seed) % (micros / times + 1));
        if turn % 2 == 0 {
            folder.expect(0, LINE);
            assert_eq!(state(&folder), whole, "turn {turn}");
        }
        if turn % 3 == 0 {
            kill("undo web.journal", Cloud::random(&mut seed) % 8000);
        }
        if folder.path("web.journal").exists() {
            folder.expect(0, "undo web.journal");
        }
        assert_eq!(folder.names("catalog/images"), [""; 0], "turn {turn}");
        assert_eq!(folder.names("."), files, "turn {turn}");
        assert_eq!(folder.names("tmp"), [""; 0], "turn {turn}");
    }
}

#[test]
fn an_image_of_the_catalog() {
    kill(8);
}

#[test]
#[ignore = "the full suite: a hundred moments"]
fn an_image_of_the_catalog_a_hundred_times() {
    kill(100);
}
