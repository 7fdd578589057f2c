//! STS (API reference 2011-06-15).

use crate::account::{Caller, Key};
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::time;
use crate::xml::Xml;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let params = Params::of(request);
    if params.peek("Version") != Some("2011-06-15") {
        return Err(Refusal::bad("InvalidAction", "Could not find operation for this version"));
    }
    match route.action.as_str() {
        "GetCallerIdentity" => identity(&params, caller),
        "AssumeRole" => {
            let _ = params.get("ExternalId");
            assume(shared, &params, &route.action, &caller.account)
        }
        "AssumeRoleWithWebIdentity" => {
            let token = params.need("WebIdentityToken")?;
            if !shared.options.web_identities.contains(&token) {
                return Err(Refusal::bad("InvalidIdentityToken", "Couldn't retrieve verification key"));
            }
            assume(shared, &params, &route.action, "")
        }
        _ => Err(Refusal::bad("InvalidAction", format!("Could not find operation {}", route.action))),
    }
}

fn done(xml: &mut Xml) {
    xml.nest("ResponseMetadata", |xml| {
        xml.text("RequestId", "00000000-0000-4000-8000-000000000000");
    });
}

fn identity(params: &Params, caller: &Caller) -> Answer {
    params.finish()?;
    let mut xml = Xml::new("GetCallerIdentityResponse", Some(NAMESPACE));
    xml.nest("GetCallerIdentityResult", |xml| {
        xml.text("Arn", &caller.arn).text("UserId", "AIDACKCEVSQ6C2EXAMPLE").text("Account", &caller.account);
    });
    done(&mut xml);
    Ok(Response::new(200, "text/xml", xml.finish()))
}

/// Roles belong to an account that is here; whose name has `forbidden` in it is nobody's to take.
fn assume(shared: &Shared, params: &Params, action: &str, _caller: &str) -> Answer {
    let role = params.need("RoleArn")?;
    let session = params.need("RoleSessionName")?;
    let seconds = params.number("DurationSeconds")?.unwrap_or(3600);
    params.finish()?;
    let name = session.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=,.@-".contains(&byte));
    if !name || !(2..=64).contains(&session.len()) || !(900..=43200).contains(&seconds) {
        return Err(Refusal::bad(
            "ValidationError",
            "RoleSessionName or DurationSeconds is out of its bounds",
        ));
    }
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let ["arn", _, "iam", "", account, rest] = parts.as_slice() else {
        return Err(Refusal::bad("ValidationError", format!("{role} is invalid")));
    };
    let here = shared.options.accounts.iter().any(|have| have.number == *account);
    if !here || !rest.starts_with("role/") || rest.contains("forbidden") {
        let text = format!("User is not authorized to perform: sts:{action} on resource: {role}");
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    let arn = format!("arn:aws:sts::{account}:assumed-role/{}/{session}", rest.trim_start_matches("role/"));
    let expires = shared.now() + i64::try_from(seconds).unwrap_or(3600);
    let mut world = shared.world();
    let number = world.number();
    let id = format!("ASIA{number:016}");
    let (secret, token) = (format!("temporary+secret/{number}"), format!("session//token+{number}=="));
    let key = Key {
        account: (*account).to_owned(),
        arn: arn.clone(),
        secret: secret.clone(),
        token: Some(token.clone()),
        expires: Some(expires),
    };
    world.keys.insert(id.clone(), key);
    let mut xml = Xml::new(&format!("{action}Response"), Some(NAMESPACE));
    xml.nest(&format!("{action}Result"), |xml| {
        xml.nest("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", format!("AROAEXAMPLE:{session}")).text("Arn", &arn);
        });
        xml.nest("Credentials", |xml| {
            xml.text("AccessKeyId", &id)
                .text("SecretAccessKey", &secret)
                .text("SessionToken", &token)
                .text("Expiration", time::iso(expires).replace(".000", ""));
        });
    });
    done(&mut xml);
    Ok(Response::new(200, "text/xml", xml.finish()))
}
