//! A matrix that is built twice, the second time from a cache.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hardtack_fake_cloud::{BucketOwnership, Cloud};
use hardtack_tests::image::Images;
use serde_json::Value;

use crate::{Bench, job};

const BUCKET: &str = "hardtack-ci";

/// Builds all of `m.yaml`, the exit code being 3 for the recipe that fails.
fn build(bench: &Bench, place: &str, cloud: Option<&Cloud>, more: &[&str]) -> Value {
    let arguments = [&["build", "--matrix", "m.yaml", "--json", "--cache", place], more].concat();
    let mut command = bench.command(&arguments);
    command.envs(cloud.map(Cloud::environment).into_iter().flatten());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(!said.contains(crate::SECRET), "{said}");
    serde_json::from_slice(&stdout).unwrap()
}

/// The images of the run before, by their names.
fn images(bench: &Bench) -> Vec<(String, Vec<u8>)> {
    let names = bench.files("out").into_iter().filter(|name| name.ends_with(".qcow2"));
    names.map(|name| (name.clone(), fs::read(bench.path("out").join(name)).unwrap())).collect()
}

/// What the cache did for each job, counted.
fn counts(run: &Value) -> [usize; 3] {
    let all = run["jobs"].as_array().unwrap();
    ["built", "hit", "damaged-rebuilt"].map(|word| all.iter().filter(|job| job["cache"] == word).count())
}

#[test]
fn the_second_run_comes_from_the_cache_and_a_damaged_entry_is_rebuilt() {
    let Some(bench) = Bench::new() else { return };
    let first = build(&bench, "cache", None, &["--jobs", "3"]);
    assert_eq!((counts(&first), &first["failed"]), ([9, 0, 0], &3.into()), "{first}");
    let good = images(&bench);
    assert_eq!(good.len(), 9);
    let second = build(&bench, "cache", None, &["--force"]);
    assert_eq!((counts(&second), &second["from_cache"]), ([0, 9, 0], &9.into()), "{second}");
    assert!(good == images(&bench));

    let key = job(&first, "web-two")["build"]["cache"]["key"].as_str().unwrap();
    let image = bench.path("cache/builds").join(key).join("image");
    let mut bytes = fs::read(&image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&image, bytes).unwrap();
    let third = build(&bench, "cache", None, &["--force"]);
    assert_eq!(counts(&third), [0, 8, 1], "{third}");
    assert_eq!(job(&third, "web-two")["cache"], "damaged-rebuilt");
    assert!(good == images(&bench));
    let (table, _) = bench.run(
        0,
        &[
            "build", "--matrix", "m.yaml", "--cache", "cache", "--force", "--only", "web-two", "--only",
            "base-one",
        ],
    );
    assert!(table.ends_with("2 of 2 built, 2 from the cache\n"), "{table}");

    // A source that another machine has put there, by its digest.
    let added = bench.json(0, &["cache", "add", "one.raw", "--cache", "cache"]);
    let source = added["sources"][0]["source"].as_str().unwrap();
    let text = format!(
        "matrix: 1\nrecipes: [base.yaml]\nsources: [{{source: \"{source}\", name: one}}]\noutput: sub/${{name}}.raw\n"
    );
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::copy(bench.path("base.yaml"), bench.path("elsewhere/base.yaml")).unwrap();
    fs::write(bench.path("elsewhere/m.yaml"), text).unwrap();
    bench.run(0, &["build", "--matrix", "elsewhere/m.yaml", "--cache", "cache"]);
    assert_eq!(bench.run(0, &["cat", "elsewhere/sub/base-one.raw:/etc/hostname"]).0, "one\n");
}

#[test]
fn machines_share_a_bucket() {
    let (Some(one), Some(other)) = (Bench::new(), Bench::new()) else { return };
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Enforced);
    let place = format!("s3://{BUCKET}/matrix");
    // The same images on both: mke2fs gives each its own identifiers.
    for name in ["one.raw", "two.raw", "odd $(name).raw"] {
        fs::copy(one.path(name), other.path(name)).unwrap();
    }
    let first = build(&one, &place, Some(&cloud), &[]);
    assert_eq!(counts(&first), [9, 0, 0], "{first}");
    let second = build(&other, &place, Some(&cloud), &[]);
    assert_eq!(counts(&second), [0, 9, 0], "{second}");
    assert!(images(&one) == images(&other));
    let key = job(&first, "base-one")["build"]["cache"]["key"].as_str().unwrap();
    let objects = cloud.keys(BUCKET);
    let piece = objects.iter().find(|name| name.contains(key)).unwrap();
    let mut bytes = cloud.object(BUCKET, piece).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    cloud.spoil(BUCKET, piece, &bytes);
    let third = build(&other, &place, Some(&cloud), &["--force"]);
    assert_eq!(counts(&third), [0, 8, 1], "{third}");
    assert_eq!(job(&third, "base-one")["cache"], "damaged-rebuilt");
}

/// 4 recipes and 3 sources, two of which are Debian's.
#[test]
#[ignore = "builds ten images of Debian"]
fn images_of_debian_twice() {
    let (Some(images), Some(bench)) = (Images::find(), Bench::new()) else { return };
    fs::write(
        bench.path("broken.yaml"),
        "recipe: 1\nsteps:\n- generalize: {only: [logfiles, bash-history]}\n- touch: /etc/fourth\n",
    )
    .unwrap();
    let text = format!(
        "matrix: 1\nrecipes: [base.yaml, {{recipe: web.yaml, set: {{port: 80}}}}, secret.yaml, broken.yaml]\n\
         sources: [{}, {}, one.raw]\noutput: out/${{name}}.qcow2\n",
        images.disk("debian12").display(),
        images.disk("debian13").display()
    );
    fs::write(bench.path("debian.yaml"), text).unwrap();
    let run = |more: &[&str]| {
        let began = std::time::Instant::now();
        let arguments = [&["build", "--matrix", "debian.yaml", "--cache", "cache"], more].concat();
        let run = bench.json(0, &arguments);
        eprintln!("{arguments:?}: {:.1} s, {:?}", began.elapsed().as_secs_f64(), counts(&run));
        run
    };
    assert_eq!(counts(&run(&[])), [12, 0, 0]);
    let sums = |bench: &Bench| -> String {
        let sums =
            Command::new("sh").args(["-ec", "sha256sum out/*.qcow2"]).current_dir(bench.path("")).output();
        String::from_utf8(sums.unwrap().stdout).unwrap()
    };
    let good = sums(&bench);
    assert_eq!(good.lines().count(), 12);
    assert_eq!(counts(&run(&["--force"])), [0, 12, 0]);
    assert_eq!(good, sums(&bench));
    assert!(Path::new(&bench.path("cache/builds")).is_dir());
}
