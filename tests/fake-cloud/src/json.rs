//! SSM and KMS, by JSON 1.1 (API references 2014-11-06 and 2014-11-01).

use serde_json::{Value, json};

use crate::Service;
use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::world::{MasterKey, Parameter};

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    if request.header("content-type") != Some("application/x-amz-json-1.1") {
        return Err(Refusal::new(404, "UnknownOperationException", "the content type is another one"));
    }
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::bad("SerializationException", error.to_string()))?;
    let output = match (route.service, route.action.as_str()) {
        (Service::Ssm, "GetParameter") => get_parameter(shared, caller, &input),
        (Service::Ssm, "PutParameter") => put_parameter(shared, caller, &input),
        (Service::Ssm, "DeleteParameter") => delete_parameter(shared, caller, &input),
        (Service::Kms, "DescribeKey") => describe_key(shared, caller, &input),
        (Service::Kms, "ListGrants") => list_grants(shared, caller, &input),
        (Service::Kms, "GetKeyPolicy") => key_policy(shared, caller, &input),
        _ => Err(Refusal::bad("UnknownOperationException", format!("no operation {}", route.action))),
    }?;
    Ok(Response::new(200, "application/x-amz-json-1.1", output.to_string()))
}

fn text(input: &Value, name: &str) -> Result<String, Refusal> {
    let found = input.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Refusal::bad("ValidationException", format!("Value null at '{name}'")))
}

fn known(input: &Value, names: &[&str]) -> Result<(), Refusal> {
    let unknown = input.as_object().into_iter().flatten().find(|(name, _)| !names.contains(&name.as_str()));
    match unknown {
        Some((name, _)) => Err(Refusal::bad("SerializationException", format!("unknown field {name}"))),
        None => Ok(()),
    }
}

/// Public parameters are those of AWS; all others the account's.
fn owner(caller: &Caller, name: &str) -> String {
    if name.starts_with("/aws/") { String::new() } else { caller.account.clone() }
}

fn get_parameter(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["Name", "WithDecryption"])?;
    let name = text(input, "Name")?;
    let mut world = shared.world();
    let region = world.region(&caller.region);
    let found = region.parameters.get(&(owner(caller, &name), name.clone()));
    let parameter = found.ok_or_else(|| Refusal::bad("ParameterNotFound", ""))?;
    Ok(json!({"Parameter": {
        "Name": name, "Type": parameter.kind, "Value": parameter.value, "Version": parameter.version,
        "DataType": parameter.data_type, "LastModifiedDate": 1.7e9,
        "ARN": format!("arn:aws:ssm:{}:{}:parameter{name}", caller.region, caller.account),
    }}))
}

fn put_parameter(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["Name", "Value", "Type", "DataType", "Overwrite", "Description", "Tags", "Tier"])?;
    let (name, value) = (text(input, "Name")?, text(input, "Value")?);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    if name.is_empty() || name.len() > 2048 || !name.bytes().all(good) || name.starts_with("/aws") {
        return Err(Refusal::bad("ValidationException", format!("Parameter name: can't be {name}")));
    }
    let data_type = input.get("DataType").and_then(Value::as_str).unwrap_or("text").to_owned();
    let overwrite = input.get("Overwrite").and_then(Value::as_bool).unwrap_or(false);
    let mut world = shared.world();
    let region = world.region(&caller.region);
    match data_type.as_str() {
        "text" => {}
        "aws:ec2:image" if region.images.contains_key(&value) => {}
        "aws:ec2:image" => {
            let text = format!("Parameter value {value} is not a valid image in this region");
            return Err(Refusal::bad("ValidationException", text));
        }
        other => return Err(Refusal::bad("ValidationException", format!("Unsupported data type {other}"))),
    }
    let key = (caller.account.clone(), name);
    let before = region.parameters.get(&key);
    if before.is_some() && !overwrite {
        let text = "The parameter already exists. To overwrite this value, set the overwrite option.";
        return Err(Refusal::bad("ParameterAlreadyExists", text));
    }
    if before.is_some() && input.get("Tags").is_some() {
        return Err(Refusal::bad("ValidationException", "tags and overwrite can't be used together"));
    }
    let kind = match (input.get("Type").and_then(Value::as_str), before) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some(before)) => before.kind.clone(),
        (None, None) => {
            return Err(Refusal::bad(
                "ValidationException",
                "A parameter type is required when you create one.",
            ));
        }
    };
    let version = before.map_or(0, |before| before.version) + 1;
    region.parameters.insert(key, Parameter { value, kind, data_type, version });
    Ok(json!({"Version": version, "Tier": "Standard"}))
}

fn delete_parameter(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["Name"])?;
    let name = text(input, "Name")?;
    let mut world = shared.world();
    let removed = world.region(&caller.region).parameters.remove(&(caller.account.clone(), name));
    removed.map(|_| json!({})).ok_or_else(|| Refusal::bad("ParameterNotFound", ""))
}

/// A key by its ARN, id or alias.
fn find_key(shared: &Shared, caller: &Caller, input: &Value) -> Result<MasterKey, Refusal> {
    let name = text(input, "KeyId")?;
    let mut world = shared.world();
    let missing = Refusal::bad("NotFoundException", format!("Key '{name}' does not exist"));
    let alias = format!("arn:aws:kms:{}:{}:", caller.region, caller.account);
    let wanted = name.strip_prefix(&alias).filter(|rest| rest.starts_with("alias/")).unwrap_or(&name);
    let own = |key: &MasterKey| key.arn.split(':').nth(4) == Some(caller.account.as_str());
    let found = world.region(&caller.region).keys.iter().find(|key| {
        key.arn == wanted
            || (own(key) && (key.alias == wanted || key.arn.split('/').next_back() == Some(wanted)))
    });
    let key = found.cloned().ok_or(missing)?;
    if !own(&key) && !key.principals.iter().any(|have| have.contains(&caller.account)) {
        return Err(Refusal::bad(
            "AccessDeniedException",
            "The ciphertext refers to a key you cannot access",
        ));
    }
    Ok(key)
}

fn describe_key(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["KeyId", "GrantTokens"])?;
    let key = find_key(shared, caller, input)?;
    let manager = if key.managed_by_aws { "AWS" } else { "CUSTOMER" };
    Ok(json!({"KeyMetadata": {
        "AWSAccountId": key.arn.split(':').nth(4), "KeyId": key.arn.split('/').next_back(), "Arn": key.arn,
        "Enabled": key.state == "Enabled", "KeyState": key.state, "KeyManager": manager,
        "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS", "CreationDate": 1.7e9,
    }}))
}

fn list_grants(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["KeyId", "Limit", "Marker", "GranteePrincipal", "GrantId"])?;
    let name = text(input, "KeyId")?;
    if name.contains("alias/") {
        return Err(Refusal::bad("InvalidArnException", format!("Invalid keyId '{name}'")));
    }
    let key = find_key(shared, caller, input)?;
    let grants = key.grantees.iter().enumerate().map(|(index, grantee)| {
        json!({"KeyId": key.arn, "GrantId": format!("{index:064x}"), "GranteePrincipal": grantee,
               "Operations": ["Decrypt", "CreateGrant"], "IssuingAccount": caller.account})
    });
    Ok(json!({"Grants": grants.collect::<Vec<_>>(), "Truncated": false}))
}

fn key_policy(shared: &Shared, caller: &Caller, input: &Value) -> Result<Value, Refusal> {
    known(input, &["KeyId", "PolicyName"])?;
    let name = text(input, "KeyId")?;
    if name.contains("alias/") {
        return Err(Refusal::bad("InvalidArnException", format!("Invalid keyId '{name}'")));
    }
    let key = find_key(shared, caller, input)?;
    let mut principals = vec![format!("arn:aws:iam::{}:root", caller.account)];
    principals.extend(key.principals.iter().cloned());
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Allow use", "Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:*", "Resource": "*"}
    ]});
    Ok(json!({"Policy": policy.to_string(), "PolicyName": "default"}))
}
