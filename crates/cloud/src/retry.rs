//! What is worth another try, and when.
//!
//! Codes: "Error retries and exponential backoff in AWS" and the services' lists of errors; the wait is a random part
//! of a bound that doubles ("Exponential backoff and jitter", AWS architecture blog: full jitter).

use std::time::Duration;

use crate::{Environment, Error, Patience};

/// Whether a call is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It would end the same way.
    Never,
    /// It may end well.
    Again,
    /// It may end well when there is less to do. The service did nothing.
    Throttled,
}

/// The longest bound of a wait.
const LONGEST: Duration = Duration::from_secs(20);
/// The longest wait that a service can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Codes that a service gives to those who ask too often.
const THROTTLED: [&str; 13] = [
    "BandwidthLimitExceeded",
    "ConcurrentLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Codes of what passes.
const PASSING: [&str; 9] = [
    "IDPCommunicationError",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
];

/// Codes of credentials that have ended.
const EXPIRED: [&str; 5] =
    ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken"];

/// What an error is worth.
pub(crate) fn class(error: &Error) -> Retry {
    match error {
        Error::Transport { .. } => Retry::Again,
        Error::Service { status, .. } => service(*status, error.code().unwrap_or_default(), error.reason()),
        _ => Retry::Never,
    }
}

fn service(status: u16, code: &str, reason: Option<&str>) -> Retry {
    let short = code.trim_end_matches("Exception");
    // A quota is not there again in a minute.
    if status == 402 {
        return Retry::Never;
    }
    let throttled = |text: &str| {
        THROTTLED.contains(&text) || text.starts_with("RequestThrottled") || text.starts_with("Throttling")
    };
    if throttled(code) || throttled(short) || status == 429 {
        return Retry::Throttled;
    }
    match reason {
        Some("ACCOUNT_THROTTLED" | "DEPENDENCY_REQUEST_THROTTLED" | "RESOURCE_LEVEL_THROTTLE") => {
            return Retry::Throttled;
        }
        // EBS: another block of ours is being written, or this one did not get there in time.
        Some("CONFLICTING_BLOCK_UPDATE" | "WRITE_REQUEST_TIMEOUT") => return Retry::Again,
        _ => {}
    }
    if PASSING.contains(&code) {
        return Retry::Again;
    }
    by_status(status)
}

/// What a status alone is worth.
pub(crate) fn by_status(status: u16) -> Retry {
    match status {
        429 => Retry::Throttled,
        // Not implemented; a version of HTTP.
        501 | 505 => Retry::Never,
        408 | 500..=599 => Retry::Again,
        _ => Retry::Never,
    }
}

/// True when a service says that the credentials have ended.
pub(crate) fn expired(error: &Error) -> bool {
    error.code().is_some_and(|code| EXPIRED.contains(&code))
}

/// How long to wait after `failed` tries, 1 or more, when the service asks for `asked`.
pub(crate) fn wait(
    patience: &Patience,
    failed: u32,
    asked: Option<Duration>,
    environment: &Environment,
) -> Duration {
    let doubled = 2_u32.checked_pow(failed.saturating_sub(1)).unwrap_or(u32::MAX);
    let bound = patience.pause.saturating_mul(doubled).min(LONGEST);
    let mut bytes = [0; 4];
    (environment.random)(&mut bytes);
    let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    bound.mul_f64(part).max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests;
