//! What goes wrong on purpose.

use std::time::Duration;

use crate::Service;
use crate::refusal::Refusal;

/// How a request fares.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Refused with this status and the code that the service has for it (400: throttled; 402: quota; 403: denied; 404:
    /// not found; 500; 503). Nothing is done.
    Status(u16),
    /// Refused with this status and code. Nothing is done.
    Code(u16, &'static str),
    /// The connection is reset without an answer. Nothing is done.
    Reset,
    /// It is done, and the connection is closed without an answer.
    CloseAfterRequest,
    /// It is done, and the answer breaks off in its middle.
    Truncated,
    /// It is done, and the answer's body comes in eight pieces with this pause before each.
    SlowBody(Duration),
    /// It is done, and the answer comes after this time.
    Late(Duration),
    /// A proxy answers with a page of HTML and status 502. Nothing is done.
    Html502,
    /// Status 200 and a body that is no answer. It is done.
    Nonsense,
}

/// A fault for requests that match.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Of this service; `None`: of all.
    pub service: Option<Service>,
    /// With this action, as `PutSnapshotBlock`; `None`: with all.
    pub action: Option<String>,
    /// Whose key (see [`Entry`](crate::Entry)) contains this.
    pub key: Option<String>,
    /// So many matching requests go well first.
    pub after: usize,
    /// So many requests have the fault then.
    pub times: usize,
    /// What happens.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault of the next request for `action` of `service`.
    pub fn new(service: Service, action: &str, kind: FaultKind) -> Self {
        let (service, action) = (Some(service), Some(action.to_owned()));
        Self { service, action, key: None, after: 0, times: 1, kind }
    }

    /// A fault of the next request of any kind.
    pub fn any(kind: FaultKind) -> Self {
        Self { service: None, action: None, key: None, after: 0, times: 1, kind }
    }

    /// Only requests whose key contains `key`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// So many go well first.
    #[must_use]
    pub fn after(self, after: usize) -> Self {
        Self { after, ..self }
    }

    /// So many have it.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// All from then on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

/// Faults at random: the same seed gives the same sequence.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    /// Where it begins.
    pub seed: u64,
    /// Of a thousand requests, so many have a fault.
    pub per_mille: u64,
    /// One of these.
    pub kinds: Vec<FaultKind>,
}

/// All that is planned.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) planned: Vec<Fault>,
    pub(crate) random: Option<RandomFaults>,
}

impl Faults {
    /// What happens to this request.
    pub(crate) fn take(&mut self, service: Service, action: &str, key: &str) -> Option<FaultKind> {
        for fault in &mut self.planned {
            let matches = fault.service.is_none_or(|wanted| wanted == service)
                && fault.action.as_deref().is_none_or(|wanted| wanted == action)
                && fault.key.as_deref().is_none_or(|wanted| key.contains(wanted));
            if !matches || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if fault.times != usize::MAX {
                fault.times -= 1;
            }
            return Some(fault.kind.clone());
        }
        let random = self.random.as_mut()?;
        if next(&mut random.seed) % 1000 >= random.per_mille {
            return None;
        }
        let kinds = u64::try_from(random.kinds.len()).ok().filter(|count| *count > 0)?;
        let choice = usize::try_from(next(&mut random.seed) % kinds).ok()?;
        random.kinds.get(choice).cloned()
    }
}

/// splitmix64.
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the service says with a status.
pub(crate) fn refusal(service: Service, status: u16) -> Refusal {
    let (code, text) = match (service, status) {
        (Service::Ec2 | Service::Bootstrap | Service::Properties, 400 | 503) => {
            ("RequestLimitExceeded", "Request limit exceeded.")
        }
        (Service::CloudFormation | Service::AutoScaling, 400) => ("Throttling", "Rate exceeded"),
        (Service::Sts | Service::Ssm | Service::Kms, 400) => ("ThrottlingException", "Rate exceeded"),
        (Service::S3, 400) => {
            ("RequestTimeout", "Your socket connection to the server was not read from or written to.")
        }
        (Service::S3, 503) => ("SlowDown", "Please reduce your request rate."),
        (Service::Ebs, 400) => ("RequestThrottledException", "Too many requests."),
        (_, 402) => ("ServiceQuotaExceededException", "Your current service quotas have been exceeded."),
        (Service::Ec2 | Service::Bootstrap | Service::Properties, 403) => {
            ("UnauthorizedOperation", "You are not authorized to perform this operation.")
        }
        (Service::S3 | Service::Sts | Service::CloudFormation | Service::AutoScaling, 403) => {
            ("AccessDenied", "Access Denied")
        }
        (_, 403) => ("AccessDeniedException", "You are not authorized to perform this action."),
        (Service::Ebs, 404) => ("ResourceNotFoundException", "The snapshot does not exist."),
        (Service::S3, 404) => ("NoSuchKey", "The specified key does not exist."),
        (Service::Ebs | Service::Kms | Service::Ssm, 500) => {
            ("InternalServerException", "An internal error.")
        }
        (_, 500) => ("InternalError", "An internal error has occurred."),
        (_, 503) => ("Unavailable", "The service is unavailable. Please try again shortly."),
        _ => ("InjectedFault", "A fault was asked for."),
    };
    let refusal = Refusal::new(status, code, text);
    match (service, status) {
        (Service::Ebs, 400) => refusal.because("ACCOUNT_THROTTLED"),
        (Service::Ebs, 404) => refusal.because("SNAPSHOT_NOT_FOUND"),
        (Service::Ebs, 402) => refusal.because("DEPENDENCY_SERVICE_QUOTA_EXCEEDED"),
        _ => refusal,
    }
}
