//! The block's first lines: how to log in, one numbered line for each thing to do or to type.

use super::text::{COLUMNS, paragraph, plain};
use super::{Block, Surroundings, UserPart};

/// At most six numbered lines. They are those of the first user; the others' differ in the name.
pub(super) fn write(block: &Block, surroundings: &Surroundings, lines: &mut Vec<String>) {
    let has = |factor: &str| surroundings.factors.iter().any(|have| have == factor);
    let printed = block.users.iter().map(UserPart::name);
    let operator = surroundings.operator.iter().map(String::as_str);
    let mut names: Vec<&str> = printed.collect();
    for name in operator {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let name = names.first().copied().unwrap_or_default();
    let user = plain(name);
    if names.len() > 1 {
        let others = names.get(1..).unwrap_or_default().join(", ");
        paragraph("How to log in as ", &format!("{user} (or {others})"), 2, lines);
    } else {
        paragraph("How to log in as ", &user, 2, lines);
    }
    let mut steps = Vec::new();
    let options =
        if has("publickey") { "-o IdentitiesOnly=yes -i KEY" } else { "-o PubkeyAuthentication=no" };
    let command = |address: &str| format!("ssh {options} {user}@{address}");
    let address = surroundings.address.as_deref().map(plain);
    let known = address.map(|address| command(&address)).filter(|command| command.len() + 5 <= COLUMNS);
    let placeholder = known.is_none();
    steps.push(known.unwrap_or_else(|| command("ADDRESS")));
    match (has("publickey"), placeholder) {
        (true, true) => {
            steps.push("KEY: file of your private key; ADDRESS: where this machine is reached".to_owned())
        }
        (true, false) => {
            steps.push("KEY: file of your private key; its public half is in this machine".to_owned())
        }
        (false, true) => steps.push("ADDRESS: where this machine is reached".to_owned()),
        (false, false) => {}
    }
    steps.push("\"authenticity ... can't be established\": compare the fingerprint below".to_owned());
    let part = block.users.iter().find(|part| part.name() == name);
    if has("password") {
        steps.push(password(part, name, surroundings).to_owned());
    }
    if has("totp") {
        code(part, name, surroundings, &mut steps);
    }
    for (index, step) in steps.iter().enumerate() {
        lines.push(format!("  {}. {step}", index + 1));
    }
}

fn password(part: Option<&UserPart>, name: &str, surroundings: &Surroundings) -> &'static str {
    let made = surroundings.passwords.iter().any(|user| user == name);
    match part {
        Some(UserPart::Plain(part)) if !part.password.is_empty() => "\"Password:\" the one below",
        Some(UserPart::Sealed(_)) if made => "\"Password:\" the one in the sealed part below",
        Some(UserPart::Withheld(_)) if made => {
            "\"Password:\" made on this machine and not printed, see below"
        }
        _ => "\"Password:\" the one that the image's builder set for this user",
    }
}

fn code(part: Option<&UserPart>, name: &str, surroundings: &Surroundings, steps: &mut Vec<String>) {
    let mut step = |text: &str| steps.push(text.to_owned());
    let operator = surroundings.operator.iter().any(|user| user == name);
    match part {
        _ if operator => step("\"Verification code:\" six digits from the operator's enrolment"),
        Some(UserPart::Sealed(_)) => {
            step("\"Verification code:\" six digits from an app with the secret sealed below");
            step("The commands below open it with KEY; `hardtack console` draws the QR code");
        }
        Some(UserPart::Withheld(_)) => step("\"Verification code:\" its secret is not printed, see below"),
        _ => {
            step("\"Verification code:\" six digits from an app that scanned the QR code below");
            step("No camera: type the secret key into the app. No phone: use a scratch code");
        }
    }
}
