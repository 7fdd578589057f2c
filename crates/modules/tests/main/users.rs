//! Users and groups against cloud-init's.

use hardtack_modules::testing::Tree;
use hardtack_modules::users::{self, normalize};
use hardtack_modules::{Action, Distro, Facts, Request};
use hardtack_userdata::{Key, Kind, Value, json};
use serde_json::{Value as Json, json};

use crate::cases::{all, config, golden, own, same};
use crate::events::{event, failed, machine, run};

fn normalized(case: &Json) -> Result<(), String> {
    let config = config(case["cloud_config"].as_str().unwrap());
    let default = &case["distro_default_user"];
    let default = (!default.is_null()).then(|| crate::cases::config(&default.to_string()));
    let accounts = match normalize(&config, default.as_ref()) {
        Ok(accounts) => accounts,
        Err(finding) => {
            return if case.get("error").is_some() { Ok(()) } else { Err(format!("{finding:?}")) };
        }
    };
    let users: Vec<Json> =
        accounts.users.iter().map(|(name, user)| json!([json::key(name), json::map(user)])).collect();
    let groups: Vec<Json> = accounts
        .groups
        .iter()
        .map(|(name, members)| json!([json::key(name), members.iter().map(json::value).collect::<Vec<_>>()]))
        .collect();
    let default = accounts.default.map(|name| json::value(&Value::new(name.kind)));
    same(&json!({"users": users, "groups": groups, "default": default}), &case["ok"])
}

#[test]
fn users_and_groups_are_normalized() {
    all(&golden("users_normalize"), normalized);
    all(&own("users_more"), normalized);
}

#[test]
fn users_are_made() {
    all(&own("create_user_more"), |case| {
        let mut outcome = run(&users::MODULE, case, case["cloud_config"].as_str().unwrap(), &machine(case));
        let events: Vec<Json> = outcome.actions.iter().map(event).map(without_header).collect();
        same(&Json::Array(events), &case["done"])?;
        let fails = failed(&outcome);
        outcome.findings.retain(|finding| finding.hint.is_none());
        if !outcome.findings.is_empty() {
            return Err(format!("no hint: {:?}", outcome.findings));
        }
        same(&fails, &case.get("error").is_some())
    });
}

/// The time above files is not compared.
fn without_header(mut event: Json) -> Json {
    let Some(text) = event[2].as_str() else { return event };
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| match line.split_once(" by cloud-init v. ") {
            Some((begin, _)) => begin,
            None => line,
        })
        .collect();
    event[2] = Json::String(lines.join("\n"));
    event
}

#[test]
fn the_traces_of_single_users() {
    all(&golden("create_user_trace"), |case| {
        let name = case["name"].as_str().unwrap();
        let mut tree =
            Tree::debian().with("/etc/sudoers", "@includedir /etc/sudoers.d\n").with("/usr/bin/passwd", "");
        if case["user_exists"] == true {
            tree = tree.with("/etc/passwd", format!("{name}:x:1000:1000::/home/{name}:/bin/sh\n"));
        }
        let mut user = config(&case["config"].to_string());
        user.insert(Key::text("name"), Value::new(Kind::Text(name.to_owned())));
        let users = Value::new(Kind::List(vec![Value::new(Kind::Map(user))]));
        let config = hardtack_userdata::Map::from_iter([(Key::text("users"), users)]);
        let (distro, facts) = (Distro::from_os_release("ID=debian"), Facts::default());
        let outcome = users::run(&Request {
            config: &config,
            parts: &[],
            machine: &tree,
            distro: &distro,
            facts: &facts,
        });
        let (mut trace, mut files) = (Vec::new(), serde_json::Map::new());
        for action in &outcome.actions {
            match action {
                Action::Run { argv, stdin, .. } => {
                    let stdin = stdin.as_ref().map(|stdin| String::from_utf8(stdin.bytes.clone()).unwrap());
                    trace.push(match stdin {
                        None => json!({"argv": argv}),
                        Some(stdin) => json!({"argv": argv, "stdin": stdin}),
                    });
                }
                Action::Write { path, content, mode, .. } => {
                    let text = String::from_utf8(content.bytes.clone()).unwrap();
                    // Below the header.
                    let text = text.split_once('\n').unwrap().1;
                    files.insert(
                        path.clone(),
                        json!({"content": text, "mode": format!("0o{:o}", mode.unwrap())}),
                    );
                }
                Action::Directory { .. } => {}
                Action::Live { .. } => match event(action).as_array().unwrap().as_slice() {
                    [word, argv] if word == "run" => trace.push(json!({"argv": argv})),
                    [_, user, keys, options] => trace.push(json!({
                        "setup_user_keys": keys,
                        "user": user,
                        "options": if options == "" { Json::Null } else { options.clone() },
                    })),
                    other => return Err(format!("{other:?}")),
                },
                other => return Err(format!("{other:?}")),
            }
        }
        let mut expected = case["ok"]["trace"].as_array().unwrap().clone();
        hash_through_stdin(&mut expected);
        same(
            &json!({"trace": trace, "files": files}),
            &json!({"trace": expected, "files": case["ok"]["files"]}),
        )
    });
}

/// The deliberate difference: a hash is no argument.
fn hash_through_stdin(trace: &mut Vec<Json>) {
    let Some(step) = trace.iter_mut().find(|step| step["argv"][0] == "useradd") else { return };
    let argv = step["argv"].as_array_mut().unwrap();
    let Some(at) = argv.iter().position(|word| word == "--password") else { return };
    let hash = argv.remove(at + 1);
    argv.remove(at);
    let line = format!("{}:{}", argv[1].as_str().unwrap(), hash.as_str().unwrap());
    trace.insert(1, json!({"argv": ["chpasswd", "-e"], "stdin": line}));
}

#[test]
fn hashes_and_passwords_are_no_arguments() {
    let case = json!({"distro": "debian", "programs": ["passwd", "useradd"]});
    let yaml = "users: [{name: joe, passwd: $6$canary$x}, {name: ann, plain_text_passwd: canary}]";
    let outcome = run(&users::MODULE, &case, yaml, &machine(&case));
    assert!(outcome.actions.len() > 4);
    assert!(!format!("{:?}", outcome.actions).contains("canary"));
}

#[test]
fn doas_rules_name_their_user() {
    for (rule, name) in [
        ("permit joe", Some("joe")),
        ("permit nopass joe", Some("joe")),
        ("deny nopasspersist joe", Some("joe")),
        ("permit nopass", Some("nopass")),
        ("permit nopass as root", Some("nopass")),
        ("permit setenv {A=b C} joe cmd ls args -l  /", Some("joe")),
        ("permit setenv {} joe", None),
        ("permit joe cmd ls cmd cat", Some("joe")),
        ("permit joe cmd", None),
        ("permit joe as", None),
        ("permit :wheel", None),
        ("allow joe", None),
        ("permit", None),
        ("permitjoe", None),
        ("permit nopassjoe\n", Some("nopassjoe")),
    ] {
        assert_eq!(users::doas_rule_names(rule).as_deref(), name, "{rule}");
    }
}

#[test]
fn a_crowd_is_planned_or_refused_at_once() {
    let case = json!({"distro": "debian", "programs": ["passwd", "useradd"]});
    let list = |count: usize, sudo: &str| {
        let users: Vec<String> = (0..count).map(|number| format!("{{name: u{number}, {sudo}}}")).collect();
        format!("users: [{}]", users.join(","))
    };
    let started = std::time::Instant::now();
    let outcome = run(&users::MODULE, &case, &list(1500, "sudo: ALL, groups: [a, b]"), &machine(&case));
    assert!(outcome.actions.len() > 4 * 1500);
    let outcome = run(&users::MODULE, &case, &list(10_000, "uid: 1"), &machine(&case));
    assert!(failed(&outcome) && outcome.actions.is_empty());
    // Lists in a list of names are compared one by one.
    let lists: Vec<String> = (0..20_000).map(|number| format!("[{number}]")).collect();
    let outcome =
        run(&users::MODULE, &case, &format!("groups: {{g: [{}]}}", lists.join(",")), &machine(&case));
    assert!(failed(&outcome));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
