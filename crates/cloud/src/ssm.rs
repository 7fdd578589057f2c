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
