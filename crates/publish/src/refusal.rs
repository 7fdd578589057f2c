//! What an error of a cloud means to somebody who waits, looks for something, or asks beforehand.

use hardtack_cloud::Error;

/// The account may not ask this, which says nothing about what was asked for.
pub fn denied(error: &Error) -> bool {
    let codes = ["AccessDenied", "UnauthorizedOperation", "NotAuthorized"];
    error.code().is_some_and(|code| codes.iter().any(|part| code.contains(part)))
}

/// There is no such thing: `InvalidSnapshot.NotFound`, `InvalidAMIID.Unavailable`, EBS' 404.
pub fn missing(error: &Error) -> bool {
    error.status() == Some(404)
        || error.code().is_some_and(|code| code.contains("NotFound") || code == "InvalidAMIID.Unavailable")
}

/// Too many calls.
pub fn throttled(error: &Error) -> bool {
    let codes = ["Throttl", "RequestLimitExceeded", "ConcurrentLimitExceeded", "SlowDown", "TooManyRequests"];
    error.code().is_some_and(|code| codes.iter().any(|part| code.contains(part)))
}

/// It may be over by the next time somebody asks.
pub fn transient(error: &Error) -> bool {
    throttled(error) || maybe_done(error)
}

/// The call may have been carried out, although nobody said so.
pub fn maybe_done(error: &Error) -> bool {
    match error {
        Error::Transport { .. } | Error::Answer { .. } => true,
        error => error.status().is_some_and(|status| status >= 500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(status: u16, code: &str) -> Error {
        Error::Service {
            service: "EC2",
            call: "X".to_owned(),
            status,
            code: code.to_owned(),
            message: String::new(),
            request_id: String::new(),
            lost: false,
        }
    }

    #[test]
    fn codes_are_told_apart() {
        let denied_codes = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
        assert!(denied_codes.iter().all(|code| denied(&service(403, code))));
        assert!(!denied(&service(403, "SignatureDoesNotMatch")));
        assert!(missing(&service(400, "InvalidSnapshot.NotFound")) && missing(&service(404, "x")));
        assert!(!missing(&service(400, "InvalidSnapshotID.Malformed")));
        assert!(transient(&service(400, "RequestThrottledException")) && transient(&service(503, "x")));
        assert!(!transient(&service(402, "ServiceQuotaExceededException")));
        assert!(!maybe_done(&service(400, "RequestThrottledException")) && maybe_done(&service(500, "x")));
    }
}
