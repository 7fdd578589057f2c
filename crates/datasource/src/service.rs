//! Asking a metadata service: bounded in number, size and time, whatever it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hardtack_http::{Error, Limits, Method, Request, Response, Transport};

use crate::clock::Clock;
use crate::instance_id;

/// Requests of one attempt. A machine with 30 network cards on AWS needs about 900.
const MOST_REQUESTS: u32 = 6000;
/// Tries of one request, when the service breaks it off or says that it is busy.
const TRIES: u32 = 3;
/// The pause between those; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a body may take to come, once it has begun.
const BODY: Duration = Duration::from_secs(20);
/// The body of an answer that is one value.
pub(crate) const VALUE: usize = 256 << 10;
/// The body of an answer that is user-data. EC2 allows 16 KiB, Eucalyptus and OpenStack 64 KiB.
pub(crate) const USER_DATA: usize = 1 << 20;

/// Why there is no answer, in a sentence for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nobody answers, or not in time: later, perhaps.
    Away(String),
    /// Eucalyptus says that it is not ready.
    Starting(String),
    /// The name of the service has no address.
    Name(String),
    /// What comes back cannot be taken.
    Unusable(String),
    /// No more time, or nobody wants to know any more.
    Over,
}

impl Trouble {
    /// The sentence.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Away(text) | Self::Starting(text) | Self::Name(text) | Self::Unusable(text) => text.clone(),
            Self::Over => "the time is over".to_owned(),
        }
    }
}

/// What can be asked, and until when.
pub(crate) struct Service<'a> {
    /// Who sends.
    pub(crate) transport: &'a dyn Transport,
    /// Time.
    pub(crate) clock: &'a dyn Clock,
    /// Nothing is asked after this.
    pub(crate) ends: Duration,
    /// Until an answer begins.
    pub(crate) patience: Duration,
    /// True when nobody wants to know any more.
    pub(crate) stop: &'a AtomicBool,
    /// What was asked so far.
    pub(crate) requests: u32,
}

impl Service<'_> {
    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        if self.stop.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            self.ends.saturating_sub(self.clock.now())
        }
    }

    /// An answer with any status but those that say: not now.
    pub(crate) fn ask(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: usize,
    ) -> Result<Response, Trouble> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let trouble = match self.once(method, url, headers, body) {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            let again = matches!(trouble, Again::Soon(_)) && tries < TRIES && self.left() > pause;
            match trouble {
                Again::Soon(_) if again => {}
                Again::Soon(trouble) | Again::No(trouble) => return Err(trouble),
            }
            self.clock.sleep(pause);
            pause = pause.saturating_mul(2);
            tries += 1;
        }
    }

    fn once(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: usize,
    ) -> Result<Response, Again> {
        let left = self.left();
        if left.is_zero() {
            return Err(Again::No(Trouble::Over));
        }
        self.requests = self.requests.saturating_add(1);
        if self.requests > MOST_REQUESTS {
            return Err(Again::No(Trouble::Unusable(format!(
                "{url}: more than {MOST_REQUESTS} requests did not come to an end"
            ))));
        }
        let limits = Limits {
            connect: self.patience.min(left),
            total: self.patience.max(BODY).min(left),
            body,
            // What is sent with a token stays where it was sent.
            redirects: if headers.is_empty() && method == Method::Get { 3 } else { 0 },
        };
        let request = Request { method, url, headers, body: &[], limits };
        match self.transport.send(&request) {
            Ok(answer) if matches!(answer.status, 408 | 429 | 500..=599) => {
                Err(Again::Soon(Trouble::Away(format!("{url} answers with status {}", answer.status))))
            }
            Ok(answer) if answer.status == 200 && instance_id::is_not_yet(&answer.body) => Err(Again::No(
                Trouble::Starting(format!("{url} answers {}", instance_id::shown(&answer.body))),
            )),
            Ok(answer) => Ok(answer),
            Err(error @ Error::Timeout { .. }) => Err(Again::No(Trouble::Away(error.to_string()))),
            Err(error @ Error::Connection { .. }) => Err(Again::Soon(Trouble::Away(error.to_string()))),
            Err(error @ Error::Name { .. }) => Err(Again::No(Trouble::Name(error.to_string()))),
            Err(error @ (Error::Url { .. } | Error::Answer { .. })) => {
                Err(Again::No(Trouble::Unusable(error.to_string())))
            }
        }
    }

    /// What `url` has, if it has something.
    pub(crate) fn get(
        &mut self,
        url: &str,
        headers: &[(&str, &str)],
        body: usize,
    ) -> Result<Response, Trouble> {
        self.ask(Method::Get, url, headers, body)
    }
}

enum Again {
    Soon(Trouble),
    No(Trouble),
}

/// How an attempt to read a data source ended without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is there, and starts.
    Starting(String),
    /// It may be there later.
    Later(String),
    /// It will not be.
    Never(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Starting(text) => Self::Starting(text),
            other => Self::Later(other.text()),
        }
    }
}

/// What an attempt brought.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// What the data source said.
    pub(crate) found: crate::Found,
    /// What it has and could not give: a later attempt may have more luck.
    pub(crate) missing: Vec<String>,
}
