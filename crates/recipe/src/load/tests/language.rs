//! Files, variables, conditions, rows, and the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use hardtack_guest::{MemoryTree, Stage};

use super::*;

/// Loads `recipe.yaml` with `set`, held against `tree`.
fn load_on(
    folder: &Folder,
    text: &str,
    set: &[(&str, &str)],
    tree: Option<&MemoryTree>,
    row: Option<usize>,
) -> Result<Recipe, LoadError> {
    let env = |name: &str| match name {
        "PW" => Some("hidden-value".to_owned()),
        "HOST" => Some("from-env".to_owned()),
        _ => None,
    };
    let set: Vec<(String, String)> =
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let stage = tree.map(|tree| Stage::new(tree));
    let facts = stage.as_ref().map(|stage| Facts::read(stage).unwrap());
    let given = Given { set: &set, row, facts: facts.as_ref() };
    load_recipe_with(&folder.path("recipe.yaml"), text, &env, &RealFiles, given)
}

fn load(folder: &Folder, text: &str, set: &[(&str, &str)]) -> Result<Recipe, LoadError> {
    load_on(folder, text, set, None, None)
}

/// Path and content of the files that are written.
fn written(recipe: &Recipe) -> Vec<(String, String, bool)> {
    recipe
        .files()
        .iter()
        .filter_map(|op| match &op.action {
            FileAction::Write { path, content, .. } => {
                Some((path.clone(), content.text.clone(), content.secret))
            }
            _ => None,
        })
        .collect()
}

fn put(folder: &Folder, name: &str, text: &str) {
    let path = folder.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn included_steps_come_first_and_paths_start_from_their_file() {
    let folder = Folder::new();
    put(&folder, "base/more/last.yaml", "recipe: 1\nsteps:\n- files: [{write: /1, content: a}]\n");
    put(
        &folder,
        "base/base.yaml",
        "recipe: 1\ninclude: more/last.yaml\nsteps:\n- files: [{copy: here, to: /2}, {write: /2b, content: x}]\n- agent\n",
    );
    put(&folder, "base/here", "content");
    // The second way to one file is no second time.
    let text = "recipe: 1\ninclude: [base/base.yaml, ./base/more/../more/last.yaml]\nsteps:\n- files: [{write: /3, content: c}]\n";
    let recipe = load(&folder, text, &[]).unwrap();
    let paths: Vec<&str> = recipe.files().iter().map(|op| op.action.path()).collect();
    assert_eq!(paths, ["/1", "/2", "/2b", "/3"]);
    assert!(recipe.agent().is_some());
}

#[test]
fn a_finding_names_the_file_that_it_is_in() {
    let folder = Folder::new();
    put(&folder, "base.yaml", "recipe: 1\nsteps:\n- files:\n  - write: /x\n    contents: a\n");
    let error = load(&folder, "recipe: 1\ninclude: base.yaml\nsteps:\n- agnet\n", &[]).unwrap_err();
    let found: Vec<_> = error
        .findings()
        .map(|(_, one)| {
            (
                Path::new(&one.file).file_name().unwrap().to_str().unwrap().to_owned(),
                one.span.line,
                one.span.column,
            )
        })
        .collect();
    assert_eq!(found, [("recipe.yaml".to_owned(), 4, 3), ("base.yaml".to_owned(), 5, 5)]);
    let picture = error.render();
    assert!(picture.contains("base.yaml:5:5"), "{picture}");
    assert!(picture.contains("5 |     contents: a"), "{picture}");
    assert!(
        picture.contains("did you mean `content`?") && picture.contains("did you mean `agent`?"),
        "{picture}"
    );
}

#[test]
fn a_contradiction_across_files_names_both() {
    let folder = Folder::new();
    put(&folder, "base.yaml", "recipe: 1\nsteps:\n- user: {name: a}\n");
    let error = load(&folder, "recipe: 1\ninclude: base.yaml\nsteps:\n- user: {name: a, gecos: b}\n", &[])
        .unwrap_err();
    let picture = error.render();
    assert!(picture.contains("recipe.yaml:4:3"), "{picture}");
    assert!(picture.replace("\n       ", " ").contains("base.yaml:3:3)"), "{picture}");
}

#[test]
fn secrets_of_included_files_are_masked() {
    let folder = Folder::new();
    put(&folder, "base.yaml", "recipe: 1\nsteps:\n- user: {name: a, password: hunter2}\n");
    let text = "recipe: 1\ninclude: base.yaml\nsteps: [agent]\n";
    let picture = load(&folder, text, &[]).unwrap_err().render();
    assert!(picture.contains("<redacted>") && !picture.contains("hunter2"), "{picture}");
}

#[test]
fn cycles_depth_and_missing_files_are_refused() {
    let folder = Folder::new();
    put(&folder, "a.yaml", "recipe: 1\ninclude: b.yaml\n");
    put(&folder, "b.yaml", "recipe: 1\ninclude: ./a.yaml\n");
    let error = load(&folder, "recipe: 1\ninclude: a.yaml\n", &[]).unwrap_err();
    assert!(error.render().contains("includes itself"), "{error}");
    for index in 0..20 {
        put(&folder, &format!("d{index}.yaml"), &format!("recipe: 1\ninclude: d{}.yaml\n", index + 1));
    }
    let error = load(&folder, "recipe: 1\ninclude: d0.yaml\n", &[]).unwrap_err();
    assert!(error.render().contains("deep"), "{error}");
    let error = load(&folder, "recipe: 1\ninclude: none.yaml\n", &[]).unwrap_err();
    assert_eq!(error.class(), Class::LocalIo, "{error}");
    put(&folder, "m.yaml", "recipe: 1\nmatrix: [{source: a, output: b}]\nsteps: [agent]\n");
    let error = load(&folder, "recipe: 1\ninclude: m.yaml\n", &[]).unwrap_err();
    assert!(error.render().contains("has no `matrix`"), "{error}");
    put(&folder, "v.yaml", "recipe: 2\nsteps: [agent]\n");
    let error = load(&folder, "recipe: 1\ninclude: v.yaml\n", &[]).unwrap_err();
    assert!(error.render().contains("format 2 is not known"), "{error}");
}

#[test]
fn variables_stand_for_values() {
    let folder = Folder::new();
    put(
        &folder,
        "base.yaml",
        "recipe: 1\nvars: {host: base, port: 1}\n\
        steps:\n- files: [{write: /h, content: {var: host}}]\n",
    );
    let text = "recipe: 1\ninclude: base.yaml\nvars:\n  host: web\n  groups: [a, b]\n  reuse: no\n  mode: 0640\n  from: {env: HOST}\n\
        steps:\n\
        - files: [{write: /u, content: {format: 'http://${host}:${port}/ $${x} $5'}, mode: {var: mode}}]\n\
        - user: {name: {var: host}, groups: {var: groups}, gecos: {var: from}}\n\
        - mfa: {users: [x], totp: {disallow_reuse: {var: reuse}}}\n";
    let recipe = load(&folder, text, &[("port", "8080"), ("groups", "c, d")]).unwrap();
    assert_eq!(
        written(&recipe),
        [
            ("/h".to_owned(), "web".to_owned(), false),
            ("/u".to_owned(), "http://web:8080/ ${x} $5".to_owned(), false)
        ]
    );
    let user = recipe.users().next().unwrap();
    assert_eq!((user.name.as_str(), user.gecos.as_deref()), ("web", Some("from-env")));
    assert_eq!(user.groups, ["c", "d"]);
    assert!(!recipe.mfa().unwrap().totp.disallow_reuse);
}

#[test]
fn what_the_command_line_sets_is_text_or_a_number_as_is_wanted() {
    let folder = Folder::new();
    let text = "recipe: 1\nvars: {n: 1, t: x}\nsteps:\n- user: {name: a, gecos: {var: t}}\n- mfa: {users: [a], totp: {window: {var: n}}}\n";
    let recipe = load(&folder, text, &[("n", "7"), ("t", "12")]).unwrap();
    assert_eq!(recipe.mfa().unwrap().totp.window, 7);
    assert_eq!(recipe.users().next().unwrap().gecos.as_deref(), Some("12"));
    assert!(
        load(&folder, text, &[("n", "seven")]).unwrap_err().render().contains("5:36"),
        "the place of use"
    );
}

#[test]
fn wrong_variables_are_told() {
    let folder = Folder::new();
    let step = "steps:\n- files: [{write: /x, content: {var: host}}]\n";
    for (vars, set, wanted) in [
        ("vars: {host: ~}\n", vec![], "`--set host=…`"),
        ("vars: {host: a}\n", vec![("hots", "b")], "did you mean `host`?"),
        ("vars: {hots: a}\n", vec![], "did you mean `hots`?"),
        ("", vec![("host", "a")], "it has none"),
        ("vars: {host: {env: UNSET}}\n", vec![], "UNSET is not set"),
        ("vars: {host: {x: y}}\n", vec![], "takes a value"),
        ("vars: {host: [[a]]}\n", vec![], "a list"),
        ("vars: {host: [a]}\n", vec![], "found a list"),
        ("vars: {'ho st': a, host: a}\n", vec![], "cannot be the name"),
        ("vars: {host: {env: PW, secret: true}}\n", vec![("host", "x")], "shows it to everybody"),
    ] {
        let error = load(&folder, &format!("recipe: 1\n{vars}{step}"), &set).expect_err(vars);
        assert!(error.render().replace("\n         ", " ").contains(wanted), "{vars}: {error}");
    }
    let format = "recipe: 1\nvars: {a: 1}\nsteps:\n- files: [{write: /x, content: {format: '${a'}}]\n";
    assert!(load(&folder, format, &[]).unwrap_err().render().contains("without `}`"));
}

#[test]
fn secret_variables_stay_secret() {
    let folder = Folder::new();
    let text = "recipe: 1\nvars: {pw: {env: PW, secret: yes}}\nsteps:\n\
        - files: [{write: /a, content: {var: pw}}, {write: /b, content: {format: 'p=${pw};'}}]\n\
        - user: {name: a, password: {var: pw}}\n";
    let recipe = load(&folder, text, &[]).unwrap();
    assert_eq!(
        written(&recipe),
        [
            ("/a".to_owned(), "hidden-value".to_owned(), true),
            ("/b".to_owned(), "p=hidden-value;".to_owned(), true)
        ]
    );
    assert!(matches!(&recipe.users().next().unwrap().password, Some(Password::Clear(_))));
    for value in ["{var: pw}", "{format: 'x${pw}'}"] {
        let text = format!(
            "recipe: 1\nvars: {{pw: {{env: PW, secret: yes}}}}\nsteps:\n- user: {{name: a, gecos: {value}}}\n"
        );
        let picture = load(&folder, &text, &[]).unwrap_err().render();
        assert!(picture.contains("no place for a secret") && !picture.contains("hidden-value"), "{picture}");
    }
}

#[test]
fn what_variables_stand_for_is_bounded() {
    let folder = Folder::new();
    let long = "x".repeat(1 << 20);
    let ops: String =
        (0..40).map(|index| format!("  - {{write: /{index}, content: {{var: a}}}}\n")).collect();
    let text = format!("recipe: 1\nvars: {{a: {long}}}\nsteps:\n- files:\n{ops}");
    let error = load(&folder, &text, &[]).unwrap_err();
    assert!(error.render().contains("what variables stand for"), "{error}");
    assert_eq!(error.findings().filter(|(_, one)| one.message.contains("stand for")).count(), 1);
}

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n")
        .file("/boot/vmlinuz-6.1.0-18-amd64", "")
        .link("/sbin/init", "/lib/systemd/systemd")
        .file("/lib/systemd/systemd", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0")
        .file("/usr/sbin/mkinitramfs", "")
        .file("/boot/efi/EFI/BOOT/BOOTX64.EFI", "")
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\nArchitecture: amd64\n",
        )
}

fn ubuntu() -> MemoryTree {
    MemoryTree::new().file("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n")
}

#[test]
fn conditions_are_asked_of_the_image() {
    let folder = Folder::new();
    for (when, on_debian, on_ubuntu) in [
        ("{os: debian}", true, false),
        ("{os: [debian, ubuntu]}", true, true),
        ("{like: debian}", true, true),
        ("{version: 24.04}", false, true),
        ("{version: '>= 12'}", true, true),
        ("{version: '> 12'}", false, true),
        ("{version: '>= 12, < 13'}", true, false),
        ("{version: '24'}", false, true),
        ("{codename: bookworm}", true, false),
        ("{architecture: x86_64}", true, false),
        ("{kernel: '>= 6.1'}", true, false),
        ("{kernel: '> 6.1'}", false, false),
        ("{kernel: 6.1.0}", true, false),
        ("{init: systemd}", true, false),
        ("{initramfs: none}", false, true),
        ("{boot: uefi}", true, false),
        ("{boot: [bios, uefi]}", true, false),
        ("{exists: [/boot, /etc/os-release]}", true, false),
        ("{cloud-init: false}", true, true),
        ("{os: debian, package: openssh-server}", true, false),
        ("{os: debian, package: {name: openssh-server, version: '>= 1:9'}}", true, false),
        ("{os: debian, package: {name: openssh-server, version: '>= 2:1'}}", false, false),
        ("{os: debian, package: [openssh-server, nothing]}", false, false),
        ("{not: {os: debian}}", false, true),
        ("{any: [{os: ubuntu}, {codename: bookworm}]}", true, true),
        ("{all: [{like: debian}, {not: {version: 12}}]}", false, true),
    ] {
        let text = format!("recipe: 1\nsteps:\n- agent: {{}}\n  when: {when}\n- user: {{name: a}}\n");
        for (tree, wanted) in [(debian(), on_debian), (ubuntu(), on_ubuntu)] {
            let recipe = load_on(&folder, &text, &[], Some(&tree), None).expect(when);
            assert_eq!(recipe.agent().is_some(), wanted, "{when}");
            assert!(recipe.conditional);
        }
    }
    let text = "recipe: 1\nsteps:\n- agent: {}\n  when: {package: x}\n";
    let error = load_on(&folder, text, &[], Some(&ubuntu()), None).unwrap_err();
    assert!(error.render().contains("cannot be told"), "{error}");
}

#[test]
fn wrong_conditions_are_told_before_any_image() {
    let folder = Folder::new();
    for (when, wanted) in [
        ("{oss: debian}", "did you mean `os`?"),
        ("{boot: efi}", "did you mean `uefi`?"),
        ("{version: bookworm}", "no version of numbers"),
        ("{version: '>= '}", "no version of numbers"),
        ("{exists: etc}", "absolute"),
        ("{any: {os: debian}}", "takes a list"),
        ("{any: []}", "is empty"),
        ("{}", "an empty one"),
        ("debian", "takes a mapping"),
        ("{os: []}", "is empty"),
        ("{package: {version: 1}}", "needs the key `name`"),
    ] {
        let text = format!("recipe: 1\nsteps:\n- when: {when}\n  agent: {{}}\n");
        let error = load(&folder, &text, &[]).expect_err(when);
        assert!(error.render().contains(wanted), "{when}: {error}");
    }
    assert!(
        load(&folder, "recipe: 1\nsteps:\n- when: {os: a}\n", &[])
            .unwrap_err()
            .render()
            .contains("without a step")
    );
}

#[test]
fn only_steps_that_hold_together_contradict_each_other() {
    let folder = Folder::new();
    let text = "recipe: 1\nsteps:\n- user: {name: a, gecos: x}\n  when: {os: debian}\n\
        - user: {name: a, gecos: y}\n  when: {os: ubuntu}\n- agent: {}\n  when: {like: debian}\n\
        - user: {name: b, password: random}\n";
    let early = load(&folder, text, &[]).unwrap();
    assert!(early.conditional);
    let recipe = load_on(&folder, text, &[], Some(&ubuntu()), None).unwrap();
    let users: Vec<_> = recipe.users().map(|user| (user.name.as_str(), user.gecos.as_deref())).collect();
    assert_eq!(users, [("a", Some("y")), ("b", None)]);
    // There is no agent on this one, and the password needs it.
    let error = load_on(&folder, text, &[], Some(&MemoryTree::new()), None).unwrap_err();
    assert!(error.render().contains("made by the agent"), "{error}");
    let both = text.replace("{os: ubuntu}", "{like: debian}").replace("{os: debian}", "{os: ubuntu}");
    let error = load_on(&folder, &both, &[], Some(&ubuntu()), None).unwrap_err();
    assert!(error.render().contains("a second step `user`"), "{error}");
}

#[test]
fn rows_have_variables_of_their_own() {
    let folder = Folder::new();
    let text = "recipe: 1\nvars: {host: ~, port: 1}\nmatrix:\n- {source: a.raw, output: out/a.qcow2, vars: {host: one}}\n\
        - source: b.raw\n  output: out/b.qcow2\n  vars: {host: two, port: 2}\n\
        steps:\n- files: [{write: /h, content: {format: '${host}:${port}'}}]\n";
    let path = folder.path("recipe.yaml");
    let rows = load_matrix(&path, text, &|_| None, &RealFiles).unwrap();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(rows[1].output, folder.path("out/b.qcow2"));
    let content =
        |row, set: &[(&str, &str)]| written(&load_on(&folder, text, set, None, row).unwrap())[0].1.clone();
    assert_eq!(content(Some(0), &[]), "one:1");
    assert_eq!(content(Some(1), &[]), "two:2");
    assert_eq!(content(Some(1), &[("host", "set")]), "set:2");
    assert_eq!(content(None, &[("host", "set")]), "set:1");
    assert!(load(&folder, text, &[]).unwrap_err().render().contains("has no value"));
    let wrong = text.replace("port: 2", "prot: 2");
    let error = load_on(&folder, &wrong, &[], None, Some(1)).unwrap_err();
    assert!(error.render().contains("did you mean `port`?"), "{error}");
    for (matrix, wanted) in [
        ("[]", "`matrix` is empty"),
        ("[{source: a}]", "needs the key `output`"),
        ("[{source: a, output: b}, {source: c, output: b}]", "one output"),
        ("{source: a}", "takes a list"),
    ] {
        let text = format!("recipe: 1\nmatrix: {matrix}\nsteps: [agent]\n");
        let error = load_matrix(&path, &text, &|_| None, &RealFiles).expect_err(matrix);
        assert!(error.render().contains(wanted), "{matrix}: {error}");
    }
}

/// The keys that the loader names when it finds one that it does not know.
fn known_keys(folder: &Folder, text: &str) -> Option<BTreeSet<String>> {
    let error = load(folder, text, &[]).err()?;
    let hint = error
        .findings()
        .filter(|(_, one)| one.message.contains("qqqqqqqqqqqqqq"))
        .find_map(|(_, one)| one.hint.clone())?;
    let words = hint.strip_prefix("known are ")?.split('`').skip(1).step_by(2);
    Some(words.map(str::to_owned).collect())
}

fn properties(schema: &serde_json::Value) -> Option<BTreeSet<String>> {
    Some(schema.get("properties")?.as_object()?.keys().cloned().collect())
}

/// The first mapping with keys among the alternatives of a step.
fn mapping_of(schema: &serde_json::Value) -> Option<&serde_json::Value> {
    if schema.get("properties").is_some() {
        return Some(schema);
    }
    schema.get("anyOf")?.as_array()?.iter().find_map(mapping_of)
}

#[test]
fn the_schema_has_the_steps_and_keys_of_the_loader_and_no_others() {
    let folder = Folder::new();
    let schema = recipe_schema();
    let step = &schema["$defs"]["step"]["anyOf"][0]["properties"];
    let in_schema: BTreeSet<String> =
        step.as_object().unwrap().keys().filter(|name| *name != "when").cloned().collect();
    // What the loader offers when it does not know a step.
    assert_eq!(known_keys(&folder, "recipe: 1\nsteps:\n- qqqqqqqqqqqqqq: {}\n").unwrap(), in_schema);
    let mut with_keys = BTreeMap::new();
    for name in &in_schema {
        let text = format!("recipe: 1\nsteps:\n- {name}: {{qqqqqqqqqqqqqq: 1}}\n");
        if let Some(keys) = known_keys(&folder, &text) {
            assert_eq!(Some(&keys), mapping_of(&step[name]).and_then(properties).as_ref(), "{name}");
            with_keys.insert(name.clone(), keys.len());
        }
        // A name alone is a step exactly where the schema has it so.
        let alone = load(&folder, &format!("recipe: 1\nsteps:\n- {name}\n"), &[]);
        let needs = alone.err().is_some_and(|error| error.render().contains("needs settings"));
        let bare = schema["$defs"]["step"]["anyOf"][1]["anyOf"].as_array().unwrap();
        assert_eq!(!needs, bare.iter().any(|one| one["const"] == name.as_str()), "{name}");
    }
    for name in ["packages", "user", "mfa", "overlayroot", "agent"] {
        assert!(with_keys.contains_key(name), "{name}: {with_keys:?}");
    }
    let top = known_keys(&folder, "qqqqqqqqqqqqqq: 1\nrecipe: 1\nsteps: [agent]\n").unwrap();
    assert_eq!(Some(top), properties(&schema["allOf"][0]));
    let facts = known_keys(&folder, "recipe: 1\nsteps:\n- agent: {}\n  when: {qqqqqqqqqqqqqq: 1}\n").unwrap();
    assert_eq!(Some(facts), properties(&schema["$defs"]["when"]));
}

/// Every key of the schema says what it is for.
#[test]
fn the_schema_describes_every_key() {
    fn look(schema: &serde_json::Value, within: &str, lacking: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                for (name, property) in
                    object.get("properties").and_then(|all| all.as_object()).into_iter().flatten()
                {
                    if property["description"].as_str().is_none_or(str::is_empty) {
                        lacking.push(format!("{within}.{name}"));
                    }
                }
                object.iter().for_each(|(name, value)| look(value, &format!("{within}.{name}"), lacking));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| look(item, within, lacking)),
            _ => {}
        }
    }
    let mut lacking = Vec::new();
    look(&recipe_schema(), "", &mut lacking);
    assert!(lacking.is_empty(), "{lacking:?}");
}

/// The recipes of the project and of its documents, and some that are wrong, by python's jsonschema.
#[test]
fn recipes_validate_by_the_schema() {
    let python = ["python3"].into_iter().find(|python| {
        let tried = Command::new(python).args(["-c", "import jsonschema, yaml"]).output();
        tried.is_ok_and(|output| output.status.success())
    });
    let Some(python) = python else {
        eprintln!("SKIPPED: python3 with jsonschema and yaml is not there");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut good = Vec::new();
    for entry in std::fs::read_dir(root.join("image-recipes")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "yaml") {
            good.push(std::fs::read_to_string(path).unwrap());
        }
    }
    for entry in std::fs::read_dir(root.join("docs/recipes")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let whole = block.starts_with("recipe:") || block.starts_with("# ");
            good.push(if whole { block.to_owned() } else { format!("recipe: 1\nsteps:\n{block}") });
        }
    }
    assert!(good.len() > 15, "{}", good.len());
    let bad = [
        "steps: [agent]\n",
        "recipe: 1\nsteps: [agnet]\n",
        "recipe: 1\nsteps: [{agent: {mod: x}}]\n",
        "recipe: 1\nsteps: [{agent: {}, user: {name: a}}]\n",
        "recipe: 1\nsteps: [{agent: {}, when: {oss: a}}]\n",
        "recipe: 1\nsteps: [{user: {}}]\n",
        "recipe: 1\nsteps: [{files: [{write: /x, line: a}]}]\n",
        "recipe: 1\nmatrix: [{source: a}]\nsteps: [agent]\n",
    ];
    let folder = Folder::new();
    std::fs::write(folder.path("schema.json"), recipe_schema().to_string()).unwrap();
    let all = serde_json::json!({"good": good, "bad": bad});
    std::fs::write(folder.path("recipes.json"), all.to_string()).unwrap();
    let program = "import json, sys, yaml, jsonschema\n\
        schema = json.load(open(sys.argv[1])); all = json.load(open(sys.argv[2]))\n\
        jsonschema.Draft202012Validator.check_schema(schema)\n\
        check = jsonschema.Draft202012Validator(schema)\n\
        for kind in ('good', 'bad'):\n\
        \x20for text in all[kind]:\n\
        \x20 errors = [e.message[:300] for e in check.iter_errors(yaml.safe_load(text))]\n\
        \x20 if bool(errors) != (kind == 'bad'): print(kind, text, errors); sys.exit(1)\n\
        print(len(all['good']), 'good')\n";
    let output = Command::new(python)
        .args(["-c", program])
        .args([folder.path("schema.json"), folder.path("recipes.json")])
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains(" good"), "{said}");
}

/// Recipes that were damaged at random are refused or taken, and nothing else happens.
#[test]
fn damaged_recipes_never_panic() {
    let folder = Folder::new();
    put(&folder, "base.yaml", "recipe: 1\nvars: {b: 1}\nsteps: [agent]\n");
    let text = "recipe: 1\nname: {var: h}\ninclude: [base.yaml]\nvars: {h: x, l: [a, b], s: {env: PW, secret: true}}\n\
        matrix: [{source: a, output: b, vars: {h: y}}]\nsteps:\n\
        - user: {name: {var: h}, groups: {var: l}, password: {var: s}}\n  when: {any: [{os: debian}, {not: {version: '>= 12, < 14'}}]}\n\
        - files: [{write: /x, content: {format: '$${a} ${h} ${s}'}}]\n  when: {package: [{name: a, version: 1}], exists: /x}\n\
        - agent: {mode: companion}\n  when: {kernel: 6.1, boot: [uefi], init: systemd}\n";
    let parts = [
        "${",
        "}",
        "{var: h}",
        "{format: '${h}'}",
        "when: ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        ": ",
        "~",
        "é",
        "*a",
        "&a ",
        "=0",
        "\t",
        "'",
        "\"",
        "{env: '=0'}",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..3000 {
        let mut damaged = text.to_owned();
        for _ in 0..=next(4) {
            let at = (0..=next(damaged.len())).rev().find(|at| damaged.is_char_boundary(*at)).unwrap();
            let end = (at + next(12)).min(damaged.len());
            let end = (at..=end).rev().find(|end| damaged.is_char_boundary(*end)).unwrap();
            let with = if next(2) == 0 { parts[next(parts.len())] } else { "" };
            damaged.replace_range(at..end, with);
        }
        let tree = debian();
        let on = (round % 2 == 0).then_some(&tree);
        match load_on(&folder, &damaged, &[("h", "z")], on, Some(round % 3)) {
            Ok(_) => taken += 1,
            Err(error) => {
                assert!(!error.render().is_empty());
                assert!(!error.render().contains("hidden-value"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(taken > 10 && refused > 1000, "{taken} {refused}");
}
