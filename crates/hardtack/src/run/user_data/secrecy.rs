//! Secrets taken out of what is said about user-data.

use hardtack_recipe::redact;
use hardtack_userdata::check::Report;
use hardtack_userdata::secrets;

/// Covers the secrets of the user-data in its findings. Findings quote what they are about, and that
/// may be a password.
pub(super) fn cover(report: &mut Report) {
    let secrets = secrets::values(&report.config);
    if secrets.is_empty() {
        return;
    }
    for finding in &mut report.findings {
        finding.message = redact(&finding.message, &secrets);
        finding.hint = finding.hint.take().map(|hint| redact(&hint, &secrets));
        finding.path = redact(&finding.path, &secrets);
    }
}
