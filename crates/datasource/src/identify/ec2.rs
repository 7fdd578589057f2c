//! EC2 and its look-alikes (`ec2_identify_platform`, `ec2_read_strict_setting` in `tools/ds-identify`).

use super::checks::Answer;
use super::marks::Marks;
use super::{config, policy, shell};

const KEY: &str = "ci.datasource.ec2.strict_id";

/// What the rule says, and the line that hands the strictness on.
pub(super) fn check(marks: &Marks<'_>) -> (Answer, Option<String>) {
    if let Some(path) = marks.seed("ec2", &["meta-data", "user-data"]) {
        return (Answer::Found(format!("there is a seed in {path}")), None);
    }
    if marks.container {
        return (Answer::No, None);
    }
    if let Some(why) = platform(marks) {
        return (Answer::Found(why), None);
    }
    // Not by itself: only who says that it need not be sure gets a maybe.
    let strict = match strict(marks) {
        strict if is_strictness(&strict) => strict,
        _ => "true".to_owned(),
    };
    if strict == "true" {
        return (Answer::No, None);
    }
    let line = format!("datasource: {{Ec2: {{strict_id: \"{strict}\"}}}}");
    (Answer::Maybe(format!("strict_id is {strict}, and nothing says that this is not EC2")), Some(line))
}

/// Why it is EC2 or a cloud that says that it is like EC2.
fn platform(marks: &Marks<'_>) -> Option<String> {
    if marks.product_serial.ends_with(".brightbox.com") {
        return Some("the serial number is Brightbox's".to_owned());
    }
    if marks.chassis_asset_tag.ends_with(".zstack.io") {
        return Some("the chassis has ZStack's asset tag".to_owned());
    }
    if matches!(marks.sys_vendor.as_str(), "e24cloud" | "Tilaa") {
        return Some(format!("the machine's vendor is {}", marks.sys_vendor));
    }
    if marks.product_name == "3DS Outscale VM" && marks.sys_vendor == "3DS Outscale" {
        return Some("the machine is Outscale's".to_owned());
    }
    if let Some(bytes) = marks.machine.read("/sys/hypervisor/uuid")
        && let (uuid, true) = shell::read(&bytes)
        && uuid.starts_with("ec2")
    {
        return Some("Xen's UUID starts with ec2".to_owned());
    }
    let octets = marks.product_uuid.split('-').next().unwrap_or_default().as_bytes();
    let is_ec2 = octets.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"ec2"));
    // Some hypervisors turn the bytes round.
    let turned = octets.len().checked_sub(4).and_then(|at| octets.get(at..)).is_some_and(
        |end| matches!(end, [b'2', digit, b'e' | b'E', b'c' | b'C'] if digit.is_ascii_hexdigit()),
    );
    (is_ec2 || turned).then(|| "the product's UUID is EC2's".to_owned())
}

/// The setting as it stands there.
fn strict(marks: &Marks<'_>) -> String {
    let line = &marks.command_line;
    let given = |value: &str| if value.is_empty() { "true".to_owned() } else { value.to_owned() };
    if format!(" {line} ").contains(&format!(" {KEY}=")) {
        let value = line.rsplit(&format!("{KEY}=")).next().unwrap_or_default();
        return given(value.split(' ').next().unwrap_or_default());
    }
    if let Some(value) = config::value_for_ec2(marks.machine, "strict_id") {
        return value;
    }
    let entries = policy::entries(marks.machine);
    entries.into_iter().find(|(key, _)| key == KEY).map_or_else(|| given(""), |(_, value)| given(&value))
}

/// `true | false | warn | warn,[0-9]*`.
fn is_strictness(text: &str) -> bool {
    let seconds = text.strip_prefix("warn,").and_then(|rest| rest.chars().next());
    matches!(text, "true" | "false" | "warn") || seconds.is_some_and(|digit| digit.is_ascii_digit())
}
