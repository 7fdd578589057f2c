//! GitLab's report of code quality
//! (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>), which it shows in merge requests.
//!
//! A list, its brackets on lines of their own, so that a shell can make one list of several.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::visible::{one_line, visible};
use crate::{Control, Outcome, Verdict};

pub(crate) fn render(verdict: &Verdict) -> String {
    let failed = verdict.controls.iter().filter(|control| control.outcome == Outcome::Fail);
    let entries: Vec<String> = failed.map(|control| entry(control, verdict).to_string()).collect();
    let mut text = format!("[\n{}", entries.join(",\n"));
    if !entries.is_empty() {
        text.push('\n');
    }
    text + "]\n"
}

fn entry(control: &Control, verdict: &Verdict) -> Value {
    let place = control.places.first();
    // GitLab takes paths below the project, and the first line for a whole file.
    let path = place.map_or("", |place| place.path.trim_start_matches('/'));
    let path = if path.is_empty() { verdict.image.as_str() } else { path };
    // An alert is the same one as long as control, image and recipe are.
    let mut hash = Sha256::new();
    for part in [&verdict.image, &verdict.against, &control.id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let fingerprint: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "description": one_line(&format!("{}: {}", verdict.image, control.why)),
        "check_name": one_line(&control.id),
        "fingerprint": fingerprint,
        "severity": "major",
        "location": {"path": visible(path), "lines": {"begin": place.and_then(|place| place.line).unwrap_or(1)}},
    })
}
