//! A secret renewed on purpose.
use hardtack_credentials::RandomPassword;

use super::super::*;
use super::{NOW, SECRET, ann, config, tree};

fn ask(user: &str, password: bool) -> Renewal {
    Renewal { user: user.into(), password, console: false }
}

#[test]
fn a_renewal_ends_the_old_secret_and_is_shown_to_who_asks_alone() {
    let tree = tree().file("etc/shadow", "ann:!:19000:0:99999:7:::\n");
    let host = tree.host();
    let mut config = config(&["ann"], "refuse");
    config.accounts = vec![AccountConfig {
        name: "ann".into(),
        random_password: Some(RandomPassword::default()),
        ..AccountConfig::default()
    }];
    run(&host, &config, NOW).unwrap();
    let (old, hash) = (tree.read(SECRET), accounts::Shadow::field(&host, "ann").unwrap());
    let tree = tree.file("var/lib/hardtack/used/ann", "").file("run/hardtack/sealed/ann.json", "{}");
    let mut shown = Vec::new();
    renew(&host, &config, &ask("ann", false), || NOW, Some(&mut shown)).unwrap();
    let text = String::from_utf8(shown).unwrap();
    let new = tree.read(SECRET);
    assert_ne!(new, old);
    assert!(text.contains(&format!("Your new secret key is: {}\n", new.lines().next().unwrap())), "{text}");
    assert!(text.contains(&format!("scratch codes are:\n  {}\n", new.lines().nth(5).unwrap())), "{text}");
    assert!(text.contains("otpauth://totp/") && text.contains("Your password is: ") && text.contains('▀'));
    assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Used), "no console shows it");
    assert!(!host.exists("/run/hardtack/sealed/ann.json"));
    assert_eq!(accounts::Shadow::field(&host, "ann").unwrap(), hash);
    renew(&host, &config, &ask("ann", true), || NOW, Some(&mut Vec::new())).unwrap();
    assert_ne!(accounts::Shadow::field(&host, "ann").unwrap(), hash);
    run(&host, &config, NOW).unwrap();
    assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Used));
}

#[test]
fn a_console_that_others_read_is_no_terminal_to_show_a_secret_on() {
    let tree = tree().file("sys/class/tty/console/active", "tty1 ttyXYZ0\n");
    for (tty, wanted) in [
        ("/dev/pts/3", true),
        ("/dev/tty1", true),
        ("/dev/ttyS0", false),
        ("/dev/hvc0", false),
        ("/dev/console", false),
        ("/dev/ttyXYZ0", false),
        ("/dev/ttyXYZ1", true),
        ("pipe:[4242]", false),
    ] {
        assert_eq!(is_private(&tree.host(), std::path::Path::new(tty)), wanted, "{tty}");
    }
}

#[test]
fn nothing_is_renewed_where_nothing_can_be() {
    let tree = tree();
    let host = tree.host();
    let config = config(&["ann"], "refuse");
    run(&host, &config, NOW).unwrap();
    let old = tree.read(SECRET);
    for (request, wanted) in [
        (ask("eve", false), "eve does not exist"),
        (ask("bob", false), "bob is not enrolled here"),
        (ask("ann", true), "the password of ann is not made here"),
    ] {
        let error = renew(&host, &config, &request, || NOW, Some(&mut Vec::new())).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let tree = tree.file("sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4B3132\n");
    let error = renew(&host, &config, &ask("ann", false), || NOW, Some(&mut Vec::new())).unwrap_err();
    assert!(error.to_string().contains("another machine"), "{error}");
    assert_eq!(tree.read(SECRET), old);
}
