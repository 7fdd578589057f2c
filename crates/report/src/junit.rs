//! JUnit's XML as GitLab and Jenkins read it: `junit-10.xsd` of Jenkins' xUnit plug-in.
//!
//! No time and no host: the same verdict gives the same bytes.

use crate::visible::{one_line, visible};
use crate::{Control, Outcome, Verdict};

pub(crate) fn render(verdict: &Verdict) -> String {
    let counts = verdict.counts();
    let all = verdict.controls.len();
    let numbers = format!("tests=\"{all}\" failures=\"{}\" errors=\"0\"", counts.fail);
    let name = xml_attribute(&format!("{} against {}", verdict.image, verdict.against));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hardtack verify\" {numbers}>\n  \
         <testsuite name=\"{name}\" {numbers} skipped=\"{}\">\n",
        counts.not_applicable + counts.exception + counts.first_boot
    );
    for control in &verdict.controls {
        case(control, &mut xml);
    }
    if !verdict.notes.is_empty() {
        xml.push_str(&format!("    <system-out>{}</system-out>\n", xml_text(&verdict.notes.join("\n"))));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(control: &Control, xml: &mut String) {
    // Jenkins takes what stands before the last dot for a package.
    let step = control.id.split(['/', ' ']).next().unwrap_or_default().replace('.', "-");
    let head =
        format!("classname=\"hardtack.{}\" name=\"{}\"", xml_attribute(&step), xml_attribute(&control.id));
    let body = match control.outcome {
        Outcome::Pass => {
            xml.push_str(&format!("    <testcase {head}/>\n"));
            return;
        }
        Outcome::NotApplicable => format!("<skipped message=\"{}\"/>", xml_attribute(&control.why)),
        Outcome::Exception => {
            format!(
                "<skipped message=\"{}\"/>",
                xml_attribute(&format!("left alone on purpose: {}", control.why))
            )
        }
        Outcome::FirstBoot => {
            format!(
                "<skipped message=\"{}\"/>",
                xml_attribute(&format!("left to the first boot: {}", control.why))
            )
        }
        Outcome::Fail => {
            let first = control.why.lines().next().unwrap_or_default();
            let mut text = vec![control.title.clone(), control.why.clone()];
            text.extend(control.places.iter().map(ToString::to_string));
            text.push(control.help.clone());
            text.retain(|part| !part.is_empty());
            format!(
                "<failure message=\"{}\" type=\"difference\">{}</failure>",
                xml_attribute(first),
                xml_text(&text.join("\n"))
            )
        }
    };
    xml.push_str(&format!("    <testcase {head}>\n      {body}\n    </testcase>\n"));
}

/// For text of XML; `>` too, since `]]>` may not stand there.
#[must_use]
pub fn xml_text(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For an attribute of XML, on one line.
#[must_use]
pub fn xml_attribute(text: &str) -> String {
    let line = one_line(text);
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
