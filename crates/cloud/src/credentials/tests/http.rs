//! Sources that are asked over HTTP.

use std::sync::Arc;

use super::server::Server;
use super::{environment, home};
use crate::credentials::{Credentials, Provider};
use crate::{Error, Kind, PlaceOptions};

const KEYS: &str = r#"{"Code": "Success", "AccessKeyId": "AKID", "SecretAccessKey": "SECRET", "Token": "TOKEN",
    "Expiration": "2026-01-01T06:00:00Z"}"#;

fn find(
    kind: Kind,
    machine: bool,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Credentials, Error> {
    let home = home(files);
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.replace("HOME", &home.path().display().to_string())))
        .collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    let environment = Arc::new(environment(home.path(), &variables));
    Provider::find(kind, &PlaceOptions::default(), environment, machine).get()
}

#[test]
fn a_container() {
    let server = Server::start(|request| {
        if request.contains("authorization: token of the file\r\n") && request.starts_with("GET /keys?id=1 ")
        {
            (200, KEYS.to_owned())
        } else {
            (403, r#"{"code": "AccessDenied", "message": "go away"}"#.to_owned())
        }
    });
    let url = format!("{}/keys?id=1", server.url);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "HOME/token"),
    ];
    let found = find(Kind::Aws, false, &variables, &[("token", "token of the file\n")]).unwrap();
    assert_eq!((&*found.id, &**found.secret), ("AKID", "SECRET"));
    assert!(found.expires.is_some() && found.token.is_some());
    let error = find(Kind::Aws, false, &variables[..1], &[]).unwrap_err().to_string();
    assert!(error.contains("status 403") && error.contains("go away"), "{error}");
    let bad = [variables[0], ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nSECRET: b")];
    let error = find(Kind::Aws, false, &bad, &[]).unwrap_err().to_string();
    assert!(error.contains("line breaks") && !error.contains("SECRET"), "{error}");
}

#[test]
fn what_fails_for_a_moment_is_asked_again_and_no_answer_is_shown() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => (500, String::new()),
        1 => (429, String::new()),
        2 => (200, KEYS.to_owned()),
        _ => (200, r#"{"AccessKeyId": "AKID", "SecretAccessKey": ["SECRET"]}"#.to_owned()),
    });
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*server.url)];
    assert_eq!(find(Kind::Aws, false, &variables, &[]).unwrap().id, "AKID");
    let error = find(Kind::Aws, false, &variables, &[]).unwrap_err().to_string();
    assert!(error.contains("without SecretAccessKey") && !error.contains("\"SECRET\""), "{error}");
}

#[test]
fn the_machine_only_when_it_is_asked_for() {
    let server = Server::start(|request| {
        let with_token = request.contains("x-aws-ec2-metadata-token: t0ken\r\n");
        match request.split(' ').nth(1).unwrap() {
            "/latest/api/token" if request.contains("token-ttl-seconds: 21600") => (200, "t0ken".to_owned()),
            "/latest/meta-data/iam/security-credentials/" if with_token => (200, "my-role".to_owned()),
            "/latest/meta-data/iam/security-credentials/my-role" if with_token => (200, KEYS.to_owned()),
            _ => (401, String::new()),
        }
    });
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*server.url)];
    let error = find(Kind::Aws, false, &variables, &[]).unwrap_err().to_string();
    assert!(error.contains("--instance-metadata"), "{error}");
    assert!(server.asked().is_empty());
    let found = find(Kind::Aws, true, &variables, &[]).unwrap();
    assert_eq!((&*found.id, &*found.origin), ("AKID", "the machine's role my-role"));
    assert!(server.asked()[0].starts_with("PUT "));
    let off = [variables[0], ("AWS_EC2_METADATA_DISABLED", "TRUE")];
    let error = find(Kind::Aws, true, &off, &[]).unwrap_err().to_string();
    assert!(error.contains("AWS_EC2_METADATA_DISABLED"), "{error}");
}

#[test]
fn a_machine_of_eucalyptus_has_no_tokens() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/latest/meta-data/iam/security-credentials/" => (200, "r\n".to_owned()),
        "/latest/meta-data/iam/security-credentials/r" => (200, KEYS.to_owned()),
        _ => (404, String::new()),
    });
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*server.url)];
    assert_eq!(find(Kind::Euca, true, &variables, &[]).unwrap().id, "AKID");
    assert!(find(Kind::Aws, true, &variables, &[]).is_err());
}

const SSO: &str = "[default]\nsso_account_id = 123\nsso_role_name = a b\nsso_session = my\n\
    [sso-session my]\nsso_start_url = https://x/start\nsso_region = eu-west-1\n\
    [profile old]\nsso_account_id = 123\nsso_role_name = a b\nsso_start_url = https://x/start\nsso_region = eu-west-1\n";
/// SHA-1 of `my`, and of `https://x/start`.
const CACHE: [&str; 2] = [
    ".aws/sso/cache/3ece1471f44f63177cbc35ba0b904e0c096b6783.json",
    ".aws/sso/cache/f9bd89c67fef27fcb5df8d2e4b64eabe5bae45a4.json",
];

fn token(end: &str) -> String {
    format!(r#"{{"accessToken": "t0ken", "expiresAt": "{end}", "region": "eu-west-1"}}"#)
}

#[test]
fn single_sign_on() {
    let server = Server::start(|request| {
        if request.starts_with("GET /federation/credentials?role_name=a%20b&account_id=123 ")
            && request.contains("x-amz-sso_bearer_token: t0ken\r\n")
        {
            let keys = r#"{"accessKeyId": "AKID", "secretAccessKey": "SECRET", "sessionToken": "T",
                "expiration": 1767247200000}"#;
            (200, format!(r#"{{"roleCredentials": {keys}}}"#))
        } else {
            (401, r#"{"message": "Session token not found or invalid"}"#.to_owned())
        }
    });
    let variables = [("AWS_ENDPOINT_URL_SSO", &*server.url), ("AWS_PROFILE", "old")];
    let good = token("2026-01-01T00:00:01Z");
    for (file, variables) in CACHE.iter().zip([&variables[..1], &variables[..]]) {
        let found = find(Kind::Aws, false, variables, &[(".aws/config", SSO), (file, &good)]).unwrap();
        assert_eq!(found.id, "AKID");
        assert_eq!(found.expires, Some(super::now() + std::time::Duration::from_secs(21_600)));
    }
    let ended = token("2026-01-01T00:00:00UTC");
    let wrong = good.replace("t0ken", "other");
    for (text, said) in [(&*ended, "too long ago"), ("{", "no token"), (&*wrong, "does not take its token")] {
        let files = [(".aws/config", SSO), (CACHE[0], text)];
        let error = find(Kind::Aws, false, &variables[..1], &files).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("aws sso login --profile default"), "{error}");
        assert!(!error.contains("t0ken"), "{error}");
    }
}

#[test]
fn a_session_of_single_sign_on_is_renewed() {
    use std::os::unix::fs::PermissionsExt as _;
    let oidc = Server::start(|request| {
        let good = request.starts_with("POST /token ")
            && [
                "refresh_token",
                "\"clientId\":\"c\"",
                "\"clientSecret\":\"s3cret\"",
                "\"refreshToken\":\"r1\"",
            ]
            .iter()
            .all(|part| request.contains(part));
        match good {
            true => (200, r#"{"accessToken": "n3w", "expiresIn": 3600, "refreshToken": "r2"}"#.to_owned()),
            false => (400, r#"{"error": "invalid_grant"}"#.to_owned()),
        }
    });
    let portal = Server::start(|request| {
        let keys = r#"{"accessKeyId": "AKID", "secretAccessKey": "SECRET", "sessionToken": "T",
            "expiration": 1767247200000}"#;
        match request.contains("x-amz-sso_bearer_token: n3w\r\n") {
            true => (200, format!(r#"{{"roleCredentials": {keys}}}"#)),
            false => (401, String::new()),
        }
    });
    let cache = r#"{"accessToken": "t0ken", "expiresAt": "2025-12-31T23:00:00Z", "clientId": "c",
        "clientSecret": "s3cret", "refreshToken": "r1", "registrationExpiresAt": "2026-02-01T00:00:00Z"}"#;
    let home = home(&[(".aws/config", SSO), (CACHE[0], cache)]);
    let variables = [("AWS_ENDPOINT_URL_SSO", &*portal.url), ("AWS_ENDPOINT_URL_SSO_OIDC", &*oidc.url)];
    let environment = Arc::new(environment(home.path(), &variables));
    let get = || Provider::find(Kind::Aws, &PlaceOptions::default(), environment.clone(), false).get();
    assert_eq!(get().unwrap().id, "AKID");
    let path = home.path().join(CACHE[0]);
    let kept = std::fs::read_to_string(&path).unwrap();
    for part in ["\"n3w\"", "\"r2\"", "2026-01-01T01:00:00Z", "s3cret"] {
        assert!(kept.contains(part), "{part}: {kept}");
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    get().unwrap();
    assert_eq!(oidc.asked().len(), 1);
    for (from, to) in [("r1", "r0"), ("2026-02-01", "2025-12-01")] {
        std::fs::write(&path, cache.replace(from, to)).unwrap();
        let error = get().unwrap_err().to_string();
        assert!(error.contains("too long ago") && error.contains("aws sso login"), "{error}");
    }
}

fn sts(request: &str) -> (u16, String) {
    let (call, id) = if request.contains("Action=AssumeRoleWithWebIdentity") {
        ("AssumeRoleWithWebIdentity", "WEB".to_owned())
    } else {
        // Whose keys signed it, to see chains.
        let signer =
            request.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or("-");
        ("AssumeRole", format!("ROLE.OF.{signer}"))
    };
    let keys = format!(
        "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>SECRET</SecretAccessKey><SessionToken>T</SessionToken>\
         <Expiration>2026-01-01T01:00:00Z</Expiration>"
    );
    (
        200,
        format!(
            "<{call}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{call}Result><Credentials>{keys}\
         </Credentials></{call}Result></{call}Response>"
        ),
    )
}

#[test]
fn roles_and_chains_of_them() {
    let config = "[default]\nregion = eu-west-1\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n\
        external_id = ext\nduration_seconds = 900\nrole_session_name = me\n\
        [profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = keys\n\
        [profile keys]\naws_access_key_id = BASE\naws_secret_access_key = SECRET\n\
        [profile variables]\nrole_arn = arn:aws:iam::1:role/v\ncredential_source = Environment\n\
        [profile own]\nrole_arn = arn:aws:iam::1:role/o\nsource_profile = own\n\
        aws_access_key_id = OWN\naws_secret_access_key = SECRET\n";
    let server = Server::start(sts);
    let files = [(".aws/config", config)];
    let endpoint = ("AWS_ENDPOINT_URL_STS", &*server.url);
    let region = ("AWS_REGION", "eu-west-1");
    let found = find(Kind::Aws, false, &[endpoint], &files).unwrap();
    assert_eq!(found.id, "ROLE.OF.ROLE.OF.BASE");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for part in ["ExternalId=ext", "DurationSeconds=900", "RoleSessionName=me", "role%2Fa"] {
        assert!(asked[1].contains(part), "{part}: {}", asked[1]);
    }
    assert!(asked[0].contains("role%2Fb") && asked[0].contains("RoleSessionName=hardtack-"), "{}", asked[0]);
    let own = [endpoint, region, ("AWS_PROFILE", "own")];
    assert_eq!(find(Kind::Aws, false, &own, &files).unwrap().id, "ROLE.OF.OWN");
    let variables = [endpoint, region, ("AWS_PROFILE", "variables")];
    assert!(find(Kind::Aws, false, &variables, &files).unwrap_err().to_string().contains("Environment"));
}

#[test]
fn a_web_identity_token_of_the_environment_and_of_a_profile() {
    let server = Server::start(sts);
    let shared = "[default]\naws_access_key_id = LATER\naws_secret_access_key = SECRET\n";
    let config =
        "[profile web]\nrole_arn = arn:aws:iam::1:role/p\nweb_identity_token_file = ~/token\nregion = a-1\n";
    let files = [("token", "eyJ.x.y\n"), (".aws/credentials", shared), (".aws/config", config)];
    let variables = [
        ("AWS_ENDPOINT_URL_STS", &*server.url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "HOME/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/e"),
        ("AWS_ROLE_SESSION_NAME", "runner"),
    ];
    assert_eq!(find(Kind::Aws, false, &variables, &files).unwrap().id, "WEB");
    let profile = [variables[0], ("AWS_PROFILE", "web")];
    assert_eq!(find(Kind::Aws, false, &profile, &files).unwrap().id, "WEB");
    let asked = server.asked();
    for part in ["WebIdentityToken=eyJ.x.y", "RoleSessionName=runner", "role%2Fe"] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    assert!(asked[1].contains("role%2Fp"));
    assert!(asked.iter().all(|request| !request.contains("authorization:")));
    let missing = [variables[0], variables[1], ("AWS_WEB_IDENTITY_TOKEN_FILE", "HOME/none"), variables[3]];
    let error = find(Kind::Aws, false, &missing, &files).unwrap_err().to_string();
    assert!(error.contains("none") && error.contains("web identity token"), "{error}");
    let empty = find(Kind::Aws, false, &variables, &[("token", "\n")]).unwrap_err().to_string();
    assert!(empty.contains("no web identity token"), "{empty}");
}
