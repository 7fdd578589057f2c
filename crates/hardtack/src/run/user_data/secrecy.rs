//! Secrets taken out of what is said about user-data.

use hardtack_userdata::check::Report;
use hardtack_userdata::redact::Redactor;

/// Covers the secrets of the user-data in its findings. Findings quote what they are about, and that
/// may be a password.
pub(super) fn cover(report: &mut Report) {
    let redactor = Redactor::new(&[&report.config]);
    for finding in report.findings.iter_mut().chain(&mut report.unread) {
        finding.message = redactor.text(&finding.message);
        finding.hint = finding.hint.take().map(|hint| redactor.text(&hint));
        finding.path = redactor.text(&finding.path);
    }
}
