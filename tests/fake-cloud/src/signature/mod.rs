//! Whether a request is signed by somebody we know.

pub(crate) mod v2;
pub(crate) mod v4;

use sha2::{Digest as _, Sha256};

use hardtack_bundle::hex;

use crate::account::{Caller, Key};
use crate::cloud::Shared;
use crate::http::Request;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::{Service, time};

/// Seconds that a signature's date may be off.
const SKEW: i64 = 15 * 60;

/// Who signed `request`. Names of errors differ from service to service.
pub(crate) fn verify(shared: &Shared, service: Service, request: &Request) -> Result<Caller, Refusal> {
    if let Some(text) = request.header("authorization") {
        if text.starts_with("AWS4-HMAC-SHA256") {
            let header = v4::Header::parse(text).ok_or_else(|| {
                Refusal::bad("IncompleteSignature", "Authorization header requires its four parts")
            })?;
            return version_4(shared, service, request, &header);
        }
        if service == Service::S3 && text.starts_with("AWS ") {
            return version_2_object(shared, request, text);
        }
    }
    let params = Params::of(request);
    if service != Service::S3 && params.peek("SignatureVersion") == Some("2") {
        return version_2_query(shared, service, request, &params);
    }
    Err(missing(service))
}

fn version_4(
    shared: &Shared,
    service: Service,
    request: &Request,
    header: &v4::Header,
) -> Result<Caller, Refusal> {
    let date = request.header("x-amz-date").unwrap_or_default();
    let seconds = time::parse(date).ok_or_else(|| missing(service))?;
    if (seconds - shared.now()).abs() > SKEW {
        return Err(skewed(service));
    }
    let key = known(shared, service, &header.id)?;
    if !date.starts_with(&header.day) {
        return Err(mismatch(service, "the scope's day is not the date's"));
    }
    if !shared.euca() && header.service != service.scope() {
        let text = format!("Credential should be scoped to correct service: '{}'.", service.scope());
        return Err(scope(service, &text));
    }
    for (name, _) in &request.headers {
        let needed = name == "host" || (name.starts_with("x-amz-") && service.signs_headers());
        if needed && !header.signed.contains(name) {
            let text = format!("There were headers present in the request which were not signed: {name}");
            return Err(Refusal::new(403, "AccessDenied", text));
        }
    }
    let sorted = header.signed.is_sorted() && header.signed.iter().any(|name| name == "host");
    if !sorted {
        return Err(mismatch(service, "the signed headers are not in order, or without the host"));
    }
    let payload = payload(service, request)?;
    let canonical = v4::canonical(request, &header.signed, &payload, service == Service::S3);
    let mut good = v4::sign(&key.secret, header, date, &canonical) == header.signature;
    if !good && shared.euca() && service != Service::S3 {
        // Eucalyptus takes a service's path for "/", too.
        let root = Request { path: "/".to_owned(), ..request.clone() };
        let canonical = v4::canonical(&root, &header.signed, &payload, false);
        good = v4::sign(&key.secret, header, date, &canonical) == header.signature;
    }
    if !good {
        return Err(mismatch(service, "the signature is another one"));
    }
    token(shared, service, &key, request.header("x-amz-security-token"))?;
    let region = if shared.euca() { shared.options.region.clone() } else { header.region.clone() };
    Ok(Caller { account: key.account, arn: key.arn, region })
}

/// The payload's digest as it is signed, compared with the body. Streams are refused: Eucalyptus knows them in part,
/// and nobody here needs them.
fn payload(service: Service, request: &Request) -> Result<String, Refusal> {
    let digest = hex::encode(Sha256::digest(&request.body).as_slice());
    let said = match (service, request.header("x-amz-content-sha256")) {
        (Service::S3, None) => {
            let text = "Missing required header for this request: x-amz-content-sha256";
            return Err(Refusal::bad("InvalidRequest", text));
        }
        (_, None) => return Ok(digest),
        (_, Some(said)) => said,
    };
    if said == "UNSIGNED-PAYLOAD" && matches!(service, Service::S3 | Service::Ebs) {
        return Ok(said.to_owned());
    }
    if said.starts_with("STREAMING-") {
        let text = "A header you provided implies functionality that is not implemented";
        return Err(Refusal::new(501, "NotImplemented", format!("{text}: {said}")));
    }
    if said != digest {
        let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return Err(match service {
            Service::S3 => Refusal::bad("XAmzContentSHA256Mismatch", text),
            _ => mismatch(service, text),
        });
    }
    Ok(digest)
}

fn version_2_object(shared: &Shared, request: &Request, text: &str) -> Result<Caller, Refusal> {
    let service = Service::S3;
    if !shared.euca() {
        let text = "The authorization mechanism you have provided is not supported. Please use \
                    AWS4-HMAC-SHA256.";
        return Err(Refusal::bad("InvalidRequest", text));
    }
    let (id, signature) = text
        .strip_prefix("AWS ")
        .and_then(|text| text.split_once(':'))
        .ok_or_else(|| Refusal::bad("InvalidArgument", "Authorization header is invalid"))?;
    let key = known(shared, service, id)?;
    let date = request.header("x-amz-date").or_else(|| request.header("date")).unwrap_or_default();
    let seconds = time::parse_http(date).or_else(|| time::parse(date)).ok_or_else(|| missing(service))?;
    if (seconds - shared.now()).abs() > SKEW {
        return Err(skewed(service));
    }
    let below = request.path.strip_prefix("/services/objectstorage").unwrap_or(&request.path);
    let good = [request.path.as_str(), below, if below.is_empty() { "/" } else { below }]
        .iter()
        .any(|path| v2::object(&key.secret, request, path) == signature);
    if !good {
        return Err(mismatch(service, "the signature is another one"));
    }
    token(shared, service, &key, request.header("x-amz-security-token"))?;
    Ok(Caller { account: key.account, arn: key.arn, region: shared.options.region.clone() })
}

fn version_2_query(
    shared: &Shared,
    service: Service,
    request: &Request,
    params: &Params,
) -> Result<Caller, Refusal> {
    if !shared.euca() {
        return Err(Refusal::bad("InvalidParameterValue", "Signature version 2 is not supported"));
    }
    let value = |name| params.peek(name).unwrap_or_default();
    let key = known(shared, service, value("AWSAccessKeyId"))?;
    match (time::parse(value("Timestamp")), time::parse(value("Expires"))) {
        (Some(stamp), None) if (stamp - shared.now()).abs() <= SKEW => {}
        (None, Some(expires)) if expires > shared.now() => {}
        _ => return Err(skewed(service)),
    }
    let mut parameters = request.parameters();
    parameters.extend(crate::http::pairs(&String::from_utf8_lossy(&request.body), true));
    let good = [request.path.as_str(), "/"].iter().any(|path| {
        v2::query(&key.secret, request, path, &parameters, value("SignatureMethod")) == value("Signature")
    });
    if !good {
        return Err(mismatch(service, "the signature is another one"));
    }
    token(shared, service, &key, params.peek("SecurityToken"))?;
    Ok(Caller { account: key.account, arn: key.arn, region: shared.options.region.clone() })
}

fn known(shared: &Shared, service: Service, id: &str) -> Result<Key, Refusal> {
    let key = shared.world().keys.get(id).cloned();
    key.ok_or_else(|| match service {
        Service::Ec2 | Service::Bootstrap | Service::Properties => {
            Refusal::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        }
        Service::S3 => Refusal::new(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        Service::Sts | Service::CloudFormation | Service::AutoScaling => Refusal::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        Service::Ebs => Refusal::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Service::Ssm | Service::Kms => Refusal::bad(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    })
}

fn token(shared: &Shared, service: Service, key: &Key, given: Option<&str>) -> Result<(), Refusal> {
    if key.token.as_deref() != given {
        let text = "The security token included in the request is invalid.";
        return Err(match service {
            Service::S3 => {
                Refusal::bad("InvalidToken", "The provided token is malformed or otherwise invalid.")
            }
            Service::Ec2 | Service::Bootstrap | Service::Properties => Refusal::new(401, "AuthFailure", text),
            Service::Sts | Service::CloudFormation | Service::AutoScaling => {
                Refusal::new(403, "InvalidClientTokenId", text)
            }
            Service::Ebs => Refusal::new(403, "UnrecognizedClientException", text),
            Service::Ssm | Service::Kms => Refusal::bad("UnrecognizedClientException", text),
        });
    }
    if key.expires.is_some_and(|expires| expires <= shared.now()) {
        let text = "The security token included in the request is expired";
        return Err(match service {
            Service::S3 => Refusal::bad("ExpiredToken", "The provided token has expired."),
            Service::Ec2 | Service::Bootstrap | Service::Properties => Refusal::bad("RequestExpired", text),
            Service::Sts | Service::CloudFormation | Service::AutoScaling => {
                Refusal::new(403, "ExpiredToken", text)
            }
            Service::Ebs => Refusal::new(403, "ExpiredTokenException", text),
            Service::Ssm | Service::Kms => Refusal::bad("ExpiredTokenException", text),
        });
    }
    Ok(())
}

fn missing(service: Service) -> Refusal {
    match service {
        Service::S3 => Refusal::new(403, "AccessDenied", "Access Denied"),
        Service::Ec2
        | Service::Bootstrap
        | Service::Properties
        | Service::Sts
        | Service::CloudFormation
        | Service::AutoScaling => {
            Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Service::Ebs => {
            Refusal::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        Service::Ssm | Service::Kms => {
            Refusal::bad("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
    }
}

fn skewed(service: Service) -> Refusal {
    match service {
        Service::S3 => Refusal::new(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Service::Ec2 | Service::Bootstrap | Service::Properties => {
            Refusal::bad("RequestExpired", "Request has expired.")
        }
        _ => mismatch(service, "Signature expired"),
    }
}

fn scope(service: Service, text: &str) -> Refusal {
    match service {
        Service::S3 => Refusal::bad("AuthorizationHeaderMalformed", text),
        _ => mismatch(service, text),
    }
}

fn mismatch(service: Service, why: &str) -> Refusal {
    let text = format!(
        "The request signature we calculated does not match the signature you provided. Check your key and \
         signing method. ({why})"
    );
    match service {
        Service::Ebs => Refusal::new(403, "InvalidSignatureException", text),
        Service::Ssm | Service::Kms => Refusal::bad("InvalidSignatureException", text),
        _ => Refusal::new(403, "SignatureDoesNotMatch", text),
    }
}
