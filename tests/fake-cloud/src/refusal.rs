//! Errors as each service writes them (the "Common errors" page of its API reference).

use crate::Service;
use crate::http::Response;
use crate::xml::Xml;

/// A call that is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// EBS's `Reason`.
    pub(crate) reason: Option<String>,
    /// Further headers.
    pub(crate) headers: Vec<(String, String)>,
}

/// What a handler gives.
pub(crate) type Answer = Result<Response, Refusal>;

impl Refusal {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), reason: None, headers: Vec::new() }
    }

    /// Status 400.
    pub(crate) fn bad(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer, in the service's own form.
    pub(crate) fn response(&self, service: Service, request_id: &str) -> Response {
        let mut response = match service {
            Service::Ec2 | Service::Bootstrap | Service::Properties => {
                let mut xml = Xml::new("Response", None);
                xml.nest("Errors", |xml| {
                    xml.nest("Error", |xml| {
                        xml.text("Code", &self.code).text("Message", &self.message);
                    });
                });
                xml.text("RequestID", request_id);
                Response::new(self.status, "text/xml;charset=UTF-8", xml.finish())
            }
            Service::Sts | Service::CloudFormation | Service::AutoScaling => {
                let namespace = match service {
                    Service::CloudFormation => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
                    Service::AutoScaling => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
                    _ => "https://sts.amazonaws.com/doc/2011-06-15/",
                };
                let mut xml = Xml::new("ErrorResponse", Some(namespace));
                let sender = if self.status < 500 { "Sender" } else { "Receiver" };
                xml.nest("Error", |xml| {
                    xml.text("Type", sender).text("Code", &self.code).text("Message", &self.message);
                });
                xml.text("RequestId", request_id);
                Response::new(self.status, "text/xml", xml.finish())
            }
            Service::S3 => {
                let mut xml = Xml::new("Error", None);
                xml.text("Code", &self.code).text("Message", &self.message).text("RequestId", request_id);
                Response::new(self.status, "application/xml", xml.finish())
                    .with("x-amz-request-id", request_id)
            }
            Service::Ebs => {
                let mut body = serde_json::json!({ "Message": self.message });
                if let (Some(reason), Some(body)) = (&self.reason, body.as_object_mut()) {
                    body.insert("Reason".to_owned(), reason.clone().into());
                }
                Response::new(self.status, "application/json", body.to_string())
                    .with("x-amzn-errortype", format!("{}:http://internal.amazon.com/coral/", self.code))
                    .with("x-amzn-requestid", request_id)
            }
            Service::Ssm | Service::Kms => {
                let body = serde_json::json!({ "__type": self.code, "message": self.message });
                Response::new(self.status, "application/x-amz-json-1.1", body.to_string())
                    .with("x-amzn-requestid", request_id)
            }
        };
        response.headers.extend(self.headers.iter().cloned());
        response
    }
}
