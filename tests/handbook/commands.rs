//! The commands of the pages, run in order: one shell for each page, in a folder with the files that the page speaks of.
//!
//! What stands behind the fence of a block says how it is taken:
//!
//! | fence | |
//! |---|---|
//! | `sh`, `console` | it is run, and every command has to end with 0 (`hardtack diff` with 0 or 1) |
//! | `sh exits: N` | it ends with N |
//! | `sh apart` | it is run in a copy of the folder, and leaves nothing to the blocks behind it |
//! | `sh no-run: WHY` | it is not run here; the commands in it still have to parse (a test of the package hardtack) |
//! | `text output` | what the block before it prints on standard output; `…` stands for anything, alone on a line for any lines |
//!
//! Lines that begin with programs of somebody else or of a machine's root ([`NOT_OURS`]) are left out, and counted, too.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hardtack_tests::markdown::{Block, blocks, pages, read};

use crate::scene::Scene;

/// Not run: `sudo` is for what runs on a machine that was made, and the others are other tools.
const NOT_OURS: &[&str] = &["sudo ", "virt-customize ", "virt-sysprep ", "aws "];
/// So many blocks and lines are not run at most. Who adds one finds another one that can be run now.
const NOT_RUN: (usize, usize) = (36, 3);

/// A test for each page with commands.
macro_rules! run_pages {
    ($($name:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page,)*];
        $(#[test] fn $name() { run(Path::new($page)); })*
    };
}

run_pages! {
    readme: "README.md",
    user_data_examples: "cloud-config/README.md",
    audit: "docs/audit.md",
    aws: "docs/aws.md",
    bundle: "docs/bundle.md",
    cache: "docs/cache.md",
    ci: "docs/ci.md",
    console: "docs/console.md",
    convert: "docs/convert.md",
    customize: "docs/customize.md",
    eucalyptus: "docs/eucalyptus.md",
    first_image: "docs/first-image.md",
    local: "docs/local.md",
    look: "docs/look.md",
    lost_and_found: "docs/lost-and-found.md",
    matrix: "docs/matrix.md",
    plan_and_verify: "docs/plan-and-verify.md",
    profiles: "docs/profiles.md",
    publish: "docs/publish.md",
    sbom: "docs/sbom.md",
    service_image: "docs/service-image.md",
    stack: "docs/stack.md",
    user_data: "docs/user-data.md",
    recipes: "image-recipes/README.md",
}

fn is_shell(block: &Block) -> bool {
    ["sh", "console"].contains(&block.language())
}

fn is_run(block: &Block) -> bool {
    is_shell(block) && block.mark("no-run").is_none()
}

#[test]
fn every_page_with_commands_is_run_and_what_is_not_run_does_not_grow() {
    let (mut not_run, mut left_out) = (0, 0);
    for page in pages() {
        let all = blocks(&read(&page));
        // Nothing is run that nobody has looked at: these tests may be root's.
        assert_eq!(
            PAGES.iter().any(|name| Path::new(name) == page),
            all.iter().any(is_run),
            "{}: PAGES has the pages with commands that are run, and no others",
            page.display()
        );
        for block in all.iter().filter(|block| is_shell(block)) {
            let at = format!("{}:{}", page.display(), block.line);
            if let Some(why) = block.mark("no-run") {
                assert!(why.len() > 8, "{at}: no reason is given");
                eprintln!("not run: {at}: {why}");
                not_run += 1;
                continue;
            }
            for (line, text) in block.commands().iter().filter(|(_, text)| is_not_ours(text)) {
                eprintln!("left out: {}:{line}: {text}", page.display());
                left_out += 1;
            }
        }
    }
    eprintln!("{not_run} blocks are not run, and {left_out} lines of others");
    assert!(
        not_run <= NOT_RUN.0 && left_out <= NOT_RUN.1,
        "{not_run} blocks and {left_out} lines: {NOT_RUN:?} may be"
    );
}

fn is_not_ours(line: &str) -> bool {
    NOT_OURS.iter().any(|start| line.starts_with(start))
}

/// Before all blocks. A difference is no failure.
const BEGIN: &str = r#"
set -euo pipefail
hardtack() { if [ "$1" = diff ]; then command hardtack "$@" || [ $? = 1 ]; else command hardtack "$@"; fi; }
"#;

fn run(page: &Path) {
    let Some(scene) = Scene::of(page) else { return };
    let all = blocks(&read(page));
    let mut script = BEGIN.to_owned();
    let out = |number: usize, kind: &str| scene.state().join(format!("{number}.{kind}"));
    for (number, block) in all.iter().enumerate().filter(|(_, block)| is_run(block)) {
        let lines: Vec<String> = match block.language() {
            "console" => block.commands().into_iter().map(|(_, line)| line).collect(),
            _ => block.text.lines().map(str::to_owned).collect(),
        };
        let text: String = lines
            .iter()
            .map(|line| if is_not_ours(line) { ":\n".to_owned() } else { format!("{line}\n") })
            .collect();
        let text = scene.put(&text);
        let to = format!(">{} 2>{}", out(number, "out").display(), out(number, "err").display());
        // Files that the page speaks of are wherever it has gone to.
        let _ = writeln!(
            script,
            "echo {number} >{}\ncp -dn {}/. . -r",
            scene.state().join("at").display(),
            scene.files().display()
        );
        let apart = scene.state().join(format!("apart-{number}"));
        let _ = match block.mark("exits") {
            None if block.info.ends_with(" apart") => {
                writeln!(script, "cp -al . {0}\n( cd {0}; set -e\n{text}) {to}", apart.display())
            }
            None => writeln!(script, "{{\n{text}}} {to}"),
            Some(code) => writeln!(
                script,
                "set +e; ( set -e\n{text}) {to}; code=$?; set -e\n[ $code = {code} ] || {{ echo \"ended with $code\" >>{}; false; }}",
                out(number, "err").display()
            ),
        };
    }
    let file = scene.state().join("script");
    fs::write(&file, &script).unwrap();
    let mut shell = Command::new("bash");
    shell.arg(&file).current_dir(scene.place()).env_clear().envs(scene.variables());
    // What asks for a password reads it.
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a long pass-word of the test\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    let shown = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    if !ended.status.success() {
        let at: usize = shown(scene.state().join("at")).trim().parse().unwrap();
        panic!(
            "{}:{}: {}\n{}\n--- standard output\n{}\n--- standard error\n{}\n{}",
            page.display(),
            all[at].line,
            ended.status,
            all[at].text,
            tail(&shown(out(at, "out"))),
            tail(&shown(out(at, "err"))),
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    let mut count = 0;
    for (number, pair) in all.windows(2).enumerate() {
        if pair[1].info == "text output" {
            assert!(is_run(&pair[0]), "{}:{}: what prints this is not run", page.display(), pair[1].line);
            let found = shown(out(number, "out"));
            assert!(
                matches(&pair[1].text, &found),
                "{}:{}: it prints\n{found}",
                page.display(),
                pair[1].line
            );
            count += 1;
        }
    }
    eprintln!(
        "{}: {} blocks run, the output of {count} compared",
        page.display(),
        all.iter().filter(|block| is_run(block)).count()
    );
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Whether `found` is `wanted`, in which `…` stands for anything.
fn matches(wanted: &str, found: &str) -> bool {
    fn lines(wanted: &[&str], found: &[&str]) -> bool {
        match wanted.split_first() {
            None => found.is_empty(),
            Some((&"…", rest)) => (0..=found.len()).any(|skipped| lines(rest, &found[skipped..])),
            Some((line, rest)) => {
                found.split_first().is_some_and(|(first, other)| same(line, first) && lines(rest, other))
            }
        }
    }
    fn same(wanted: &str, found: &str) -> bool {
        let Some((start, rest)) = wanted.split_once('…') else { return wanted == found };
        found.strip_prefix(start).is_some_and(|found| {
            found.char_indices().map(|(at, _)| at).chain([found.len()]).any(|at| same(rest, &found[at..]))
        })
    }
    let wanted: Vec<&str> = wanted.lines().map(str::trim_end).collect();
    let found: Vec<&str> = found.lines().map(str::trim_end).collect();
    lines(&wanted, &found)
}

#[test]
fn dots_stand_for_anything() {
    assert!(matches("a\n…\nb …\n", "a\n1\n2\nb c\n") && matches("a … c", "a b c"));
    assert!(!matches("a\n…\nb …\n", "a\n1\n2\nc\n") && !matches("a", "a\nb") && !matches("a … c", "a b d"));
}
