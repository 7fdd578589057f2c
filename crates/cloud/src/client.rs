//! One client for all services of a place: signs, sends, tries again.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::credentials::Provider;
use crate::query::Query;
use crate::retry::{self, Retry};
use crate::sign::{self, Payload};
use crate::transport::{Body, Failure, Outgoing, Request, Response, Transport};
use crate::url::Url;
use crate::xml::{self, Element};
use crate::{Environment, Error, Place, Scheme, Service, date, refusal};

/// Answers of the query and JSON protocols are not longer.
const QUERY_LIMIT: usize = 16 << 20;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one try of a call, from the first byte sent to the last received, and a second more for each 64 KiB
    /// sent.
    pub attempt: Duration,
    /// Tries of one call, at least 1.
    pub tries: u32,
    /// The wait before the second try, at most; each later one doubles it, up to 20 s. The wait is a random
    /// part of it (full jitter).
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            attempt: Duration::from_secs(120),
            tries: 6,
            pause: Duration::from_millis(500),
        }
    }
}

/// A client. Clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    provider: Provider,
    environment: Arc<Environment>,
    patience: Patience,
    /// Made when it is needed first.
    transport: Arc<OnceLock<Result<Transport, Failure>>>,
}

/// What is asked of a service.
#[derive(Clone, Copy)]
struct Call<'a> {
    service: Service,
    /// Its name in errors.
    name: &'a str,
    /// It is not sent again once it may have arrived.
    once: bool,
    /// Without credentials.
    unsigned: bool,
    limit: usize,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Content<'a> {
    Request(&'a Request<'a>),
    /// A form in the body of a POST.
    Form(&'a [(String, String)]),
}

/// A try that did not end well.
struct Trouble {
    error: Error,
    retry: Retry,
    /// The service may have done what it was asked.
    reached: bool,
    /// How long the service asks to wait.
    after: Option<Duration>,
    /// The answer, where there is one.
    answer: Option<Response>,
}

impl Client {
    /// A client of `place`.
    pub fn new(place: Place, provider: Provider, environment: Arc<Environment>, patience: Patience) -> Self {
        let transport = Arc::default();
        Self { inner: Arc::new(Inner { place, provider, environment, patience, transport }) }
    }

    /// Where it talks to.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// What it was given.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.inner.environment
    }

    /// Its credentials.
    pub fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    /// The same, talking to another region over the same connections.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let Inner { place, provider, environment, patience, transport } = &*self.inner;
        let inner = Inner {
            place: place.in_region(region),
            provider: provider.clone(),
            environment: environment.clone(),
            patience: *patience,
            transport: transport.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Signs and sends `request`, again where that is worth it, and gives the answer of a status below 300.
    /// `call` is the name in errors. `limit` bounds the body in bytes.
    pub(crate) fn send(
        &self,
        service: Service,
        call: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        let call = Call { service, name: call, once: false, unsigned: false, limit };
        self.call(&call, Content::Request(request)).map_err(|trouble| trouble.error)
    }

    /// The same for what must not be done twice: it is sent again only where the service cannot have done it.
    pub(crate) fn send_once(
        &self,
        service: Service,
        call: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        let call = Call { service, name: call, once: true, unsigned: false, limit };
        self.call(&call, Content::Request(request)).map_err(|trouble| trouble.error)
    }

    /// The same as [`Client::send`], and the answer of every status that another try would not change: callers
    /// look at it themselves.
    pub(crate) fn send_any(
        &self,
        service: Service,
        call: &str,
        request: &Request<'_>,
        limit: usize,
    ) -> Result<Response, Error> {
        let call = Call { service, name: call, once: false, unsigned: false, limit };
        self.call(&call, Content::Request(request)).or_else(|trouble| match trouble.answer {
            Some(answer) if trouble.retry == Retry::Never => Ok(answer),
            _ => Err(trouble.error),
        })
    }

    /// A call of the query protocol; the answer's root element.
    pub(crate) fn query(&self, service: Service, action: &str, query: &Query) -> Result<Element, Error> {
        self.form(service, action, query, false, false)
    }

    /// The same for what must not be done twice: it is sent again only where the service cannot have done it.
    pub(crate) fn query_once(&self, service: Service, action: &str, query: &Query) -> Result<Element, Error> {
        self.form(service, action, query, true, false)
    }

    /// The same without credentials.
    pub(crate) fn query_unsigned(
        &self,
        service: Service,
        action: &str,
        query: &Query,
    ) -> Result<Element, Error> {
        self.form(service, action, query, false, true)
    }

    fn form(
        &self,
        service: Service,
        action: &str,
        query: &Query,
        once: bool,
        unsigned: bool,
    ) -> Result<Element, Error> {
        let pairs = query.call(service, action);
        let call = Call { service, name: action, once, unsigned, limit: QUERY_LIMIT };
        let answer = self.call(&call, Content::Form(&pairs)).map_err(|trouble| trouble.error)?;
        let strange = |what: String| Error::Answer { service: service.name(), call: action.to_owned(), what };
        let root = xml::parse(&answer.body).map_err(strange)?;
        if let Some(error) = refusal::hidden(service, action, answer.status, &root) {
            return Err(error);
        }
        // `RegisterImageResponse`; some of Eucalyptus' end otherwise.
        if !root.name.starts_with(action) {
            let root = refusal::short(&root.name);
            return Err(strange(format!("<{root}> in the place of <{action}Response>")));
        }
        Ok(root)
    }

    /// A call of the JSON 1.1 protocol (`X-Amz-Target`), of SSM and KMS.
    pub(crate) fn json(
        &self,
        service: Service,
        action: &str,
        input: &serde_json::Value,
    ) -> Result<serde_json::Value, Error> {
        let prefix = match service {
            Service::Kms => "TrentService",
            _ => "AmazonSSM",
        };
        let body = input.to_string();
        let request = Request {
            method: "POST",
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![
                ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target".to_owned(), format!("{prefix}.{action}")),
            ],
            body: Body::Signed(body.as_bytes()),
        };
        let answer = self.send(service, action, &request, QUERY_LIMIT)?;
        if answer.body.is_empty() {
            return Ok(serde_json::Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
            service: service.name(),
            call: action.to_owned(),
            what: format!("no JSON: {error}"),
        })
    }

    /// Tries until it ends well, or another try is not worth it.
    fn call(&self, call: &Call<'_>, content: Content<'_>) -> Result<Response, Trouble> {
        let Inner { provider, environment, patience, .. } = &*self.inner;
        let (mut failed, mut renewed) = (0_u32, false);
        loop {
            let begun = (environment.now)();
            let ended = self.attempt(call, content, begun);
            self.trace(call, failed + 1, begun, &ended);
            let trouble = match ended {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if retry::expired(&trouble.error) && !renewed && !call.unsigned {
                renewed = true;
                provider.forget();
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
    fn attempt(&self, call: &Call<'_>, content: Content<'_>, now: SystemTime) -> Result<Response, Trouble> {
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
        let credentials = match call.unsigned {
            true => None,
            false => Some(self.provider().get().map_err(Trouble::lasting)?),
        };
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
                form = match &credentials {
                    Some(credentials) if scheme == Scheme::V2 => {
                        crate::url::form(&sign::v2::sign_query(method, &url, pairs, credentials, now))
                    }
                    _ => crate::url::form(pairs),
                };
                form.as_bytes()
            }
        };
        if let Some(credentials) = &credentials {
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
                    let scope = sign::v4::Scope {
                        region: &endpoint.region,
                        service: call.service.signing_name(),
                        time: now,
                    };
                    sign::v4::sign(method, &url.text(), &headers, &payload, credentials, scope).map_err(
                        |what| {
                            Trouble::lasting(Error::Usage(format!(
                                "the call {} of {} cannot be signed: {what}",
                                call.name,
                                call.service.name()
                            )))
                        },
                    )?
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
        };
        let answer = self.transport().and_then(|transport| transport.send(&outgoing));
        let answer = answer.map_err(|failure| Trouble {
            retry: if failure.again { Retry::Again } else { Retry::Never },
            reached: failure.reached,
            after: None,
            answer: None,
            error: Error::Transport {
                service: call.service.name(),
                address: url.address(),
                what: failure.what,
            },
        })?;
        if answer.status < 300 {
            return Ok(answer);
        }
        Err(self.refused(call, method, answer, now))
    }

    fn refused(&self, call: &Call<'_>, method: &str, answer: Response, now: SystemTime) -> Trouble {
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
        Trouble {
            // What is not there at the moment has done nothing; what failed inside may have.
            reached: !(answer.status == 503 && matches!(error, Error::Service { .. })),
            retry,
            after: after.map(Duration::from_secs),
            error,
            answer: Some(answer),
        }
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

    fn trace(&self, call: &Call<'_>, number: u32, begun: SystemTime, ended: &Result<Response, Trouble>) {
        let environment = self.environment();
        let Some(trace) = environment.trace else { return };
        let took = (environment.now)().duration_since(begun).unwrap_or_default().as_millis();
        let result = match ended {
            Ok(answer) => format!("status {}", answer.status),
            Err(Trouble { error, .. }) => match error {
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
    fn lasting(error: Error) -> Self {
        Self { error, retry: Retry::Never, reached: false, after: None, answer: None }
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
