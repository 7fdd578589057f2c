//! Command lines as recipes, and the recipes as the loader takes them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use crate::RealFiles;
use crate::load_recipe;

/// Files by their paths; others are the host's.
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl HostFiles for Files {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().map_or_else(|| RealFiles.read(path, limit), Ok)
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        RealFiles.is_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.list(path)
    }
}

fn around_with<T>(files: &[(&str, &str)], run: impl FnOnce(&Around<'_>) -> T) -> T {
    let files =
        Files(files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect());
    let own = [Own { name: "output", has_value: true }, Own { name: LENIENT, has_value: false }];
    run(&Around {
        files: &files,
        default_key: &|| Some(PathBuf::from("/home/me/.ssh/id_ed25519.pub")),
        own: &own,
    })
}

fn import(tool: Tool, arguments: &[&str]) -> Result<Imported, ImportError> {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    around_with(
        &[("commands", "hostname web-1\n\n# a comment\nwrite /etc/x:one \\\ntwo\nupdate\n")],
        |around| command_line(tool, &arguments, around),
    )
}

/// The steps as JSON.
fn steps(imported: &Imported) -> serde_json::Value {
    let recipe: serde_json::Value = serde_yaml::from_str(&imported.recipe).unwrap();
    assert_eq!(recipe["recipe"], 1);
    recipe["steps"].clone()
}

fn one(arguments: &[&str]) -> serde_json::Value {
    let steps = steps(&import(Tool::Customize, arguments).unwrap());
    assert_eq!(steps.as_array().unwrap().len(), 1, "{steps}");
    steps[0].clone()
}

fn refusal(tool: Tool, arguments: &[&str]) -> String {
    let error = import(tool, arguments).unwrap_err();
    format!("{error} / {}", error.hint.as_deref().unwrap_or_default())
}

#[test]
fn values_are_split_at_the_colons_that_the_other_tool_splits_at() {
    use serde_json::json;
    assert_eq!(
        one(&["--append-line", "/etc/hosts:1:2"]),
        json!({"append-line": {"path": "/etc/hosts", "line": "1:2"}})
    );
    assert_eq!(one(&["--chmod=0700:/a"]), json!({"chmod": {"path": "/a", "mode": "0700"}}));
    assert_eq!(one(&["--chown", "1:2:/a:b"]), json!({"chown": {"path": "/a:b", "owner": "1:2"}}));
    assert_eq!(one(&["--link", "t:/a:/b"]), json!({"link": {"target": "t", "path": ["/a", "/b"]}}));
    assert_eq!(one(&["--install", "a,b"]), json!({"install": ["a", "b"]}));
    assert_eq!(
        one(&["--ssh-inject", "root:string:ssh-ed25519 AAAA a"]),
        json!({"ssh-inject": {"user": "root", "key": "ssh-ed25519 AAAA a"}})
    );
    assert_eq!(
        one(&["--ssh-inject", "root"]),
        json!({"ssh-inject": {"user": "root", "file": "/home/me/.ssh/id_ed25519.pub"}})
    );
    assert_eq!(
        one(&["--edit", "/f:s/^a=.*/a=1/"]),
        json!({"edit": {"path": "/f", "match": "^a=.*", "with": "a=1"}})
    );
    assert_eq!(
        one(&["--lenient", "--delete", "/tmp/*"]),
        json!({"delete": {"path": "/tmp/*", "optional": true}})
    );
}

#[test]
fn options_are_read_as_getopt_long_reads_them() {
    let imported = import(
        Tool::Customize,
        &[
            "--format",
            "raw",
            "-a",
            "one.img",
            "-qn",
            "--hostn=web",
            "--smp",
            "4",
            "--output",
            "out.img",
            "-m512",
        ],
    )
    .unwrap();
    assert_eq!(imported.images, [(PathBuf::from("one.img"), Some("raw".to_owned()))]);
    assert!(imported.quiet && imported.dry_run);
    assert_eq!(imported.own, [("output", "out.img".to_owned())]);
    assert_eq!(steps(&imported)[0]["hostname"]["name"], "web");
    assert_eq!(imported.notes, ["--smp: no machine is started", "--memsize: no machine is started"]);
}

#[test]
fn passwords_come_last_and_are_not_in_the_text() {
    let imported = import(
        Tool::Customize,
        &[
            "--root-password",
            "password:se:cret",
            "--password",
            "a:locked:file:/pw",
            "--touch",
            "/x",
            "--password",
            "b:disabled",
            "--password",
            "c:random",
        ],
    )
    .unwrap();
    let steps = steps(&imported);
    assert_eq!(steps[0]["touch"]["path"], "/x");
    assert_eq!(
        steps[1]["password"],
        serde_json::json!({"user": "root", "password": {"env": "ROOT_PASSWORD"}})
    );
    assert_eq!(
        steps[2]["password"],
        serde_json::json!({"user": "a", "password": {"file": "/pw"}, "locked": true})
    );
    assert_eq!(steps[3]["password"], serde_json::json!({"user": "b", "password": "disabled"}));
    assert!(!imported.recipe.contains("se:cret") && !format!("{imported:?}").contains("se:cret"));
    assert_eq!(imported.passwords[0].value.as_ref().unwrap().reveal(), "se:cret");
    assert!(imported.passwords[1].value.is_none() && imported.passwords[1].variable == "C_PASSWORD");
}

#[test]
fn a_file_of_commands_is_read_where_it_is_named() {
    let imported =
        import(Tool::Customize, &["--mkdir", "/a", "--commands-from-file", "commands", "--mkdir", "/b"])
            .unwrap();
    let steps = steps(&imported);
    let names: Vec<&String> =
        steps.as_array().unwrap().iter().flat_map(|step| step.as_object().unwrap().keys()).collect();
    assert_eq!(names, ["mkdir", "hostname", "write", "update", "mkdir"]);
    assert_eq!(steps[2]["write"]["content"], "one \ntwo");
}

#[test]
fn what_is_wrong_in_a_file_of_commands_has_its_line() {
    for (text, wanted) in [
        ("# x\nhostnam web\n", "f:2: `hostnam` is no option of it"),
        ("write\n", "f:1: `write` needs a value"),
        ("hostname  web\n", "f:1: `hostname` is followed by two blanks"),
        ("update now\n", "f:1: `update` takes no value"),
        ("commands-from-file x\n", "f:1: a file of commands cannot name another one"),
        ("add x\n", "f:1: `add` stands on the command line only"),
    ] {
        let error = around_with(&[], |around| commands(Tool::Customize, "f", text, around)).unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{text}: {error}");
    }
}

#[test]
fn what_the_other_tool_takes_silently_is_an_error() {
    let refused = |arguments: &[&str]| refusal(Tool::Customize, arguments);
    assert!(refused(&["--chmod", "700:/a"]).contains("which is 01274; 0700 is probably meant"));
    assert!(refused(&["--password", "a:disabled:"]).contains("the selector `disabled` is not known"));
    assert!(refused(&["--password", "a:random", "--password", "a:random"]).contains("is given twice"));
    assert!(refused(&["--password-crypto", "md5"]).contains("MD5 is no protection"));
    assert!(refused(&["--sm-register"]).contains("subscription-manager"));
    assert!(refused(&["-d", "guest"]).contains("give the disk with `-a FILE`"));
    assert!(refused(&["-a", "ssh://host/disk"]).contains("no service is asked"));
    assert!(refused(&["--enable", "logfiles"]).contains("hardtack sysprep takes it"));
    assert!(refused(&["--t", "x"]).contains("the beginning of several: --tar-in, --timezone"));
    assert!(refused(&["--edit", "/a:s/x/y/e"]).contains("the flag `e`"));
    assert!(refused(&["disk.img"]).contains("-a FILE"));
    assert!(!refused(&["--password", "a:pass:hunter2"]).contains("hunter2"));
}

#[test]
fn the_operations_of_sysprep_are_chosen_from_left_to_right() {
    let only = |arguments: &[&str]| -> Vec<String> {
        let steps = steps(&import(Tool::Sysprep, arguments).unwrap());
        let list = steps[0]["generalize"]["only"].as_array().cloned().unwrap_or_default();
        list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let defaults = only(&["-a", "x"]);
    assert!(defaults.contains(&"logfiles".to_owned()) && defaults.contains(&"ssh-userdir".to_owned()));
    assert!(!defaults.contains(&"lvm-uuids".to_owned()) && !defaults.contains(&"user-account".to_owned()));
    assert_eq!(only(&["--operations", "defaults"]), defaults);
    assert!(!only(&["--operations", "defaults,-ssh-userdir"]).contains(&"ssh-userdir".to_owned()));
    assert_eq!(only(&["--enable", "machine-id,logfiles"]), ["logfiles", "machine-id"]);
    let nothing = import(Tool::Sysprep, &["--operations", "-logfiles"]).unwrap();
    assert!(!nothing.has_steps && nothing.notes[0].contains("nothing is left"), "{:?}", nothing.notes);
    assert!(refusal(Tool::Sysprep, &["--enable", "lvm-uuids"]).contains("`lvm-uuids` is not done"));
    assert!(refusal(Tool::Sysprep, &["--enable", "logfile"]).contains("did you mean `logfiles`?"));
    assert!(refusal(Tool::Sysprep, &["--enable", "logfiles", "--hostname", "a"]).contains("`customize`"));
    assert!(refusal(Tool::Sysprep, &["--remove-user-accounts", "a"]).contains("`user-account` is left out"));
    let users =
        import(Tool::Sysprep, &["--operations", "user-account", "--keep-user-accounts", "a,b"]).unwrap();
    assert_eq!(steps(&users)[0]["user-account"]["keep"], serde_json::json!(["a", "b"]));
}

#[test]
fn what_is_imported_is_a_recipe() {
    let imported = import(
        Tool::Sysprep,
        &[
            "--hostname",
            "web-1",
            "--mkdir",
            "/a",
            "--delete",
            "/tmp/{a,b}*",
            "--edit",
            "/f:s,a/b,c,",
            "--chmod",
            "0644:/f",
            "--timezone",
            "Europe/Berlin",
            "--run-command",
            "id: # no comment",
            "--password",
            "root:disabled",
            "--update",
        ],
    )
    .unwrap();
    let loaded = load_recipe(Path::new("c.yaml"), &imported.recipe, &|_| None, &RealFiles);
    assert!(loaded.is_ok(), "{}\n{:?}", imported.recipe, loaded.err());
}
