//! Who asks.

use hardtack_cloud::sts::caller_identity;
use hardtack_cloud::{Client, Error as Cloud};

use super::Check;

/// Whether there are credentials that are good; the second value says whether asking on makes sense.
pub(super) fn credentials(client: &Client) -> (Check, bool) {
    const SUBJECT: &str = "credentials";
    let origin = match client.provider().get() {
        Ok(credentials) => credentials.origin,
        Err(error) => return (Check::bad(SUBJECT, error.to_string()), false),
    };
    match caller_identity(client) {
        Ok(identity) => {
            let text = format!("account {} as {}, from {origin}", identity.account, identity.arn);
            (Check::good(SUBJECT, text), true)
        }
        // A network without a way to STS may have one to the services that matter.
        Err(error @ Cloud::Transport { .. }) => (
            Check::doubtful(SUBJECT, format!("whose the keys from {origin} are cannot be known: {error}")),
            true,
        ),
        Err(error) => (Check::bad(SUBJECT, format!("the keys from {origin} are not taken: {error}")), false),
    }
}
