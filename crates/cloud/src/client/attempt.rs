//! A call, try by try.

use std::time::{Duration, SystemTime};

use super::{Client, Inner};
use crate::credentials::Credentials;
use crate::retry::{self, Retry};
use crate::sign::{self, Payload, v4::Manner};
use crate::transport::{Body, Failure, Outgoing, Request, Response, Transport};
use crate::url::Url;
use crate::{Error, Scheme, Service, date, refusal};

/// What is asked of a service.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) service: Service,
    /// Its name in errors.
    pub(super) name: &'a str,
    /// It is not sent again once it may have arrived.
    pub(super) once: bool,
    /// Without credentials.
    pub(super) unsigned: bool,
    pub(super) limit: usize,
    /// Refusals are answers too, and of a body that is too long the beginning is given.
    pub(super) look: bool,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Request(&'a Request<'a>),
    /// A form in the body of a POST.
    Form(&'a [(String, String)]),
}

/// A try that did not end well.
pub(super) struct Trouble {
    pub(super) error: Error,
    retry: Retry,
    /// The service may have done what it was asked.
    reached: bool,
    /// How long the service asks to wait.
    after: Option<Duration>,
}

impl Client {
    /// Tries until it ends well, or another try is not worth it.
    pub(super) fn call(&self, call: &Call<'_>, content: Content<'_>) -> Result<Response, Box<Trouble>> {
        let Inner { provider, environment, patience, .. } = &*self.inner;
        let (mut failed, mut renewed, mut lost) = (0_u32, false, false);
        loop {
            let credentials = match call.unsigned {
                true => None,
                false => Some(provider.get().map_err(Trouble::lasting)?),
            };
            let begun = (environment.now)();
            let ended = self.attempt(call, content, credentials.as_ref(), begun);
            self.trace(call, failed + 1, begun, &ended);
            let mut trouble = match ended {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            // What is refused now may have been done by the try before.
            if let Error::Service { lost: before, .. } = &mut trouble.error {
                *before = lost;
            }
            lost |= trouble.reached && trouble.retry == Retry::Again;
            if let Some(credentials) = credentials.filter(|_| !renewed && retry::expired(&trouble.error)) {
                renewed = true;
                provider.forget(&credentials.id);
                continue;
            }
            failed += 1;
            let worth = match trouble.retry {
                Retry::Never => false,
                Retry::Throttled => true,
                Retry::Again => !(call.once && trouble.reached),
            };
            if !worth || failed >= patience.tries {
                return Err(trouble);
            }
            (environment.sleep)(retry::wait(patience, failed, trouble.after, environment));
        }
    }

    /// One try.
    fn attempt(
        &self,
        call: &Call<'_>,
        content: Content<'_>,
        credentials: Option<&Credentials>,
        now: SystemTime,
    ) -> Result<Response, Box<Trouble>> {
        let place = self.place();
        let endpoint = place.endpoint(call.service).map_err(Trouble::lasting)?;
        let (method, path, query, payload) = match content {
            Content::Request(request) => {
                (request.method, request.path.as_str(), request.query.as_slice(), Some(request.body))
            }
            Content::Form(_) => ("POST", "", [].as_slice(), None),
        };
        let url = Url::new(&endpoint.url, path, query).ok_or_else(|| {
            Trouble::lasting(Error::Usage(format!(
                "the address of {} is none that requests can be sent to; give http:// or https://, a host and maybe a path",
                call.service.name()
            )))
        })?;
        let scheme = place.scheme(call.service);
        let mut headers = vec![("host".to_owned(), url.authority.clone())];
        let form;
        let body = match content {
            Content::Request(request) => {
                headers.extend(request.headers.iter().cloned());
                request.body.bytes()
            }
            Content::Form(pairs) => {
                headers.push((
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
                ));
                form = match credentials {
                    Some(credentials) if scheme == Scheme::V2 => {
                        crate::url::form(&sign::v2::sign_query(method, &url, pairs, credentials, now))
                    }
                    _ => crate::url::form(pairs),
                };
                form.as_bytes()
            }
        };
        if let Some(credentials) = credentials {
            let added = match (scheme, content) {
                (Scheme::V2, Content::Form(_)) => Vec::new(),
                (Scheme::V2, Content::Request(_)) => {
                    sign::v2::sign_s3(method, &url, &headers, credentials, now)
                }
                (Scheme::V4, _) => {
                    let payload = match payload {
                        Some(Body::Unsigned(_)) => Payload::Unsigned,
                        _ => Payload::of(body),
                    };
                    let manner = Manner::of(call.service.signing_name(), &payload);
                    let scope = sign::v4::Scope {
                        region: &endpoint.region,
                        service: call.service.signing_name(),
                        time: now,
                    };
                    sign::v4::sign(method, &url.text(), &headers, &payload, credentials, scope, manner)
                        .map_err(|what| {
                            Trouble::lasting(Error::Usage(format!(
                                "the call {} of {} cannot be signed: {what}",
                                call.name,
                                call.service.name()
                            )))
                        })?
                }
            };
            headers.extend(added);
        }
        let outgoing = Outgoing {
            method,
            url: &url,
            headers: &headers,
            body,
            limit: call.limit,
            fresh: call.once,
            direct: false,
            cut: call.look,
        };
        let answer = self.transport().and_then(|transport| transport.send(&outgoing));
        let answer = answer.map_err(|failure| {
            Box::new(Trouble {
                retry: if failure.again { Retry::Again } else { Retry::Never },
                reached: failure.reached,
                after: None,
                error: Error::Transport {
                    service: call.service.name(),
                    address: url.address(),
                    what: failure.what,
                },
            })
        })?;
        if answer.status < 300 || call.look && answer.status < 500 && answer.status != 429 {
            return Ok(answer);
        }
        Err(self.refused(call, method, answer, now))
    }

    fn refused(&self, call: &Call<'_>, method: &str, answer: Response, now: SystemTime) -> Box<Trouble> {
        let mut error = refusal::error(call.service, call.name, method, &self.place().region, &answer);
        let retry = match &error {
            Error::Answer { .. } => retry::by_status(answer.status),
            error => retry::class(error),
        };
        if let Some(note) = clock(&error, &answer, now)
            && let Error::Service { message, .. } = &mut error
        {
            message.push_str(&note);
        }
        let after = answer.header("retry-after").and_then(|value| value.trim().parse().ok());
        Box::new(Trouble {
            // What is not there at the moment has done nothing; what failed inside may have.
            reached: !(answer.status == 503 && matches!(error, Error::Service { .. })),
            retry,
            after: after.map(Duration::from_secs),
            error,
        })
    }

    fn transport(&self) -> Result<&Transport, Failure> {
        let Inner { place, environment, patience, transport, .. } = &*self.inner;
        transport
            .get_or_init(|| {
                Transport::new(environment, place.authorities.as_deref(), place.verify, *patience)
            })
            .as_ref()
            .map_err(Clone::clone)
    }

    fn trace(&self, call: &Call<'_>, number: u32, begun: SystemTime, ended: &Result<Response, Box<Trouble>>) {
        let environment = self.environment();
        let Some(trace) = environment.trace else { return };
        let took = (environment.now)().duration_since(begun).unwrap_or_default().as_millis();
        let result = match ended {
            Ok(answer) => format!("status {}", answer.status),
            Err(trouble) => match &trouble.error {
                Error::Service { status, code, .. } => format!("status {status}, {code}"),
                Error::Transport { what, .. } | Error::Answer { what, .. } => what.clone(),
                _ => "not sent".to_owned(),
            },
        };
        trace(&format!("{} {}: {result}, {took} ms, try {number}", call.service.name(), call.name));
    }
}

impl Trouble {
    /// Nothing that another try would change.
    fn lasting(error: Error) -> Box<Self> {
        Box::new(Self { error, retry: Retry::Never, reached: false, after: None })
    }
}

/// What to say about this machine's clock when a service does not believe a signature: a request is good for
/// 5 minutes (15 at S3).
fn clock(error: &Error, answer: &Response, now: SystemTime) -> Option<String> {
    const TOLD_BY: [&str; 7] = [
        "AuthFailure",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "ExpiredTokenException",
    ];
    if !TOLD_BY.contains(&error.code()?) {
        return None;
    }
    let theirs = date::parse_http(answer.header("date")?)?;
    let (off, word) = match now.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let minutes = off.as_secs() / 60;
    (minutes >= 4)
        .then(|| format!("; this machine's clock is {minutes} minutes {word} the service's: set it"))
}
