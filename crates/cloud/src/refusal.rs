//! What a service says when it refuses, in all of its protocols.
//!
//! - Queries: `<Response><Errors><Error><Code/><Message/>` (EC2), `<ErrorResponse><Error>` (STS, Eucalyptus), SOAP
//!   faults (old Eucalyptus).
//! - S3: `<Error><Code/><Message/>`; nothing to `HEAD`, nor where a bucket has moved.
//! - JSON 1.1 and EBS: `x-amzn-errortype` or `__type`, `message` or `Message`, `Reason`.

use crate::transport::Response;
use crate::xml::{self, Element};
use crate::{Error, Service};

/// Messages are cut here: they are for people.
const LONGEST: usize = 1_000;

/// What a refusal holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    region: Option<String>,
}

/// The error of an answer whose status is 300 or more. `region` is the one that was asked.
pub(crate) fn error(service: Service, call: &str, method: &str, region: &str, response: &Response) -> Error {
    let mut said = if looks_like_json(response) { json(response) } else { document(&response.body) };
    let header = |name: &str| response.header(name).filter(|value| !value.is_empty()).map(str::to_owned);
    said.request_id =
        said.request_id.or_else(|| header("x-amzn-requestid")).or_else(|| header("x-amz-request-id"));
    let elsewhere = header("x-amz-bucket-region").or(said.region.take()).filter(|other| other != region);
    let known = said.code.is_some() || method == "HEAD" || elsewhere.is_some() || said.request_id.is_some();
    if !known {
        return Error::Answer { service: service.name(), call: call.to_owned(), what: strange(response) };
    }
    let mut code = said.code.unwrap_or_else(|| name(response.status));
    if let Some(reason) = said.reason {
        code = format!("{code}/{reason}");
    }
    let mut message = said.message.unwrap_or_else(|| "it does not say why".to_owned());
    if let (Service::S3, Some(other)) = (service, elsewhere)
        && (300..400).contains(&response.status) | (response.status == 400)
    {
        message = format!("the bucket is in the region {other}, not in {region}; give --region {other}");
    }
    Error::Service {
        service: service.name(),
        call: call.to_owned(),
        status: response.status,
        code: short(&code),
        message: short(&message),
        request_id: short(&said.request_id.unwrap_or_default()),
        lost: false,
    }
}

/// A status' name, spelled as codes are.
fn name(status: u16) -> String {
    let reason = ureq::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| format!("Status{status}"), |reason| reason.replace([' ', '-', '\''], ""))
}

/// An answer that no service gives: a proxy's page, mostly.
fn strange(response: &Response) -> String {
    let kind = response.header("content-type").unwrap_or("no type");
    let status = response.status;
    if response.body.is_empty() {
        return format!("status {status} and nothing else; does a proxy stand between?");
    }
    format!(
        "status {status} and {} bytes of {}; does a proxy stand between?",
        response.body.len(),
        short(kind)
    )
}

fn looks_like_json(response: &Response) -> bool {
    response.header("content-type").is_some_and(|kind| kind.contains("json"))
        || response.header("x-amzn-errortype").is_some()
        || response.body.first() == Some(&b'{')
}

fn json(response: &Response) -> Said {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| body.get(name)?.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let code =
        response.header("x-amzn-errortype").map(str::to_owned).or_else(|| text(&["__type", "code", "Code"]));
    Said {
        // `com.amazon.coral.service#Name:http://…`
        code: code.map(|code| {
            let code = code.split(':').next().unwrap_or_default();
            code.rsplit('#').next().unwrap_or_default().to_owned()
        }),
        message: text(&["message", "Message", "errorMessage"]),
        reason: text(&["Reason", "reason"]),
        ..Said::default()
    }
}

fn document(body: &[u8]) -> Said {
    let Ok(root) = xml::parse(body) else { return Said::default() };
    said(&root)
}

/// What an answer's element says, where it says that something went wrong.
fn said(root: &Element) -> Said {
    let Some(found) = refusal(root) else { return Said::default() };
    let text = |names: &[&str]| names.iter().find_map(|name| found.at(&[name])).map(str::to_owned);
    Said {
        code: text(&["Code", "faultcode"]),
        message: text(&["Message", "faultstring"]),
        reason: None,
        request_id: deep(root, &["RequestId", "RequestID"]).map(|found| found.text.clone()),
        region: text(&["Region"]),
    }
}

/// The element that has a code, wherever it lies.
fn refusal(element: &Element) -> Option<&Element> {
    if element.at(&["Code"]).or_else(|| element.at(&["faultcode"])).is_some() {
        return Some(element);
    }
    element.children.iter().find_map(refusal)
}

fn deep<'a>(element: &'a Element, names: &[&str]) -> Option<&'a Element> {
    if names.contains(&element.name.as_str()) {
        return Some(element);
    }
    element.children.iter().find_map(|child| deep(child, names))
}

/// The error inside of an answer whose status says that all is well: `<Response><Errors>`, `<ErrorResponse>`.
pub(crate) fn hidden(service: Service, call: &str, status: u16, root: &Element) -> Option<Error> {
    if !(root.name == "ErrorResponse" || root.name == "Error" || root.child("Errors").is_some()) {
        return None;
    }
    let said = said(root);
    Some(Error::Service {
        service: service.name(),
        call: call.to_owned(),
        status,
        code: short(&said.code?),
        message: short(&said.message.unwrap_or_default()),
        request_id: short(&said.request_id.unwrap_or_default()),
        lost: false,
    })
}

/// One line, not too long, without control characters: a service's words go to terminals and logs.
pub(crate) fn short(text: &str) -> String {
    let line: String =
        text.trim().chars().take(LONGEST).map(|char| if char.is_control() { ' ' } else { char }).collect();
    if text.trim().chars().nth(LONGEST).is_some() { line + "…" } else { line }
}

#[cfg(test)]
mod tests;
