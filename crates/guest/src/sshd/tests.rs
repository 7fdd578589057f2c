//! Where directives are written.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{MemoryTree, Stage};

const DEBIAN_12: Version = Version::new(9, 2);

#[test]
fn directives_go_where_they_win() {
    let wanted = [Directive::new("UsePAM", "yes"), Directive::new("KbdInteractiveAuthentication", "yes")];
    let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
    for (main, version, placement) in [
        (format!("# x\n{include}KbdInteractiveAuthentication no\n"), DEBIAN_12, Placement::DropIn),
        (format!("KbdInteractiveAuthentication no\n{include}"), DEBIAN_12, Placement::Top),
        (format!("UsePAM yes\n{include}"), DEBIAN_12, Placement::DropIn),
        (format!("Match User x\n{include}"), DEBIAN_12, Placement::Top),
        ("ChallengeResponseAuthentication no\n".to_owned(), Version::new(6, 6), Placement::Top),
        ("Include /etc/ssh/other/*\n".to_owned(), DEBIAN_12, Placement::Top),
        (String::new(), DEBIAN_12, Placement::Top),
    ] {
        let tree = MemoryTree::new().file(MAIN_FILE, &main);
        let mut stage = Stage::new(&tree);
        let lines = ["Match User *,!debian".to_owned(), "    AuthenticationMethods publickey".to_owned()];
        for _ in 0..2 {
            assert_eq!(
                write_section(&mut stage, version, "mfa", &wanted, Some(&lines)).unwrap(),
                placement,
                "{main:?}"
            );
            let sshd = [Directive::new("MaxAuthTries", "4")];
            assert_eq!(
                write_section(&mut stage, version, "sshd", &sshd, None).unwrap(),
                placement,
                "{main:?}"
            );
            let config = Config::load(&stage, version).unwrap();
            assert_eq!(mismatches(&config, &wanted), [], "{main:?}");
            assert_eq!(mismatches(&config, &sshd), [], "{main:?}");
            let bob = Connection { user: Some("bob".into()), ..Connection::default() };
            assert_eq!(
                config.for_connection("AuthenticationMethods", &bob)[0].value,
                "publickey",
                "{main:?}"
            );
        }
        // What a second round would write is what is there.
        let (text, drop_in) = (stage.read_text(MAIN_FILE).unwrap(), stage.read_text(DROP_IN).unwrap());
        write_section(&mut stage, version, "mfa", &wanted, Some(&lines)).unwrap();
        assert_eq!((text, drop_in), (stage.read_text(MAIN_FILE).unwrap(), stage.read_text(DROP_IN).unwrap()));
    }
}

#[test]
fn whoever_wins_instead_is_named() {
    let tree = MemoryTree::new()
        .file(MAIN_FILE, "Include /etc/ssh/sshd_config.d/*.conf\nMatch User root\n PermitRootLogin yes\nMatch User a\n PermitRootLogin no\n")
        .file("/etc/ssh/sshd_config.d/00-aaa.conf", "\nUsePAM no\nAllowUsers bob\nPort 22\n");
    let mut stage = Stage::new(&tree);
    let wanted = [
        Directive::new("UsePAM", "yes"),
        Directive::new("PermitRootLogin", "no"),
        Directive::new("AllowUsers", "debian"),
        Directive::new("Port", "22"),
    ];
    assert_eq!(write_section(&mut stage, DEBIAN_12, "sshd", &wanted, None).unwrap(), Placement::DropIn);
    let config = Config::load(&stage, DEBIAN_12).unwrap();
    let found: Vec<_> = mismatches(&config, &wanted)
        .into_iter()
        .map(|m| (m.directive.keyword, m.found.unwrap().place.to_string(), m.block.map(|b| b.line)))
        .collect();
    assert_eq!(
        found,
        [
            ("UsePAM".to_owned(), "/etc/ssh/sshd_config.d/00-aaa.conf:2".to_owned(), None),
            ("PermitRootLogin".to_owned(), "/etc/ssh/sshd_config:3".to_owned(), Some(2)),
            ("AllowUsers".to_owned(), "/etc/ssh/sshd_config.d/00-aaa.conf:3".to_owned(), None),
        ]
    );
    comment_out(&mut stage, &Place { file: MAIN_FILE.into(), line: 3 }).unwrap();
    let config = Config::load(&stage, DEBIAN_12).unwrap();
    assert_eq!(mismatches(&config, &wanted[1..2]), []);
}
