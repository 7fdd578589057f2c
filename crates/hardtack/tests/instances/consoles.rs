//! `hardtack console` of instances: whatever a cloud gives of a console, the block is found.

use hardtack_fake_cloud::{Console, Fault, FaultKind, Service};

use crate::Site;
use crate::block::{KEY, SECRET, block};
use crate::workshop::{Folder, Ran};

fn expect(folder: &Folder, site: &Site, code: i32, line: &str) -> Ran {
    let mut command = folder.command_at(&site.cloud, &format!("{line} --on {}", site.on()));
    let ran = Ran::of(&command.env("HARDTACK_TEST_HASTE", "1").output().unwrap());
    assert_eq!(ran.code, Some(code), "{line}: {}{}", ran.out, ran.err);
    assert!(!ran.err.contains(SECRET) && !ran.err.contains("30116782"), "{}", ran.err);
    ran
}

/// How often the console was asked for.
fn asked(site: &Site) -> (usize, usize) {
    let log = site.cloud.log();
    let all = log.iter().filter(|entry| entry.action == "GetConsoleOutput");
    (all.clone().count(), all.filter(|entry| entry.status >= 400).count())
}

#[test]
fn nothing_then_the_beginning_then_a_rolling_window() {
    // Where the newest part is told, refused, and not known.
    for (euca, kind) in [(false, "t3.small"), (false, "t2.small"), (true, "m1.small")] {
        let site = Site::new(euca, |options| {
            options.instance_polls = 2;
            options.console_empty = 2;
            options.console_first = 2;
            options.consoles = vec![Console::new().boot(6, 200_000).then(block())];
        });
        let id = site.run(kind, 1, "one", None).remove(0);
        let folder = Folder::new();
        let ran = expect(&folder, &site, 0, &format!("console {id} --wait"));
        assert!(ran.out.contains(&format!("Your new secret key is: {SECRET}")), "{}", ran.out);
        assert!(ran.out.contains("Log in: ssh -o IdentitiesOnly=yes -i KEY debian@"), "{}", ran.out);
        assert!(ran.err.contains(&format!("note: {id} is pending, ")), "{}", ran.err);
        let refused = asked(&site).1;
        assert_eq!(refused, usize::from(kind == "t2.small"), "{kind}: the newest part is asked for once");
    }
}

#[test]
fn throttling_and_faults_are_endured() {
    let site =
        Site::new(false, |options| options.consoles = vec![Console::new().boot(2, 5000).then(block())]);
    let id = site.run("t3.small", 1, "one", None).remove(0);
    for status in [400, 503, 500] {
        let fault = Fault::new(Service::Ec2, "GetConsoleOutput", FaultKind::Status(status));
        site.cloud.inject(Fault { times: 7, ..fault });
    }
    let fault = Fault::new(Service::Ec2, "DescribeInstances", FaultKind::Code(503, "RequestLimitExceeded"));
    site.cloud.inject(Fault { after: 1, times: 7, ..fault });
    expect(&Folder::new(), &site, 0, &format!("console {id} --wait"));
}

#[test]
fn an_instance_that_ends_is_told_with_its_reason_and_its_last_lines() {
    let site = Site::new(false, |options| {
        options.consoles = vec![Console::of("[    0.000000] Linux version 6.1\r\n\x1b[31mlast words\r\n")];
    });
    let id = site.run("t3.small", 1, "one", None).remove(0);
    site.cloud.fail_instance(&id, "Client.VolumeLimitExceeded", "Client.VolumeLimitExceeded: no room");
    let ran = expect(&Folder::new(), &site, 1, &format!("console {id} --wait"));
    for words in ["  | last words\n", "the instance is terminated: ", "no room", "hardtack console i-"] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    assert!(ran.out.is_empty() && !ran.err.contains('\x1b'), "{}", ran.out);
}

#[test]
fn time_that_is_up_ends_with_lines_cause_and_command() {
    let half = block()[..2500].to_owned();
    let site = Site::new(false, |options| {
        options.consoles = vec![
            Console::of(format!("[    0.000000] Linux version 6.1\r\n{half}")),
            Console::new().boot(1, 9000).then("You are in emergency mode. After logging in\r\n"),
        ];
    });
    let ids = site.run("t3.small", 2, "one", Some("web"));
    let folder = Folder::new();
    let ran = expect(&folder, &site, 3, &format!("console {} --wait --timeout 2m", ids[0]));
    for words in ["not shown here", "reboot", &format!("hardtack console {} --on aws --wait", ids[0])] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    let ran = expect(&folder, &site, 1, &format!("console {} --wait --timeout 2m", ids[1]));
    assert!(
        ran.err.contains("emergency mode, as a rule") && ran.err.contains("the last 40 lines of "),
        "{}",
        ran.err
    );
    // Both, by their tag, without waiting: the highest code.
    let ran = expect(&folder, &site, 3, "console tag:Name=web");
    for id in &ids {
        assert!(ran.out.contains(&format!("==> {id} (web) <==\n")), "{}", ran.out);
    }
}

#[test]
fn all_of_a_console_is_printed_as_it_came() {
    let text = "[    0.000000] Linux version 6.1\r\n\x1b[31mred\x1b[0m\r\nno block\r\n";
    let site = Site::new(false, |options| options.consoles = vec![Console::of(text)]);
    let id = site.run("t3.small", 1, "one", None).remove(0);
    let folder = Folder::new();
    assert_eq!(expect(&folder, &site, 0, &format!("console {id} --raw")).out, text);
    expect(&folder, &site, 2, &format!("console {id} --raw --code"));
    folder.write("serial.log", text);
    assert_eq!(expect(&folder, &site, 0, "console serial.log --raw").out, text);
}

#[test]
fn several_instances_are_shown_one_after_the_other() {
    let site =
        Site::new(false, |options| options.consoles = vec![Console::of(block()), Console::of("no block\n")]);
    let ids = site.run("t3.small", 2, "one", Some("web"));
    let folder = Folder::new();
    let both = ids.join(" ");
    let ran = expect(&folder, &site, 1, &format!("console {both}"));
    assert_eq!(ran.out.matches("==> i-").count(), 2, "{}", ran.out);
    let ran = expect(&folder, &site, 1, &format!("console {both} --json"));
    assert!(ran.out.lines().count() == 1 && ran.out.starts_with("{\"hardtack\":1"), "{}", ran.out);
    for option in ["--code", "--qr a.png", "--known-hosts a --host b"] {
        let ran = expect(&folder, &site, 2, &format!("console {both} {option}"));
        assert!(ran.err.contains("is about one instance"), "{}", ran.err);
    }
    // One: its code alone, and its keys under its own address.
    let ran = expect(&folder, &site, 0, &format!("console {} --code", ids[0]));
    assert!(ran.out.trim_end().len() == 6, "{}", ran.out);
    expect(&folder, &site, 0, &format!("console {} --known-hosts known", ids[0]));
    let known = std::fs::read_to_string(folder.path("known")).unwrap();
    assert!(known.ends_with(&format!(" {KEY}\n")) && known.split('.').count() == 4, "{known}");
}

#[test]
fn what_is_neither_a_file_nor_an_instance_is_told() {
    let site = Site::new(false, |_| {});
    let folder = Folder::new();
    let ran = expect(&folder, &site, 4, "console serial.log");
    assert!(ran.err.contains("neither a file nor an instance"), "{}", ran.err);
    let ran = expect(&folder, &site, 3, "console i-0123456789abcdef0");
    assert!(ran.err.contains("there is no such instance"), "{}", ran.err);
    assert_eq!(expect(&folder, &site, 3, "console tag:Name=none").out, "");
    expect(&folder, &site, 2, "console i-0123456789abcdef0 --timeout 5m");
    folder.write("i-0123456789abcdef0", &block());
    let ran = expect(&folder, &site, 0, "console i-0123456789abcdef0");
    assert!(ran.out.contains(SECRET) && !ran.out.contains("Log in"), "a file comes first: {}", ran.out);
    expect(&folder, &site, 2, "console i-0123456789abcdef0 --wait");
    expect(&folder, &site, 2, "console i-0123456789abcdef0 --known-hosts known");
}
