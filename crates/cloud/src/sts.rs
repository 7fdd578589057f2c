//! Security tokens: `GetCallerIdentity`, `AssumeRole`, `AssumeRoleWithWebIdentity`, of version 2011-06-15.
//!
//! A result lies one element deeper than EC2's: in `<GetCallerIdentityResult>`. Eucalyptus has all three.

use zeroize::Zeroizing;

use crate::call::Call;
use crate::credentials::Credentials;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service, date};

const IDENTITY: Call = Call(Service::Sts, "GetCallerIdentity");
const ASSUME: Call = Call(Service::Sts, "AssumeRole");
const ASSUME_WEB: Call = Call(Service::Sts, "AssumeRoleWithWebIdentity");

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// The ARN.
    pub arn: String,
}

/// `GetCallerIdentity`.
///
/// # Errors
/// The keys are nobody's, or have ended; no answer.
pub fn caller_identity(client: &Client) -> Result<Identity, Error> {
    let root = IDENTITY.query(client, &Query::default())?;
    let account = IDENTITY.id(&root, &["GetCallerIdentityResult", "Account"])?;
    if !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IDENTITY.wrong("Account is no number"));
    }
    let arn = IDENTITY.text(&root, &["GetCallerIdentityResult", "Arn"])?;
    Ok(Identity { account, arn: crate::call::shown_whole(arn) })
}

/// `AssumeRole`.
///
/// # Errors
/// No such role, or not for these keys; no answer.
pub fn assume_role(
    client: &Client,
    role: &str,
    session: &str,
    external_id: Option<&str>,
    seconds: Option<u32>,
) -> Result<Credentials, Error> {
    let mut query = Query::default();
    query.set("RoleArn", role).set("RoleSessionName", session);
    query.maybe("ExternalId", external_id);
    query.maybe("DurationSeconds", seconds.map(|seconds| seconds.to_string()));
    credentials(ASSUME, &ASSUME.query(client, &query)?, "AssumeRoleResult", role)
}

/// `AssumeRoleWithWebIdentity`, which is not signed: the token says who it is.
///
/// # Errors
/// No such role, or not for this token; the token has ended; no answer.
pub fn assume_role_with_web_identity(
    client: &Client,
    role: &str,
    session: &str,
    token: &str,
) -> Result<Credentials, Error> {
    let mut query = Query::default();
    query.set("RoleArn", role).set("RoleSessionName", session).set("WebIdentityToken", token);
    let root = client.query_unsigned(ASSUME_WEB.0, ASSUME_WEB.1, &query)?;
    credentials(ASSUME_WEB, &root, "AssumeRoleWithWebIdentityResult", role)
}

/// The keys in an answer. No error shows any of them.
fn credentials(call: Call, root: &Element, result: &str, role: &str) -> Result<Credentials, Error> {
    let text = |name: &str| call.text(root, &[result, "Credentials", name]);
    let end = text("Expiration")?;
    Ok(Credentials {
        id: text("AccessKeyId")?.to_owned(),
        secret: Zeroizing::new(text("SecretAccessKey")?.to_owned()),
        token: Some(Zeroizing::new(text("SessionToken")?.to_owned())),
        expires: Some(date::parse(end).ok_or_else(|| call.wrong("Expiration is no time"))?),
        origin: format!("the role {role}"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::Kind;
    use crate::served::{Served, ok};

    const ROLE: &str = "arn:aws:iam::123456789012:role/demo";

    fn answer(call: &str, result: &str) -> crate::served::Given {
        ok(format!(
            "<{call}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{call}Result>{result}</{call}Result>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{call}Response>"
        ))
    }

    fn keys(id: &str, end: &str) -> String {
        format!(
            "<AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>wJalrXUtnFEMI</SecretAccessKey><SessionToken>AQoDYXdzEPT</SessionToken>\
             <Expiration>{end}</Expiration></Credentials>"
        )
    }

    #[test]
    fn the_caller_is_told() {
        let arn = "arn:aws:iam::123456789012:user/Alice";
        let served = Served::new(
            Kind::Aws,
            [
                answer(
                    "GetCallerIdentity",
                    &format!("<Arn>{arn}</Arn><UserId>U</UserId><Account>123456789012</Account>"),
                ),
                answer("GetCallerIdentity", &format!("<Arn>{arn}</Arn><Account/>")),
                answer("GetCallerIdentity", &format!("<Arn>{arn}</Arn><Account>me</Account>")),
            ],
        );
        let client = served.client();
        let expected = Identity { account: "123456789012".to_owned(), arn: arn.to_owned() };
        assert_eq!(caller_identity(&client).unwrap(), expected);
        assert!(matches!(caller_identity(&client), Err(Error::Answer { .. })));
        assert!(matches!(caller_identity(&client), Err(Error::Answer { .. })));
        assert_eq!(
            String::from_utf8_lossy(&served.sent()[0].body),
            "Action=GetCallerIdentity&Version=2011-06-15"
        );
    }

    #[test]
    fn a_role_is_assumed() {
        let served = Served::new(Kind::Aws, [answer("AssumeRole", &keys("ASIA", "2019-11-09T13:34:41Z"))]);
        let found = assume_role(&served.client(), ROLE, "s", Some("e"), Some(900)).unwrap();
        assert_eq!((found.id.as_str(), found.secret.as_str()), ("ASIA", "wJalrXUtnFEMI"));
        assert_eq!(found.token.as_ref().map(|token| token.as_str()), Some("AQoDYXdzEPT"));
        assert_eq!(found.expires, Some(UNIX_EPOCH + Duration::from_secs(1_573_306_481)));
        assert!(found.origin.contains(ROLE));
        let role = format!("RoleArn={ROLE}");
        let sent = served.only();
        assert_eq!(sent.form(), [role.as_str(), "RoleSessionName=s", "ExternalId=e", "DurationSeconds=900"]);
        assert!(sent.header("authorization").contains("/sts/aws4_request"));
    }

    #[test]
    fn a_web_identity_is_not_signed() {
        let served = Served::new(
            Kind::Aws,
            [answer("AssumeRoleWithWebIdentity", &keys("ASIA", "2019-11-09T13:34:41Z"))],
        );
        let found = assume_role_with_web_identity(&served.client(), ROLE, "s", "eyJ.x.y").unwrap();
        assert_eq!(found.id, "ASIA");
        let sent = served.only();
        let role = format!("RoleArn={ROLE}");
        assert_eq!(sent.form(), [role.as_str(), "RoleSessionName=s", "WebIdentityToken=eyJ.x.y"]);
        assert_eq!(sent.header("authorization"), "");
    }

    #[test]
    fn broken_keys_are_refused_and_not_shown() {
        for (id, end) in [("", "2019-11-09T13:34:41Z"), ("ASIA", "tomorrow"), ("ASIA", "")] {
            let served = Served::new(Kind::Aws, [answer("AssumeRole", &keys(id, end))]);
            let error = assume_role(&served.client(), ROLE, "s", None, None).unwrap_err();
            assert!(matches!(error, Error::Answer { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("wJalr"), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("AQoDY"), "{error:?}");
        }
    }
}
