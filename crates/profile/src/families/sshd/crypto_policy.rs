//! Red Hat's one switch for the algorithms of all programs.

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View};

const CONFIG: &str = "/etc/crypto-policies/config";
const RULE: &str = "sshd-crypto-policy";
const POLICY: &str = "DEFAULT:NO-SHA1";

/// No SHA-1. The files of all programs are made by `update-crypto-policies`, so the machine does it.
pub(super) struct CryptoPolicy;

fn policy(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

fn is_good(policy: &str) -> bool {
    let mut words = policy.split(':');
    let base = words.next().unwrap_or_default();
    base.starts_with("FUTURE")
        || base.starts_with("FIPS")
        || (base == "DEFAULT" && words.any(|word| word == "NO-SHA1"))
}

impl Measure for CryptoPolicy {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        // Also where it is done by now: a second build writes the same.
        if bench.stage.stat(CONFIG)?.is_some() {
            let look = "    command -v update-crypto-policies >/dev/null || { echo 'no update-crypto-policies'; return 1; }";
            bench.first_boot(RULE, format!("{look}\n    update-crypto-policies --set {POLICY}"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let Some(text) = text(view.stage, CONFIG) else {
            return Ok(Finding::NotApplicable("the image has no system-wide crypto policies".to_owned()));
        };
        match policy(&text) {
            Some(policy) if is_good(policy) => Ok(Finding::Pass),
            _ => Ok(view.at_first_boot(RULE, "update-crypto-policies sets the policy")),
        }
    }
}
