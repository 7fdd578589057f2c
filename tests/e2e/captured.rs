//! An image made of an enrolled machine: elsewhere it enrols anew, and neither shows nor takes the old secret.

use hardtack_tests::image::Images;
use hardtack_tests::knocking::{Knocker, Knocking};
use hardtack_tests::ssh::Login;
use hardtack_tests::vm::{Launch, seed};
use serde_json::Value;

use crate::codes::{Codes, block, calm_down};
use crate::hardened::{Hardened, Owner, PLAIN, RECIPE, UP, part, text};
use crate::workshop::{PASSWORD, Workshop};

pub(crate) const HERE: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const ELSEWHERE: &str = "66666666-7777-8888-9999-aaaaaaaaaaaa";

/// Starts the disk of `hardened`, which is off and on which debian had what `old` says, on another machine, while
/// somebody who has all of that knocks. A code of the old secret was accepted before.
pub(crate) fn starts_anew(hardened: &Hardened, launch: Launch<'_>, old: &Value, password: &str) {
    let workshop = &hardened.workshop;
    let image = hardened.capture("captured.qcow2");
    let old_secret = text(old, "secret");
    let mut old_codes = Codes::new(&old_secret);
    let knocker = Knocker {
        user: "debian".to_owned(),
        key: workshop.key.clone(),
        password: password.to_owned(),
        secret: Some(old_codes.secret().to_vec()),
    };
    let mut vm = hardened.start_with(&image, "captured", launch);
    let knocking = Knocking::start(workshop.path(), vm.port, &knocker);
    vm.wait_for(UP);
    eprintln!("captured: {:?}", knocking.finish_refused());

    let opened = block(workshop, &vm.console, &["id_ed25519"]);
    assert!(!vm.log().contains(&old_secret), "the old secret was shown");
    let new = part(&opened, "debian");
    let new_secret = text(new, "secret");
    assert_ne!(new_secret, old_secret);
    assert_ne!(new["scratch_codes"], old["scratch_codes"]);
    let new_password = new["password"].as_str().unwrap_or(password);
    if old["password"].is_string() {
        assert_ne!(new["password"], old["password"]);
    }

    calm_down();
    let mut owner = Owner::new(workshop, vm.port, "debian", &workshop.key, new_password, &new_secret);
    assert_eq!(owner.enter("id -un").trim(), "debian");
    let code = old_codes.fresh();
    let outcome = owner.client.login(Login { code: Some(&code), ..owner.without_code() }, "true");
    outcome.assert_refused("a code of the old secret");
    assert!(outcome.prompts.iter().any(|prompt| prompt.contains("erification")), "{:?}", outcome.prompts);
    let kept =
        owner.root_with("grep -rlFf - /home /root /var/lib/hardtack /run; true", &format!("{old_secret}\n"));
    assert_eq!(kept, "", "the old secret is kept");
}

/// How the second machine differs from the first one.
struct Variant<'a> {
    image: &'a str,
    suite: &'a str,
    change: &'a [(&'a str, &'a str)],
    /// The second machine's UUID, and its instance's name; nobody tells it the name where there is none.
    uuid: &'a str,
    instance: Option<&'a str>,
}

fn captured(variant: &Variant<'_>) {
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, variant.suite);
    workshop.change(RECIPE, variant.change);
    let hardened = Hardened::build(workshop, &images, variant.image);
    let workshop = &hardened.workshop;
    let seeds = ["here.img", "elsewhere.img"].map(|name| workshop.path().join(name));
    seed(&seeds[0], "i-here", PLAIN);
    seed(&seeds[1], variant.instance.unwrap_or_default(), PLAIN);
    let mut vm = hardened.start("here", Launch::seed(&seeds[0]).on(HERE));
    vm.wait_for(UP);
    let opened = block(workshop, &vm.console, &["id_ed25519"]);
    let old = part(&opened, "debian").clone();
    let mut owner = Owner::new(workshop, vm.port, "debian", &workshop.key, PASSWORD, &text(&old, "secret"));
    owner.enter("true");
    owner.power_off(vm);
    let launch = variant.instance.map_or_else(Launch::silence, |_| Launch::seed(&seeds[1]));
    starts_anew(&hardened, launch.on(variant.uuid), &old, PASSWORD);
}

#[test]
#[ignore = "the full suite boots it; `sealed` starts a disk elsewhere always"]
fn nobody_says_who_it_is() {
    captured(&Variant { image: "debian12", suite: "bookworm", change: &[], uuid: ELSEWHERE, instance: None });
}

#[test]
#[ignore = "the full suite boots it; `sealed` starts a disk elsewhere always"]
fn on_the_same_machine_with_another_name() {
    captured(&Variant {
        image: "debian12",
        suite: "bookworm",
        change: &[],
        uuid: HERE,
        instance: Some("i-elsewhere"),
    });
}

#[test]
#[ignore = "the full suite boots it; `sealed` starts a disk elsewhere always"]
fn the_agent_in_cloud_inits_place() {
    let change = [("mode: companion", "mode: replace"), crate::workshop::NO_PENALTIES];
    captured(&Variant {
        image: "debian13",
        suite: "trixie",
        change: &change,
        uuid: ELSEWHERE,
        instance: Some("i-elsewhere"),
    });
}
