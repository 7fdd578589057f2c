//! What a recipe promises of logins, and what breaks the promise.
//!
//! The build proves it of the image, `user-data check` of the image with user-data in it, and the agent of the
//! running machine, at every boot: all with [`Promise`].

use serde::{Deserialize, Serialize};

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Promise {
    /// Directives of sshd_config(5), keyword and value, that hold for everybody.
    pub sshd: Vec<(String, String)>,
    /// What PAM's services ask for.
    pub services: Vec<ServicePromise>,
}

/// What one service of PAM asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServicePromise {
    /// Its name below /etc/pam.d.
    pub service: String,
    /// Nobody gets through without a one-time code.
    pub code: bool,
    /// Nobody gets through without a password.
    pub password: bool,
    /// Nobody gets through at all.
    pub locked: bool,
}

/// One way in which less is asked for than promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// What is found and what it does, with file and line: one sentence.
    pub what: String,
    /// What to do.
    pub hint: String,
}
