//! Signature version 4 in the `Authorization` header ("Signing AWS API requests", IAM user guide), by `aws-sigv4`.
//!
//! S3 reads the path as it is sent, and wants the body's digest in a header; all others encode the path once more
//! and take dot segments out of it.

use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign as calculate,
};
use aws_sigv4::sign::v4;

use super::Payload;
use crate::credentials::Credentials;

/// What a signature is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// The region.
    pub(crate) region: &'a str,
    /// The service's name in signatures.
    pub(crate) service: &'a str,
    /// When.
    pub(crate) time: SystemTime,
}

/// How a service reads what is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The path is encoded once more.
    pub(crate) encoded_again: bool,
    /// Dot segments and empty ones are taken out of the path.
    pub(crate) normalized: bool,
    /// The body's digest is in a header (`x-amz-content-sha256`).
    pub(crate) digest: bool,
}

impl Manner {
    /// That of a service. A body that is not signed is one only where the header says so.
    pub(crate) fn of(service: &str, payload: &Payload) -> Self {
        let s3 = service == "s3";
        Self { encoded_again: !s3, normalized: !s3, digest: s3 || *payload == Payload::Unsigned }
    }
}

/// The headers that sign `method` of `url` with `headers`, which have `host`.
///
/// # Errors
/// A clause that names no value: a header or an address that cannot be signed.
pub(crate) fn sign(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    payload: &Payload,
    credentials: &Credentials,
    scope: Scope<'_>,
    manner: Manner,
) -> Result<Vec<(String, String)>, String> {
    let mut settings = SigningSettings::default();
    if !manner.encoded_again {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
    }
    settings.uri_path_normalization_mode = UriPathNormalizationMode::from(manner.normalized);
    if manner.digest {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let keys = Keys::new(
        credentials.id.as_str(),
        credentials.secret.as_str(),
        credentials.token.as_ref().map(|token| token.as_str().to_owned()),
        None,
        "hardtack",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&keys)
        .region(scope.region)
        .name(scope.service)
        .time(scope.time)
        .settings(settings)
        .build()
        .map_err(|error| format!("nothing can be signed so: {error}"))?
        .into();
    let body = match payload {
        Payload::Digest(digest) => SignableBody::Precomputed(digest.clone()),
        Payload::Unsigned => SignableBody::UnsignedPayload,
    };
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new(method, url, headers, body)
        .map_err(|_| "its address or a header of it has characters that cannot be sent".to_owned())?;
    let (instructions, _) = calculate(request, &params)
        .map_err(|_| "its address or a header of it has characters that cannot be sent".to_owned())?
        .into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests;
