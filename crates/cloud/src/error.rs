//! What can go wrong with a cloud.

use std::path::{Path, PathBuf};

/// Why something did not work. Texts say where and, as far as is known, what to do; no secret is in them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that was given, or that is missing, on the command line or in the environment.
    #[error("{0}")]
    Usage(String),
    /// No credentials, or none that can be used.
    #[error("{0}")]
    Credentials(String),
    /// A file of the user's.
    #[error("{}: cannot {what}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried, as an infinitive.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// No answer.
    #[error("{service} does not answer at {address}: {what}")]
    Transport {
        /// The service's name, as `EC2`.
        service: &'static str,
        /// Scheme, host and port.
        address: String,
        /// Why.
        what: String,
    },
    /// The service says no.
    #[error("{service} refuses {call}: {message} ({code}, status {status}{}{request_id})", if request_id.is_empty() { "" } else { ", request " })]
    Service {
        /// The service's name.
        service: &'static str,
        /// The call, as `RegisterImage`.
        call: String,
        /// HTTP status.
        status: u16,
        /// The service's code of the error, as `InvalidAMIName.Duplicate`; the status' text where it gave none. Where
        /// there is a reason beside the code it stands behind a slash: `ResourceNotFoundException/SNAPSHOT_NOT_FOUND`.
        code: String,
        /// Its message.
        message: String,
        /// The request's id, for support; may be empty.
        request_id: String,
        /// An earlier try of the same call was not answered, and may have been carried out.
        lost: bool,
    },
    /// An answer that is none of this service's.
    #[error("{service} answers {call} with what is no answer to it: {what}")]
    Answer {
        /// The service's name.
        service: &'static str,
        /// The call.
        call: String,
        /// What is wrong with it.
        what: String,
    },
    /// Something in the cloud came to nothing, or did not get ready in time.
    #[error("{0}")]
    State(String),
}

impl Error {
    /// A file that cannot be used.
    pub fn file(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), what, source }
    }

    /// The service's code, where a service refused; without the reason.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code.split_once('/').map_or(code, |(code, _)| code)),
            _ => None,
        }
    }

    /// True when a service refused with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// There is no default VPC, or none of its subnets can be used: a subnet must be named. AWS says
    /// `VPCIdNotSpecified` and `MissingInput`, Eucalyptus the first.
    pub fn lacks_subnet(&self) -> bool {
        match self {
            Self::Service { message, .. } if self.is("MissingInput") => {
                message.to_ascii_lowercase().contains("subnet")
            }
            _ => ["VPCIdNotSpecified", "DefaultVpcDoesNotExist", "DefaultSubnetDoesNotExist"]
                .iter()
                .any(|code| self.is(code)),
        }
    }

    /// The reason that EBS gives beside the code, as `SNAPSHOT_NOT_FOUND`.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => code.split_once('/').map(|(_, reason)| reason),
            _ => None,
        }
    }

    /// The service has looked at the call and says no, and no try of it can have been carried out: not what passes
    /// (5xx, throttling), not a conflict with what may be this call's own, and not what is said of a call whose first answer was lost.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Service { status, lost, code, .. } => {
                let conflict = *status == 409 && code != "BucketAlreadyExists";
                let of_ours = code.contains("Duplicate") || code.contains("Idempotent");
                (400..500).contains(status)
                    && !lost
                    && !conflict
                    && !of_ours
                    && crate::retry::class(self) == crate::retry::Retry::Never
            }
            _ => false,
        }
    }

    /// The HTTP status, where a service refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service { status, .. } => Some(*status),
            _ => None,
        }
    }
}
