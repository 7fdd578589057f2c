//! Who may call.

/// An account with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub number: String,
    /// The key's id.
    pub key: String,
    /// The key's secret.
    pub secret: String,
}

impl Account {
    /// An account.
    pub fn new(number: &str, key: &str, secret: &str) -> Self {
        Self { number: number.to_owned(), key: key.to_owned(), secret: secret.to_owned() }
    }
}

/// A key that can sign.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    /// When it ends, in seconds.
    pub(crate) expires: Option<i64>,
}

/// Who calls, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// Empty when nobody signed.
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) region: String,
}
