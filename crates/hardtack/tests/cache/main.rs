//! Builds with a cache, as people and programs run them.
#![allow(clippy::unwrap_used)]

mod bucket;
mod scene;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use scene::{Ran, Scene, TOKEN, cache};
use serde_json::Value;

const BUILD: &str = "build r.yaml --source sample.qcow2 --cache cache --json --output";

#[test]
fn a_second_build_is_the_first_one_byte_for_byte_with_its_record_and_report() {
    let scene = Scene::new();
    let first = scene.json(0, &format!("{BUILD} a.qcow2"));
    assert_eq!(first["cache"]["result"], "built", "{first}");
    let (bytes, record) = (scene.bytes("a.qcow2"), scene.bytes("a.qcow2.provenance.json"));
    let again = scene.run(&format!("{BUILD} a.qcow2 --force"));
    let hit: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(hit["cache"]["result"], "hit", "{hit}");
    assert_eq!(hit["cache"]["key"], first["cache"]["key"]);
    assert!(bytes == scene.bytes("a.qcow2"), "another image");
    assert!(record == scene.bytes("a.qcow2.provenance.json"), "another record");
    let but_for_the_cache = |mut value: Value| {
        value.as_object_mut().unwrap().remove("cache");
        value
    };
    assert_eq!(but_for_the_cache(first), but_for_the_cache(hit));
    let mode = fs::metadata(scene.path("a.qcow2")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Under another name, from another one, the record has these names, as that of a build.
    fs::rename(scene.path("sample.qcow2"), scene.path("other.qcow2")).unwrap();
    let other = "build r.yaml --source other.qcow2 --output b.qcow2 --json";
    let hit = scene.json(0, &format!("{other} --cache cache"));
    assert_eq!(cache(&hit), "hit");
    let record = scene.bytes("b.qcow2.provenance.json");
    let built = scene.json(0, &format!("{other} --force"));
    assert_eq!(cache(&built), "off");
    assert!(record == scene.bytes("b.qcow2.provenance.json"), "another record");
    assert!(bytes == scene.bytes("b.qcow2"), "another image");
}

#[test]
fn people_are_told_the_same_and_once_where_it_comes_from() {
    let scene = Scene::new();
    // Growing is told by notes.
    let build = "build r.yaml --source sample.qcow2 --cache cache --grow 96M --output";
    let first = scene.run(&format!("{build} a.qcow2"));
    assert!(!first.out.contains("from the cache"), "{}", first.out);
    assert!(first.err.contains("note: "), "{}", first.err);
    let hit = scene.run(&format!("{build} a.qcow2 --force"));
    assert_eq!(hit.out.matches("from the cache").count(), 1, "{}", hit.out);
    assert_eq!(hit.out.replace("from the cache: ", ""), first.out);
    let notes = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.contains(" MiB in ")).map(str::to_owned).collect()
    };
    assert_eq!(notes(&first.err), notes(&hit.err));
}

#[test]
fn whatever_goes_into_the_bytes_makes_another_key() {
    let scene = Scene::new();
    scene.json(0, &format!("{BUILD} a.qcow2"));
    assert_eq!(cache(&scene.json(0, &format!("{BUILD} a.qcow2 --force"))), "hit");
    let built = |arguments: &str, because: &str| {
        let made = scene.json(0, &format!("{BUILD} a.qcow2 --force {arguments}"));
        assert_eq!(cache(&made), "built", "{because}: {made}");
    };
    let back = |because: &str| {
        let made = scene.json(0, &format!("{BUILD} a.qcow2 --force"));
        assert_eq!(cache(&made), "hit", "after {because}: {made}");
    };
    built("--set motd=other", "another variable");
    built("--compression zstd", "another option");
    built("--format raw", "another format");
    scene.write("agent", "another program");
    built("--agent agent", "another agent");
    let made = scene.command(&format!("{BUILD} a.qcow2 --force")).env("TOKEN", "another secret").output();
    let made: Value = serde_json::from_slice(&made.unwrap().stdout).unwrap();
    assert_eq!(cache(&made), "built", "another value in the environment");
    let made =
        scene.command(&format!("{BUILD} a.qcow2 --force")).env("SOURCE_DATE_EPOCH", "1700000000").output();
    let made: Value = serde_json::from_slice(&made.unwrap().stdout).unwrap();
    assert_eq!(cache(&made), "built", "another time");
    back("all of these");
    for (name, text) in [
        ("more.yaml", "recipe: 1\nsteps:\n  - files: [{write: /etc/more, content: \"else\\n\"}]\n"),
        ("copied", "other content\n"),
        ("secret", "other-Secret-78\n"),
        ("tree/b", "another file of a directory\n"),
    ] {
        let before = fs::read(scene.path(name)).ok();
        scene.write(name, text);
        built("", name);
        match before {
            Some(before) => fs::write(scene.path(name), before).unwrap(),
            None => fs::remove_file(scene.path(name)).unwrap(),
        }
        back(name);
    }
    fs::set_permissions(scene.path("tree/a"), fs::Permissions::from_mode(0o700)).unwrap();
    built("", "another mode of a file");
    fs::set_permissions(scene.path("tree/a"), fs::Permissions::from_mode(0o644)).unwrap();
    back("the mode");
    // The image's last byte: no cluster has it.
    let mut source = scene.bytes("sample.qcow2");
    source.push(0);
    fs::write(scene.path("sample.qcow2"), source).unwrap();
    built("", "another source");
}

#[test]
fn a_damaged_entry_is_noticed_told_and_replaced() {
    let scene = Scene::new();
    let first = scene.json(0, &format!("{BUILD} a.qcow2"));
    let good = scene.bytes("a.qcow2");
    let entry = scene.path("cache/builds").join(first["cache"]["key"].as_str().unwrap());
    for part in ["manifest", "image", "provenance", "report"] {
        let path = entry.join(part);
        let whole = fs::read(&path).unwrap();
        let mut turned = whole.clone();
        turned[whole.len() / 2] ^= 4;
        for (how, bytes) in [("turned", &turned[..]), ("cut off", &whole[..whole.len() - 1])] {
            fs::write(&path, bytes).unwrap();
            let verified = scene.expect(1, "cache verify --cache cache");
            assert!(verified.out.contains("1 damaged"), "{part} {how}: {}", verified.out);
            let ran = scene.run(&format!("{BUILD} a.qcow2 --force"));
            let made: Value = serde_json::from_str(&ran.out).unwrap();
            assert_eq!(cache(&made), "damaged-rebuilt", "{part} {how}: {made}");
            let told = ran.err.lines().filter(|line| line.contains("is damaged")).count();
            assert_eq!(told, 1, "{part} {how}: {}", ran.err);
            assert!(good == scene.bytes("a.qcow2"), "{part} {how}");
            assert_eq!(cache(&scene.json(0, &format!("{BUILD} a.qcow2 --force"))), "hit", "{part} {how}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(cache(&scene.json(0, &format!("{BUILD} a.qcow2 --force"))), "damaged-rebuilt", "{part}");
    }
    scene.expect(0, "cache verify --cache cache");
}

#[test]
fn what_has_no_key_is_not_cached_and_says_why() {
    let scene = Scene::new();
    let overlay = scene.run(&format!("{BUILD} o.qcow2 --overlay"));
    let made: Value = serde_json::from_str(&overlay.out).unwrap();
    assert_eq!(cache(&made), "off");
    assert!(made["cache"]["why"].as_str().unwrap().contains("--overlay"), "{made}");
    assert!(overlay.err.contains("note: not cached: --overlay"), "{}", overlay.err);
    let off = scene.command(&format!("{BUILD} a.qcow2").replace("--cache cache", "--no-cache"));
    let mut off = off;
    let off = off.env("HARDTACK_BUILD_CACHE", "cache").output().unwrap();
    assert_eq!(cache(&serde_json::from_slice(&off.stdout).unwrap()), "off");
    assert!(scene.names("cache/builds").is_empty());
    let variable = scene.command(&BUILD.replace("--cache cache", "").replace("--output", "--output b.qcow2"));
    let mut variable = variable;
    let made = variable.env("HARDTACK_BUILD_CACHE", "cache").output().unwrap();
    assert_eq!(cache(&serde_json::from_slice(&made.stdout).unwrap()), "built");
    assert_eq!(scene.names("cache/builds").len(), 1);
    for wrong in ["gs://b/c", "s3://", "s3://b/c?region"] {
        scene.expect(2, &format!("build r.yaml --source sample.qcow2 --output w.qcow2 --cache {wrong}"));
    }
}

#[test]
fn a_cache_that_cannot_be_used_fails_no_build() {
    let scene = Scene::new();
    fs::create_dir(scene.path("full")).unwrap();
    scene.write("full/letter", "mine");
    let ran = scene.run("build r.yaml --source sample.qcow2 --output a.qcow2 --cache full --json");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("built without the cache: full: is neither empty nor a cache"), "{}", ran.err);
    assert_eq!(scene.names("full"), ["letter"]);
    scene.expect(2, "cache list --cache full");
    scene.expect(2, "cache list");
}

#[test]
fn secrets_are_in_no_name_and_nobody_else_can_read_the_cache() {
    let scene = Scene::new();
    let first = scene.json(0, &format!("{BUILD} a.qcow2"));
    let second = scene.json(0, &format!("{BUILD} b.qcow2").replace("--cache cache", "--cache another"));
    assert_eq!(cache(&second), "built");
    assert_ne!(
        first["cache"]["key"], second["cache"]["key"],
        "a key can be computed without the cache's secret"
    );
    let mut pending = vec![scene.path("cache")];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            assert_eq!(found.permissions().mode() & 0o077, 0, "{}", path.display());
            pending.extend(fs::read_dir(&path).unwrap().map(|one| one.unwrap().path()));
            continue;
        }
        files += 1;
        assert_eq!(found.permissions().mode() & 0o077, 0, "{}", path.display());
        // An image has the secret where its recipe puts it.
        if path.file_name().unwrap() != "image" {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for secret in [scene::SECRET, scene::TOKEN] {
                assert!(!text.contains(secret), "{}", path.display());
            }
        }
    }
    assert!(files > 5);
}

#[test]
fn a_source_is_found_by_its_digest() {
    let scene = Scene::new();
    let added = scene.json(0, "cache add sample.qcow2 --cache cache --json");
    let source = added["sources"][0]["source"].as_str().unwrap().to_owned();
    let digest = hardtack_tests::image::sha256(&scene.path("sample.qcow2"));
    assert_eq!(source, format!("sha256:{digest}"));
    scene.json(0, "build r.yaml --source sample.qcow2 --output plain.qcow2 --json");
    fs::remove_file(scene.path("sample.qcow2")).unwrap();
    let build = format!("build r.yaml --source {source} --cache cache --json --output");
    assert_eq!(cache(&scene.json(0, &format!("{build} a.qcow2"))), "built");
    assert!(scene.bytes("a.qcow2") == scene.bytes("plain.qcow2"));
    assert_eq!(cache(&scene.json(0, &format!("{build} b.qcow2"))), "hit");

    let image = scene.path("cache/sources").join(&digest).join("image");
    let mut bytes = fs::read(&image).unwrap();
    bytes[70_000] ^= 1;
    fs::write(&image, &bytes).unwrap();
    let refused = scene.expect(3, &format!("{build} c.qcow2 --set motd=new"));
    assert!(refused.err.contains("is damaged"), "{}", refused.err);
    // Who needs no source does not mind.
    assert_eq!(cache(&scene.json(0, &format!("{build} d.qcow2"))), "hit");
    let other = format!("sha256:{}", "0".repeat(64));
    let missing = scene.expect(4, &format!("build r.yaml --source {other} --cache cache --output e.qcow2"));
    assert!(missing.err.contains("cache add"), "{}", missing.err);
    scene.expect(2, "build r.yaml --source sha256:12 --cache cache --output e.qcow2");
    scene.expect(2, &format!("build r.yaml --source {other} --output e.qcow2"));
}

#[test]
fn a_cache_is_listed_and_pruned() {
    let scene = Scene::new();
    scene.json(0, &format!("{BUILD} a.qcow2"));
    scene.json(0, &format!("{BUILD} a.qcow2 --force --set motd=b"));
    scene.json(0, &format!("{BUILD} a.qcow2 --force"));
    let listed = scene.json(0, "cache list --cache cache --json");
    let entries = listed["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{listed}");
    let kept = entries[1]["name"].as_str().unwrap().to_owned();
    let all = listed["bytes"].as_u64().unwrap();
    assert!(scene.expect(0, "cache list --cache cache").out.contains("2 entries"));
    let dry = scene.json(0, &format!("cache prune --cache cache --max-size {} --dry-run --json", all - 1));
    assert_eq!(dry["removed"].as_array().unwrap().len(), 1);
    assert_eq!(scene.names("cache/builds").len(), 2);
    let pruned = scene.json(0, &format!("cache prune --cache cache --max-size {} --json", all - 1));
    assert_ne!(pruned["removed"][0]["name"], kept.as_str(), "the one that was used last is kept");
    assert_eq!(scene.names("cache/builds"), [kept]);
    scene.expect(0, "cache prune --cache cache --older-than 1d");
    assert_eq!(scene.names("cache/builds").len(), 1);
    scene.expect(0, "cache prune --cache cache --max-size 0");
    assert!(scene.names("cache/builds").is_empty() && scene.names("cache/tmp").is_empty());
}

#[test]
fn the_rows_of_a_recipes_matrix_are_cached_each() {
    let scene = Scene::new();
    let row = |name: &str| {
        format!("  - {{source: sample.qcow2, output: {name}.qcow2, vars: {{release: {name}}}}}\n")
    };
    let steps = "steps:\n  - files: [{write: /etc/built-for, content: {format: \"${release}\\n\"}}]\n";
    let head = "recipe: 1\nname: m\nvars: {release: none}\nmatrix:\n";
    scene.write("m.yaml", &format!("{head}{}{}{steps}", row("one"), row("two")));
    let results = |arguments: &str| -> Vec<String> {
        let made = scene.json(0, arguments);
        made["jobs"].as_array().unwrap().iter().map(|job| cache(&job["build"]).to_owned()).collect()
    };
    assert_eq!(results("build m.yaml --cache cache --json"), ["built", "built"]);
    let (one, two) = (scene.bytes("one.qcow2"), scene.bytes("two.qcow2"));
    assert!(one != two);
    assert_eq!(results("build m.yaml --cache cache --json --force"), ["hit", "hit"]);
    assert!(one == scene.bytes("one.qcow2") && two == scene.bytes("two.qcow2"));
}

#[test]
fn many_processes_at_once_use_one_cache() {
    let scene = Scene::new();
    let run = |number: usize| {
        let mut command = scene.command(&format!("{BUILD} {number}.qcow2"));
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    for round in 0..2 {
        let children: Vec<_> = (0..4).map(|number| run(round * 4 + number)).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let made: Value = serde_json::from_slice(&output.stdout).unwrap();
            let expected: &[&str] = if round == 0 { &["built", "hit"] } else { &["hit"] };
            assert!(expected.contains(&cache(&made)), "{made}");
        }
    }
    for number in 1..8 {
        assert!(scene.bytes("0.qcow2") == scene.bytes(&format!("{number}.qcow2")), "{number}");
    }
    assert_eq!(scene.names("cache/builds").len(), 1);
    scene.expect(0, "cache verify --cache cache");
}

#[test]
fn a_source_without_an_end_is_refused_as_without_a_cache() {
    let scene = Scene::new();
    let fifo = std::process::Command::new("mkfifo").arg(scene.path("pipe")).status().unwrap();
    assert!(fifo.success());
    for source in ["pipe", "/dev/zero"] {
        let build = format!("build r.yaml --source {source} --output a.qcow2");
        let without = scene.run(&build);
        assert!(without.code.is_some_and(|code| code > 2), "{}", without.err);
        let with = scene.run(&format!("{build} --cache cache"));
        assert_eq!(with.code, without.code, "{}", with.err);
        assert!(with.err.contains("built without the cache: "), "{}", with.err);
        assert!(with.err.ends_with(&without.err), "{}", with.err);
        scene.expect(4, &format!("cache add {source} --cache cache"));
    }
}

#[test]
fn a_record_has_the_recipe_that_was_read() {
    use std::io::Write as _;
    let scene = Scene::new();
    let text = scene.bytes("r.yaml");
    fs::remove_file(scene.path("r.yaml")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(scene.path("r.yaml")).status().unwrap().success());
    let child = scene.command(&format!("{BUILD} a.qcow2")).stdout(std::process::Stdio::piped()).spawn();
    // A pipe gives its text once: whoever reads it again waits for ever, or reads another one.
    let mut pipe = fs::File::options().write(true).open(scene.path("r.yaml")).unwrap();
    fs::remove_file(scene.path("r.yaml")).unwrap();
    fs::write(scene.path("r.yaml"), [&text[..], b"# later\n"].concat()).unwrap();
    pipe.write_all(&text).unwrap();
    drop(pipe);
    let output = child.unwrap().wait_with_output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(cache(&made), "built", "{made}");
    fs::write(scene.path("as-read"), &text).unwrap();
    let digest = hardtack_tests::image::sha256(&scene.path("as-read"));
    let record = String::from_utf8(scene.bytes("a.qcow2.provenance.json")).unwrap();
    assert!(record.contains(&digest), "{record}");
}

#[test]
fn who_only_looks_makes_no_cache_and_names_are_told_on_one_line() {
    let scene = Scene::new();
    for verb in ["list", "verify", "prune --max-size 0", "prune --dry-run"] {
        let ran = scene.expect(2, &format!("cache {verb} --cache typo"));
        assert!(ran.err.contains("typo: there is no cache"), "{}", ran.err);
        assert!(!scene.path("typo").exists(), "{verb}");
    }
    let name = "a\u{1b}[31m\nb";
    fs::rename(scene.path("sample.qcow2"), scene.path(name)).unwrap();
    let mut add = scene.command("cache add --cache cache");
    let out = String::from_utf8(add.arg(name).output().unwrap().stdout).unwrap();
    assert!(out.lines().count() == 1 && !out.contains('\u{1b}'), "{out:?}");
    let mut add = scene.command("cache add --cache cache --json");
    let ran = add.args([name, "missing"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(4));
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["sources"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn a_hit_onto_a_full_disk_names_the_file_and_leaves_nothing() {
    let scene = Scene::new();
    scene.expect(0, "build r.yaml --source sample.qcow2 --output a.raw --cache cache");
    // A file that may not grow on stands for a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
    let arguments = "build r.yaml --source sample.qcow2 --output b.raw --cache cache";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_hardtack")]).args(arguments.split(' '));
    let ran = Ran::of(command.current_dir(scene.path("")).env("TOKEN", TOKEN).env("CI", "true"));
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.err.contains("b.raw: cannot write it: File too large"), "{}", ran.err);
    assert!(!scene.names("").iter().any(|name| name.starts_with("b.raw")), "{:?}", scene.names(""));
    scene.expect(0, arguments);
    assert!(scene.bytes("a.raw") == scene.bytes("b.raw"));
}
