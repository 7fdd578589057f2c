//! Eucalyptus' bootstrap service: `DescribeServiceCertificates` (as `euca-bundle-image --bootstrap-url` asks it).

use crate::CLOUD_CERTIFICATE;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::xml::Xml;

/// Answers.
pub(crate) fn handle(shared: &Shared, request: &Request) -> Answer {
    let params = Params::of(request);
    if !shared.euca() || params.peek("Action") != Some("DescribeServiceCertificates") {
        return Err(Refusal::bad("InvalidAction", "The action is not valid for this web service."));
    }
    let (usage, format) = (params.get("CertificateUsage"), params.get("Format"));
    let _ = params.get("FingerprintDigest");
    params.finish()?;
    if format.as_deref().is_some_and(|format| !format.eq_ignore_ascii_case("pem")) {
        return Err(Refusal::bad("InvalidParameterValue", "Format is pem"));
    }
    let wanted = usage.as_deref().is_none_or(|usage| usage == "image-bundling");
    let mut xml = Xml::new("DescribeServiceCertificatesResponseType", Some("http://msgs.eucalyptus.com/"));
    xml.nest("serviceCertificates", |xml| {
        if wanted {
            xml.nest("item", |xml| {
                xml.text("serviceType", "compute")
                    .text("certificateUsage", "image-bundling")
                    .text("certificateFormat", "pem")
                    .text("certificateFingerprintDigest", "SHA-256")
                    .text("certificate", CLOUD_CERTIFICATE);
            });
        }
    });
    xml.text("_return", "true");
    Ok(Response::new(200, "text/xml", xml.finish()))
}
