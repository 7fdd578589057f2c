use super::*;

fn error(status: u16, code: &str, reason: Option<&str>) -> Error {
    Error::Service {
        service: "EC2",
        call: "Call".to_owned(),
        status,
        code: reason.map_or_else(|| code.to_owned(), |reason| format!("{code}/{reason}")),
        message: String::new(),
        request_id: String::new(),
        lost: false,
    }
}

#[test]
fn what_is_worth_another_try() {
    use Retry::{Again, Never, Throttled};
    for (status, code, reason, expected) in [
        (400, "RequestThrottledException", Some("ACCOUNT_THROTTLED"), Throttled),
        (400, "RequestThrottled", None, Throttled),
        (400, "Throttling", None, Throttled),
        (400, "ThrottlingException", None, Throttled),
        (503, "RequestLimitExceeded", None, Throttled),
        (503, "SlowDown", None, Throttled),
        (400, "ConcurrentLimitExceededException", None, Throttled),
        (429, "Anything", None, Throttled),
        (400, "RequestTimeout", None, Again),
        (400, "IDPCommunicationError", None, Again),
        (409, "OperationAborted", None, Again),
        (400, "ValidationException", Some("WRITE_REQUEST_TIMEOUT"), Again),
        (400, "ValidationException", Some("CONFLICTING_BLOCK_UPDATE"), Again),
        (500, "InternalServerException", None, Again),
        (503, "Unavailable", None, Again),
        (504, "GatewayTimeout", None, Again),
        (402, "ServiceQuotaExceededException", Some("DEPENDENCY_SERVICE_QUOTA_EXCEEDED"), Never),
        (402, "RequestThrottledException", None, Never),
        (403, "AccessDenied", None, Never),
        (403, "AccessDeniedException", Some("UNAUTHORIZED_ACCOUNT"), Never),
        (403, "UnauthorizedOperation", None, Never),
        (400, "ValidationException", Some("INVALID_BLOCK"), Never),
        (404, "ResourceNotFoundException", Some("SNAPSHOT_NOT_FOUND"), Never),
        (501, "NotImplemented", None, Never),
        (400, "InvalidAMIName.Duplicate", None, Never),
        (409, "BucketAlreadyExists", None, Never),
        (301, "PermanentRedirect", None, Never),
    ] {
        assert_eq!(class(&error(status, code, reason)), expected, "{status} {code} {reason:?}");
    }
    assert_eq!(class(&Error::Usage(String::new())), Never);
}

fn environment(random: fn(&mut [u8])) -> Environment {
    Environment {
        variables: std::collections::BTreeMap::new(),
        home: None,
        now: std::time::SystemTime::now,
        sleep: |_| {},
        random,
        trace: None,
    }
}

#[test]
fn waits_are_a_random_part_of_a_bound_that_doubles() {
    let patience = Patience { pause: Duration::from_millis(500), ..Patience::default() };
    let (most, least) = (environment(|bytes| bytes.fill(255)), environment(|bytes| bytes.fill(0)));
    let waits: Vec<u128> = (1..=9).map(|failed| wait(&patience, failed, None, &most).as_millis()).collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000]);
    assert_eq!(wait(&patience, u32::MAX, None, &most), LONGEST);
    assert_eq!(wait(&patience, 5, None, &least), Duration::ZERO);
}

#[test]
fn a_service_may_ask_for_a_longer_wait_up_to_a_bound() {
    let (patience, least) = (Patience::default(), environment(|bytes| bytes.fill(0)));
    let asked = |seconds| wait(&patience, 1, Some(Duration::from_secs(seconds)), &least);
    assert_eq!(asked(7), Duration::from_secs(7));
    assert_eq!(asked(u64::MAX), LONGEST_ASKED);
}
