//! Databases that rpm itself made, and damaged ones.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::HostTree;

const FORMAT: &str = "%{NAME}|%|EPOCH?{%{EPOCH}}:{}||%{VERSION}|%{RELEASE}|%|ARCH?{%{ARCH}}:{}||%{LICENSE}|\
                      %|VENDOR?{%{VENDOR}}:{}||%{SUMMARY}|%|SOURCERPM?{%{SOURCERPM}}:{}||%{SIZE}|\
                      %|SHA256HEADER?{%{SHA256HEADER}}:{}||%|SIGMD5?{%{SIGMD5}}:{}|\\n";

fn line(package: &Package) -> String {
    let epoch = package.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    [
        &package.name,
        &epoch,
        &package.version,
        &package.release,
        &package.arch,
        &package.license,
        &package.vendor,
        &package.summary,
        &package.source_rpm,
        &package.size.to_string(),
        &package.digests.header_sha256,
        &package.digests.md5,
    ]
    .map(String::as_str)
    .join("|")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A root with a database of `backend` in `place`, and what rpm says of it; `None` where this rpm cannot.
fn installed(backend: &str, place: &str, count: usize) -> Option<(tempfile::TempDir, Vec<String>)> {
    if Command::new("rpmbuild").arg("--version").output().is_err() {
        eprintln!("SKIPPED: rpmbuild is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let database = top.join("root").join(place.trim_start_matches('/'));
    fs::create_dir_all(&database).unwrap();
    let mut spec = String::from(
        "Name: sample\nVersion: 1.0\nRelease: 1\nSummary: A sample ü\nLicense: MIT\nBuildArch: noarch\n%description\nx\n",
    );
    // Names of files make headers that need pages of their own.
    let mut scripts = String::from("%install\nmkdir -p %{buildroot}/opt/sample\n");
    for number in 0..count {
        let epoch = if number % 3 == 1 { format!("Epoch: {number}\n") } else { String::new() };
        spec.push_str(&format!(
            "%package part{number}\n{epoch}Version: 2.{number}~rc1\nRelease: {number}.el9\nSummary: Part {number}\nVendor: Somebody\n%description part{number}\nx\n"
        ));
        let files = if number % 5 == 0 { 400 } else { 1 };
        scripts.push_str(&format!("for i in $(seq {files}); do echo $i > %{{buildroot}}/opt/sample/a-rather-long-name-{number}-$i; done\n"));
        spec.push_str(&format!("%files part{number}\n/opt/sample/a-rather-long-name-{number}-*\n"));
    }
    spec.push_str(&scripts);
    fs::write(top.join("sample.spec"), spec).unwrap();
    let define = |name: &str, value: &Path| format!("{name} {}", value.display());
    run(Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--define", &define("_topdir", &top.join("build"))])
        .arg("sample.spec")
        .current_dir(top));
    let rpms: Vec<_> =
        fs::read_dir(top.join("build/RPMS/noarch")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let rpm = || {
        let mut command = Command::new("rpm");
        command.args(["--define", &format!("_db_backend {backend}"), "--dbpath"]).arg(&database);
        command
    };
    let made = rpm().args(["-i", "--justdb", "--nodeps", "--force-debian"]).args(&rpms).output().unwrap();
    if !made.status.success() {
        eprintln!("SKIPPED: this rpm makes no {backend}: {}", String::from_utf8_lossy(&made.stderr));
        return None;
    }
    let mut lines: Vec<String> =
        run(rpm().args(["-qa", "--qf", FORMAT])).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines.len(), count, "{lines:?}");
    Some((folder, lines))
}

fn compare(backend: &str, place: &str, kind: &str) {
    let Some((folder, wanted)) = installed(backend, place, 40) else { return };
    let found = read(&HostTree::new(folder.path().join("root"))).unwrap().unwrap();
    assert_eq!(found.kind, kind);
    assert!(found.path.starts_with(place), "{}", found.path);
    let mut lines: Vec<String> = found.packages.iter().map(line).collect();
    lines.sort();
    assert_eq!(lines, wanted);
    hostile(folder.path(), &found.path);
}

/// Cut and changed databases end in an error or an answer, never in a panic or without end.
fn hostile(folder: &Path, path: &str) {
    let host = folder.join("root").join(path.trim_start_matches('/'));
    let good = fs::read(&host).unwrap();
    let tree = HostTree::new(folder.join("root"));
    for cut in [1, 16, 40, 100, 511, 4096, 5000, good.len() / 2] {
        fs::write(&host, &good[..cut.min(good.len())]).unwrap();
        let _ = read(&tree);
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut errors = 0;
    for _ in 0..150 {
        let mut bad = good.clone();
        for _ in 0..20 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Half of them where the structure is densest.
            let range = if state >> 63 == 0 { bad.len().min(8192) } else { bad.len() };
            let at = (state >> 20) as usize % range;
            bad[at] = (state >> 8) as u8;
        }
        fs::write(&host, &bad).unwrap();
        errors += usize::from(read(&tree).is_err());
    }
    assert!(errors > 0, "none of 150 damaged databases was refused");
}

#[test]
fn sqlite_is_read_as_rpm_reads_it() {
    compare("sqlite", "/usr/lib/sysimage/rpm", "sqlite");
}

#[test]
fn ndb_is_read_as_rpm_reads_it() {
    compare("ndb", "/var/lib/rpm", "ndb");
}

#[test]
fn what_only_the_write_ahead_log_holds_is_read() {
    let Some((folder, wanted)) = installed("sqlite", "/var/lib/rpm", 6) else { return };
    let database = folder.path().join("root/var/lib/rpm/rpmdb.sqlite");
    // A machine that was switched off: the log stays, and only it knows of the last removal.
    let script = "import sqlite3, sys, os\n\
                  db = sqlite3.connect(sys.argv[1])\n\
                  db.execute('PRAGMA journal_mode=WAL')\n\
                  db.execute('PRAGMA wal_autocheckpoint=0')\n\
                  db.execute('DELETE FROM Packages WHERE hnum = (SELECT max(hnum) FROM Packages)')\n\
                  db.commit()\n\
                  os._exit(0)\n";
    if Command::new("python3").args(["-c", script]).arg(&database).status().is_err() {
        eprintln!("SKIPPED: python3 is not installed");
        return;
    }
    assert!(folder.path().join("root/var/lib/rpm/rpmdb.sqlite-wal").metadata().unwrap().len() > 32);
    let tree = HostTree::new(folder.path().join("root"));
    assert_eq!(packages(&tree).unwrap().len(), wanted.len() - 1);
    fs::remove_file(folder.path().join("root/var/lib/rpm/rpmdb.sqlite-wal")).unwrap();
    assert_eq!(packages(&tree).unwrap().len(), wanted.len(), "without the log it is there again");
}

/// A hash of Berkeley DB with one header on pages of its own and one in its page, in either byte order.
fn berkeley(headers: [&[u8]; 2], big: bool) -> Vec<u8> {
    const PAGE: usize = 4096;
    let two = |value: usize| if big { (value as u16).to_be_bytes() } else { (value as u16).to_le_bytes() };
    let four = |value: usize| if big { (value as u32).to_be_bytes() } else { (value as u32).to_le_bytes() };
    let pieces: Vec<&[u8]> = headers[0].chunks(PAGE - HEAD_OF_PAGE).collect();
    let mut file = vec![0; PAGE * (2 + pieces.len())];
    file[12..16].copy_from_slice(&four(0x0006_1561));
    file[16..20].copy_from_slice(&four(9));
    file[20..24].copy_from_slice(&four(PAGE));
    file[25] = 8;
    file[32..36].copy_from_slice(&four(1 + pieces.len()));
    let mut items: Vec<Vec<u8>> = Vec::new();
    let key = |number: usize| [&[1][..], &four(number)].concat();
    items.push(key(0));
    items.push([&[1][..], &four(2)].concat());
    items.push(key(1));
    items.push([&[3, 0, 0, 0][..], &four(2), &four(headers[0].len())].concat());
    items.push(key(2));
    items.push([&[1][..], headers[1]].concat());
    let page = &mut file[PAGE..PAGE * 2];
    page[20..22].copy_from_slice(&two(items.len()));
    page[25] = 13;
    let mut end = PAGE;
    for (index, item) in items.iter().enumerate() {
        end -= item.len();
        page[end..end + item.len()].copy_from_slice(item);
        page[26 + index * 2..28 + index * 2].copy_from_slice(&two(end));
    }
    for (index, piece) in pieces.iter().enumerate() {
        let page = &mut file[PAGE * (2 + index)..PAGE * (3 + index)];
        let next = if index + 1 < pieces.len() { 3 + index } else { 0 };
        page[16..20].copy_from_slice(&four(next));
        page[22..24].copy_from_slice(&two(piece.len()));
        page[25] = 7;
        page[26..26 + piece.len()].copy_from_slice(piece);
    }
    file
}

const HEAD_OF_PAGE: usize = 26;

fn header_of(name: &str, filler: usize) -> Vec<u8> {
    let data = format!("{name}\x001.0\x00{}\x00", "x".repeat(filler));
    let mut blob = Vec::new();
    for word in [
        3,
        data.len() as u32,
        1000,
        6,
        0,
        1,
        1001,
        6,
        name.len() as u32 + 1,
        1,
        1005,
        6,
        name.len() as u32 + 5,
        1,
    ] {
        blob.extend_from_slice(&word.to_be_bytes());
    }
    blob.extend_from_slice(data.as_bytes());
    blob
}

#[test]
fn berkeley_db_of_both_byte_orders_is_read() {
    let headers = [header_of("bash", 20_000), header_of("zlib", 10)];
    for big in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("root/var/lib/rpm");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("Packages"), berkeley([&headers[0], &headers[1]], big)).unwrap();
        let found = read(&HostTree::new(folder.path().join("root"))).unwrap().unwrap();
        assert_eq!(found.kind, "Berkeley DB");
        let names: Vec<_> =
            found.packages.iter().map(|package| (&*package.name, &*package.version)).collect();
        assert_eq!(names, [("bash", "1.0"), ("zlib", "1.0")]);
        // The second opinion: rpm's own reader, where it was built with it.
        let rpm = Command::new("rpm")
            .args(["--define", "_db_backend bdb_ro", "--dbpath"])
            .arg(&directory)
            .args(["-qa", "--qf", "%{NAME}\\n"])
            .output();
        match rpm {
            Ok(output) if !big && !output.stdout.is_empty() => {
                let mut lines: Vec<_> =
                    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
                lines.sort();
                assert_eq!(lines, ["bash", "zlib"]);
            }
            _ => eprintln!("SKIPPED: rpm's own reader of Berkeley DB (big: {big})"),
        }
        hostile(folder.path(), &found.path);
    }
}

#[test]
fn no_database_is_no_error() {
    assert_eq!(read(&crate::MemoryTree::new()).unwrap(), None);
    let tree = crate::MemoryTree::new()
        .file("/var/lib/rpm/Packages", "garbage that is no database at all, and longer");
    let error = read(&tree).unwrap_err().to_string();
    assert!(error.contains("/var/lib/rpm/Packages"), "{error}");
}
