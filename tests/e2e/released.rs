//! What `cargo xtask release` makes, used as people use it: in a Debian 12 with nothing in it, as an ordinary user.

mod container;
mod root;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::ssh::make_key;
use hardtack_tests::tools::{output, run, top};
use root::{NOBODY, Root};

/// The folder with the release, made once; `HARDTACK_RELEASE` names one that is there already.
fn release() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        std::env::var_os("HARDTACK_RELEASE").map_or_else(|| make(&top(), "release"), PathBuf::from)
    })
}

/// The release of a working tree, under a name of our own.
fn make(tree: &Path, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    let mut cargo = Command::new("cargo");
    cargo.current_dir(tree).args(["xtask", "release", "--output"]).arg(&folder);
    // What is tried is how it is packed and where it runs, not how fast it is: optimizing hardtack with all that it
    // links takes 11 minutes of one core.
    cargo.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    run(&mut cargo);
    folder
}

/// The one file of the release with this ending.
fn file(ending: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(release())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    assert_eq!(found.len(), 1, "{ending}: {found:?}");
    found.remove(0)
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn programs_are_static_and_know_nothing_of_who_built_them() {
    for name in ["hardtack", "hardtack-agent"] {
        let program = release().join(name);
        let headers = run(Command::new("readelf").arg("-lW").arg(&program));
        assert!(headers.contains("LOAD") && !headers.contains("INTERP"), "{headers}");
        assert!(!run(Command::new("readelf").arg("-dW").arg(&program)).contains("NEEDED"), "{name}");
        let ldd = output(Command::new("ldd").env("LC_ALL", "C").arg(&program));
        let said = String::from_utf8_lossy(&ldd.stdout) + String::from_utf8_lossy(&ldd.stderr);
        assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
        let text = run(Command::new("strings").arg(&program));
        for private in [top().to_str().unwrap(), "/.cargo/registry", "/.rustup/toolchains", "/rustlib/src"] {
            let lines: Vec<&str> = text.lines().filter(|line| line.contains(private)).collect();
            assert!(lines.is_empty(), "{name}: {private}: {lines:?}");
        }
    }
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_same_commit_gives_the_same_bytes() {
    let sums = run(Command::new("sha256sum").current_dir(release()).args(["-c", "SHA256SUMS"]));
    let files = std::fs::read_dir(release()).unwrap().count();
    assert_eq!(sums.lines().filter(|line| line.ends_with(": OK")).count(), files - 1, "{sums}");
    // Compiled once more, somewhere else.
    let elsewhere = tempfile::tempdir().unwrap();
    run(Command::new("git").args(["clone", "--quiet"]).arg(top()).arg(elsewhere.path()));
    let again = make(elsewhere.path(), "release-again");
    let of = |folder: &Path| std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(of(&again), of(release()), "of the last commit, and of what has not been committed yet");
    let listing =
        run(Command::new("tar").args(["--numeric-owner", "--full-time", "-tvzf"]).arg(file(".tar.gz")));
    let times: Vec<&str> = listing.lines().map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    assert!(times.iter().all(|time| *time == times[0]), "{listing}");
    assert!(listing.lines().all(|line| line.contains(" 0/0 ")), "{listing}");
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_bills_are_valid_and_name_what_is_linked() {
    let (spdx, cyclonedx) = (file(".spdx.json"), file(".cdx.json"));
    let read =
        |path: &Path| -> serde_json::Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let bom = read(&cyclonedx);
    let components = bom["components"].as_array().unwrap();
    let find = |name: &str| components.iter().find(|one| one["name"] == name);
    for (name, license) in
        [("ring", "Apache-2.0 AND ISC"), ("musl", "MIT"), ("liblzma-sys", "MIT OR Apache-2.0")]
    {
        let found = find(name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(found["licenses"][0]["expression"], license, "{found}");
    }
    for name in ["hardtack", "hardtack-agent"] {
        assert_eq!(find(name).unwrap()["hashes"][0]["content"], sha256(&release().join(name)), "{name}");
    }
    // What only runs while building is not in the programs.
    for name in ["cc", "serde_derive", "clap_derive", "syn", "tempfile-not-used", "hardtack-tests"] {
        assert!(find(name).is_none(), "{name} is not linked");
    }
    assert!(components.iter().all(|one| one["licenses"][0]["expression"].is_string()), "{bom:#}");
    assert_eq!(read(&spdx)["packages"].as_array().unwrap().len(), components.len() + 1);
    if let Err(why) =
        hardtack_tests::bills::assert_valid(&spdx, &cyclonedx, Path::new(env!("CARGO_TARGET_TMPDIR")))
    {
        eprintln!("SKIPPED: no validators of SPDX and CycloneDX: {why}");
    }
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_archive_alone_hardens_images_in_an_empty_debian() {
    let Some(images) = Images::find() else { return };
    let Some(root) = Root::unpack("empty") else { return };
    root.install(&file(".tar.gz"));
    let said = root.shell(NOBODY, "cd /tmp && hardtack demo --directory demo 2>&1");
    assert!(said.contains("The hardened image is demo/hardened.qcow2."), "{said}");
    let plan = root.shell(
        NOBODY,
        "cd /tmp/demo && hardtack build demo.yaml --source hardened.qcow2 --plan --json 2>/dev/null",
    );
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0), "{plan}");

    // A real image, a recipe of the archive, and the agent where the program finds it.
    std::fs::copy(images.disk("debian12"), root.path("tmp/debian12.qcow2")).unwrap();
    let key = make_key(&root.path("tmp"), "id_ed25519");
    std::fs::remove_file(key).unwrap();
    let said = root.shell(
        NOBODY,
        "mkdir /tmp/real && cd /tmp/real && cp /opt/r/image-recipes/debian-replace.yaml ../id_ed25519.pub . && \
         hardtack build debian-replace.yaml --source ../debian12.qcow2 --output hard.qcow2 2>&1",
    );
    let agent = root.shell(
        NOBODY,
        "cd /tmp/real && hardtack cat hard.qcow2:/usr/lib/hardtack/hardtack-agent | sha256sum",
    );
    assert_eq!(agent.split(' ').next(), Some(sha256(&release().join("hardtack-agent")).as_str()), "{said}");
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn pages_and_completions_work_where_the_archive_was_put() {
    let Some(root) = Root::unpack("readers") else { return };
    root.install(&file(".tar.gz"));
    documented(&root, "/usr/local");
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_package_installs_works_and_goes_without_a_trace() {
    let Some(root) = Root::unpack("empty") else { return };
    let deb = root.path("tmp/hardtack.deb");
    std::fs::copy(file(".deb"), deb).unwrap();
    let before = root.files();
    root.shell(0, "dpkg -i /tmp/hardtack.deb");
    assert_ne!(root.files(), before);
    assert_eq!(root.shell(0, "dpkg -V hardtack"), "");
    assert_eq!(root.shell(0, "dpkg-query -W -f '${db:Status-Status} ${Depends}' hardtack"), "installed ");
    let version = root.shell(0, "dpkg-query -W -f '${Version}' hardtack");
    let said = root.shell(NOBODY, "hardtack --version");
    assert_eq!(version, format!("{}-1", said.trim().trim_start_matches("hardtack ")));
    let said = root.shell(NOBODY, "cd /tmp && hardtack demo --directory demo 2>&1");
    assert!(said.contains("The hardened image is demo/hardened.qcow2."), "{said}");
    root.shell(0, "dpkg -P hardtack");
    assert_eq!(root.files(), before);
    assert!(!root.shell(0, "cat /var/lib/dpkg/status").contains("hardtack"));
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_package_is_documented_and_lintian_finds_nothing() {
    let deb = file(".deb");
    let judged = output(
        Command::new("lintian").args(["--allow-root", "--no-cfg", "--fail-on", "error,warning"]).arg(&deb),
    );
    let said = String::from_utf8_lossy(&judged.stdout) + String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}");
    assert!(!said.contains("E: ") && !said.contains("W: "), "{said}");
    let Some(root) = Root::unpack("readers") else { return };
    std::fs::copy(deb, root.path("tmp/hardtack.deb")).unwrap();
    root.shell(0, "dpkg -i /tmp/hardtack.deb");
    documented(&root, "/usr");
}

/// Man pages, and completions of three shells, of what lies below `prefix`.
fn documented(root: &Root, prefix: &str) {
    let user = |line: &str| root.shell(NOBODY, line);
    let page = user("MANPAGER=cat man hardtack-build");
    assert!(page.contains("hardtack-build(1)") && page.contains("--source"), "{page}");
    // /usr/local/man is a link to where it is.
    let page = user("readlink -f $(man -w hardtack-user-data-check)");
    assert!(page.starts_with(&format!("{prefix}/share/man/man1/hardtack-user-data-check.1")), "{page}");
    root.shell(0, "mandb -q");
    assert!(user("whatis hardtack").starts_with("hardtack (1)"), "{}", user("whatis hardtack"));
    let warnings = user(&format!(
        "for page in {prefix}/share/man/man1/hardtack*; do \
         MANROFFSEQ= man --warnings -E UTF-8 -l -Tutf8 -Z $page 2>&1 >/dev/null; done"
    ));
    assert_eq!(warnings, "", "groff complains");

    // What the Tab key does, without a terminal: the function that bash-completion loads for the name.
    let bash = "\
        . /usr/share/bash-completion/bash_completion; _completion_loader hardtack; \
        complete -p hardtack; COMP_LINE='hardtack bui'; COMP_POINT=12; COMP_WORDS=(hardtack bui); COMP_CWORD=1; \
        $(complete -p hardtack | sed 's/.*-F \\([^ ]*\\).*/\\1/') hardtack bui hardtack; printf 'is %s\\n' \"${COMPREPLY[@]}\"";
    let said = run(root.command(NOBODY, "bash").args(["-c", bash]));
    assert!(said.lines().any(|line| line == "is build"), "{said}");
    assert!(!said.lines().any(|line| line == "is bundle"), "{said}");
    let zsh = "autoload -Uz compinit && compinit -u -D && print $_comps[hardtack] && autoload +X _hardtack && \
               whence -v _hardtack";
    let said = run(root.command(NOBODY, "zsh").args(["-fc", zsh]));
    assert!(said.starts_with("_hardtack\n") && said.contains("function from"), "{said}");
    // Debian's fish asks for folders below /usr/local only where a session names them; login managers do.
    let folders = "XDG_DATA_DIRS=/usr/local/share:/usr/share";
    let said = run(root.command(NOBODY, "env").args([folders, "fish", "-c", "complete -C 'hardtack bui'"]));
    assert!(said.lines().any(|line| line.split('\t').next() == Some("build")), "{said}");
}
