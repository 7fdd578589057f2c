//! Parameters of Systems Manager: `GetParameter`, `PutParameter`, `DeleteParameter`. Only AWS has them.

use serde_json::json;

use crate::call::Call;
use crate::{Client, Error, Service};

const GET: Call = Call(Service::Ssm, "GetParameter");
const PUT: Call = Call(Service::Ssm, "PutParameter");
const DELETE: Call = Call(Service::Ssm, "DeleteParameter");

/// `GetParameter`: its value, `None` where there is no such parameter. Those under `/aws/service` are everybody's.
/// A `SecureString` is not decrypted: no id of an image is one.
///
/// # Errors
/// No right to read it; no answer.
pub fn get_parameter(client: &Client, name: &str) -> Result<Option<String>, Error> {
    let answer = match GET.json(client, &json!({ "Name": name })) {
        Err(error) if error.is("ParameterNotFound") || error.is("ParameterVersionNotFound") => {
            return Ok(None);
        }
        other => other?,
    };
    let parameter = answer.get("Parameter").ok_or_else(|| GET.wrong("Parameter is missing"))?;
    GET.json_text(parameter, "Value").map(|value| Some(value.to_owned()))
}

/// `PutParameter`, over what was there. `image`: the service checks that it is an image's id (`aws:ec2:image`).
/// That check goes on after the call: an id that is none is never to be read.
///
/// # Errors
/// No right to write it; a name or value that cannot be; no answer.
pub fn put_parameter(client: &Client, name: &str, value: &str, image: bool) -> Result<(), Error> {
    let mut input = json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
    if let (true, Some(fields)) = (image, input.as_object_mut()) {
        fields.insert("DataType".to_owned(), "aws:ec2:image".into());
    }
    let answer = PUT.json(client, &input)?;
    PUT.json_number(&answer, "Version").map(drop)
}

/// `DeleteParameter`. One that is gone already is no error.
///
/// # Errors
/// No right to do it; no answer.
pub fn delete_parameter(client: &Client, name: &str) -> Result<(), Error> {
    match DELETE.json(client, &json!({ "Name": name })) {
        Err(error) if error.is("ParameterNotFound") => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::served::{Served, given, ok};

    fn refused(code: &str) -> crate::served::Given {
        given(400, json!({ "__type": code, "message": "no" }).to_string())
    }

    #[test]
    fn a_parameter_is_read() {
        let found = json!({ "Parameter": { "Name": "/aws/service/x", "Type": "String", "Value": "ami-1", "Version": 3 } });
        let served = Served::new(
            Kind::Aws,
            [
                ok(found.to_string()),
                refused("ParameterNotFound"),
                refused("com.amazonaws.ssm#ParameterVersionNotFound"),
                refused("AccessDeniedException"),
                ok(r#"{"Parameter":{"Name":"x"}}"#),
                ok("{}"),
                ok("[]"),
                ok("<html/>"),
            ],
        );
        let client = served.client();
        assert_eq!(get_parameter(&client, "/aws/service/x").unwrap().as_deref(), Some("ami-1"));
        assert_eq!(get_parameter(&client, "x").unwrap(), None);
        assert_eq!(get_parameter(&client, "x:9").unwrap(), None);
        assert!(get_parameter(&client, "x").unwrap_err().is("AccessDeniedException"));
        for _ in 0..4 {
            let error = get_parameter(&client, "x").unwrap_err();
            assert!(
                matches!(error, Error::Answer { .. }) && error.to_string().contains("GetParameter"),
                "{error}"
            );
        }
        let sent = &served.sent()[0];
        assert_eq!(sent.header("x-amz-target"), "AmazonSSM.GetParameter");
        assert_eq!(sent.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(sent.json(), json!({ "Name": "/aws/service/x" }));
    }

    #[test]
    fn a_parameter_is_written_and_removed() {
        let served = Served::new(
            Kind::Aws,
            [
                ok(r#"{"Version":1,"Tier":"Standard"}"#),
                ok(r#"{"Version":2}"#),
                ok("{}"),
                ok("{}"),
                refused("ParameterNotFound"),
                refused("AccessDeniedException"),
            ],
        );
        let client = served.client();
        put_parameter(&client, "/images/x", "ami-1", true).unwrap();
        put_parameter(&client, "/images/x", "v1", false).unwrap();
        assert!(matches!(put_parameter(&client, "/images/x", "v1", false), Err(Error::Answer { .. })));
        delete_parameter(&client, "/images/x").unwrap();
        delete_parameter(&client, "/images/x").unwrap();
        assert!(delete_parameter(&client, "/images/x").is_err());
        let sent = served.sent();
        let expected = json!({
            "Name": "/images/x", "Value": "ami-1", "Type": "String", "Overwrite": true, "DataType": "aws:ec2:image",
        });
        assert_eq!(sent[0].json(), expected);
        assert_eq!(
            sent[1].json(),
            json!({ "Name": "/images/x", "Value": "v1", "Type": "String", "Overwrite": true })
        );
        assert_eq!(sent[3].json(), json!({ "Name": "/images/x" }));
        assert_eq!(sent[3].header("x-amz-target"), "AmazonSSM.DeleteParameter");
    }
}
