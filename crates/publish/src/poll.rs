//! Waiting for something in a cloud: pauses that grow, the state told, and what need not end it.
//!
//! Time is counted in pauses, not by the clock: the environment's clock may stand still.

use std::time::Duration;

use hardtack_cloud::{Client, Environment};

use crate::refusal::{missing, transient};
use crate::{Error, Teller};

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));
/// After so long in the same state people are told.
const STILL: Duration = Duration::from_secs(600);
/// A service that does not answer for so long ends the waiting.
const SILENCE: Duration = Duration::from_secs(1800);
/// A thing that was just made may not be known everywhere for so long: EBS' advice for snapshots is two minutes.
const UNKNOWN: Duration = Duration::from_secs(120);

/// Somebody waits.
pub struct Poll<'a> {
    environment: &'a Environment,
    tell: &'a dyn Teller,
    pause: Duration,
    state: String,
    still: Duration,
    silence: Duration,
    slept: Duration,
}

impl<'a> Poll<'a> {
    /// Nothing was waited for yet.
    pub fn new(client: &'a Client, tell: &'a dyn Teller) -> Self {
        Self::over(client.environment(), tell)
    }

    /// The same without a client.
    pub fn over(environment: &'a Environment, tell: &'a dyn Teller) -> Self {
        let zero = Duration::ZERO;
        Self {
            environment,
            tell,
            pause: PAUSES.0,
            state: String::new(),
            still: zero,
            silence: zero,
            slept: zero,
        }
    }

    /// How long it has waited in all.
    pub fn waited(&self) -> Duration {
        self.slept
    }

    /// An answer came that says what there is: waits, at most `most`, and tells nothing.
    pub fn rest(&mut self, most: Duration) {
        self.silence = Duration::ZERO;
        let next = self.pause;
        self.pause = self.pause.min(most);
        self.sleep();
        self.pause = (next * 3 / 2).min(PAUSES.1);
    }

    /// Tells the state and waits. There is no last time: a snapshot may take hours.
    pub fn pause(&mut self, state: &str) {
        self.silence = Duration::ZERO;
        if self.state != state {
            self.state = state.to_owned();
            self.still = Duration::ZERO;
        }
        let before = self.still.as_secs() / STILL.as_secs();
        self.tell.waiting(state);
        self.sleep();
        let minutes = self.still.as_secs() / 60;
        if self.still.as_secs() / STILL.as_secs() > before {
            self.tell.note(&format!(
                "{state}, and nothing has changed for {minutes} minutes; this goes on waiting, and can be ended and run \
                 again at any time"
            ));
        }
    }

    /// An answer that says nothing of the state: waits if the next may, gives the error if not.
    pub fn endure(&mut self, error: hardtack_cloud::Error) -> Result<(), Error> {
        if !transient(&error) || self.silence >= SILENCE {
            return Err(error.into());
        }
        self.silence += self.pause;
        self.tell.waiting(&format!("{error}; asked again"));
        self.sleep();
        Ok(())
    }

    fn sleep(&mut self) {
        self.still += self.pause;
        self.slept += self.pause;
        (self.environment.sleep)(self.pause);
        self.pause = (self.pause * 3 / 2).min(PAUSES.1);
    }
}

/// Patience with "there is no such thing" about something that was just made.
pub struct Fresh<'a> {
    environment: &'a Environment,
    left: Duration,
    pause: Duration,
}

impl<'a> Fresh<'a> {
    /// All of it.
    pub fn new(client: &'a Client) -> Self {
        Self::over(client.environment())
    }

    /// The same without a client.
    pub fn over(environment: &'a Environment) -> Self {
        Self { environment, left: UNKNOWN, pause: Duration::from_millis(500) }
    }

    /// No more than `most` of it.
    #[must_use]
    pub fn at_most(self, most: Duration) -> Self {
        Self { left: self.left.min(most), ..self }
    }

    /// Waits, and is true, as long as there is patience.
    pub fn again(&mut self) -> bool {
        let pause = self.pause.min(self.left);
        if pause.is_zero() {
            return false;
        }
        self.left -= pause;
        self.pause = (self.pause * 2).min(Duration::from_secs(10));
        (self.environment.sleep)(pause);
        true
    }
}

/// What `ask` finds, however long the service does not answer it; `None` when there is no such thing, and two minutes
/// later neither.
pub fn look<T>(
    client: &Client,
    tell: &dyn Teller,
    mut ask: impl FnMut() -> Result<Option<T>, hardtack_cloud::Error>,
) -> Result<Option<T>, Error> {
    let mut fresh = Fresh::new(client);
    let mut poll = Poll::new(client, tell);
    loop {
        let found = match ask() {
            Err(error) if !missing(&error) => {
                poll.endure(error)?;
                continue;
            }
            found => found.ok().flatten(),
        };
        if found.is_some() || !fresh.again() {
            return Ok(found);
        }
    }
}

/// A random part of `whole`, at least half of it.
pub fn jitter(environment: &Environment, whole: Duration) -> Duration {
    let mut random = [0];
    (environment.random)(&mut random);
    whole / 2 + whole / 2 * u32::from(random[0]) / 255
}
