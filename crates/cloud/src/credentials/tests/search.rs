//! What comes before what, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::{environment, home, now};
use crate::credentials::{Credentials, Provider};
use crate::{Error, Kind, PlaceOptions};

/// Variables of the environment.
type Variables<'a> = &'a [(&'a str, &'a str)];

const CONFIG: &str = "[default]\naws_access_key_id = OFCONFIG\naws_secret_access_key = SECRET\n\
    [profile both]\naws_access_key_id = BOTHCONFIG\naws_secret_access_key = SECRET\n\
    credential_process = /bin/echo '{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": \"SECRET\"}'\n\
    [profile process]\naws_access_key_id = LATER\naws_secret_access_key = SECRET\n\
    credential_process = /bin/echo '{\"Version\": 1, \"AccessKeyId\": \"PROCESS\", \"SecretAccessKey\": \"SECRET\"}'\n\
    [profile half]\naws_access_key_id = HALF\n\
    [profile mixed]\naws_access_key_id = MIXED\n\
    [profile empty]\nregion = eu-west-1\n\
    [profile a]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n\
    [profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = a\n\
    [profile self]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = self\n\
    [profile mfa]\nrole_arn = arn:aws:iam::1:role/m\nsource_profile = both\nmfa_serial = arn:aws:iam::1:mfa/me\n\
    [profile two]\nrole_arn = arn\nsource_profile = both\ncredential_source = Environment\n\
    [profile none]\nrole_arn = arn\n\
    [profile odd]\nrole_arn = arn\ncredential_source = Moon\n\
    [profile lost]\nrole_arn = arn\nsource_profile = nowhere\n\
    [profile login]\nlogin_session = arn\n\
    [profile sso]\nsso_account_id = 1\nsso_role_name = r\nsso_session = s\n\
    [profile nosession]\nsso_account_id = 1\nsso_role_name = r\nsso_session = t\n\
    [sso-session s]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n";
const SHARED: &str = "[default]\naws_access_key_id = SHARED\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\
    [both]\naws_access_key_id = BOTH\naws_secret_access_key = SECRET\n[mixed]\naws_secret_access_key = SECRET\n";

fn find(
    kind: Kind,
    profile: &str,
    region: &str,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Credentials, Error> {
    let home = home(files);
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let options = PlaceOptions { profile: given(profile), region: given(region), ..PlaceOptions::default() };
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.replace("HOME", &home.path().display().to_string())))
        .collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
    Provider::find(kind, &options, Arc::new(environment(home.path(), &variables)), false).get()
}

fn aws(profile: &str, variables: &[(&str, &str)]) -> Result<Credentials, Error> {
    find(Kind::Aws, profile, "", variables, &[(".aws/config", CONFIG), (".aws/credentials", SHARED)])
}

const VARIABLES: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "VARIABLE"), ("AWS_SECRET_ACCESS_KEY", "SECRET")];

#[test]
fn sources_of_aws_by_precedence() {
    let rows: [(&str, Variables<'_>, &str); 10] = [
        ("", &[], "SHARED"),
        ("", &VARIABLES, "VARIABLE"),
        ("default", &VARIABLES, "SHARED"),
        ("", &[VARIABLES[0], VARIABLES[1], ("AWS_PROFILE", "both")], "VARIABLE"),
        ("", &[("AWS_ACCESS_KEY", "OLD"), ("AWS_SECRET_KEY", "SECRET")], "OLD"),
        ("", &[("AWS_PROFILE", "both")], "BOTH"),
        ("", &[("AWS_DEFAULT_PROFILE", "both")], "BOTH"),
        ("process", &[], "PROCESS"),
        ("", &[("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")], "OFCONFIG"),
        (
            "",
            &[("AWS_CONFIG_FILE", "HOME/.aws/credentials"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")],
            "SHARED",
        ),
    ];
    for (profile, variables, expected) in rows {
        let found = aws(profile, variables).unwrap();
        assert_eq!(found.id, expected, "{profile} {variables:?}");
        assert_eq!(found.token.is_some(), expected == "SHARED", "{expected}");
        let shown = format!("{found:?} {:?}", Provider::fixed(found.clone()));
        assert!(!shown.contains("SECRET") && !shown.contains("TOKEN"), "{shown}");
    }
    let file = [("keys", "AWSAccessKeyId=FILE\nAWSSecretKey=SECRET\n")];
    let found = find(Kind::Aws, "", "", &[("AWS_CREDENTIAL_FILE", "HOME/keys")], &file).unwrap();
    assert_eq!(found.id, "FILE");
}

#[test]
fn what_is_wrong_is_told_without_secrets() {
    let rows: [(&str, Variables<'_>, &[&str]); 19] = [
        ("", &VARIABLES[..1], &["AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"]),
        ("", &VARIABLES[1..], &["AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"]),
        ("half", &[], &["profile half", "aws_secret_access_key is not"]),
        ("mixed", &[], &["profile mixed of ~/.aws/credentials", "aws_access_key_id is not"]),
        ("unknown", &[], &["no profile unknown", "both"]),
        ("", &[("AWS_PROFILE", "unknown")], &["no profile unknown"]),
        ("a", &[], &["comes back to the profile a", "a, b"]),
        ("self", &[], &["comes back to the profile self"]),
        ("mfa", &[], &["arn:aws:iam::1:mfa/me", "export-credentials --profile mfa"]),
        ("two", &[], &["source_profile and credential_source"]),
        ("none", &[], &["neither source_profile"]),
        ("odd", &[], &["Moon", "EcsContainer"]),
        ("lost", &[], &["no profile nowhere"]),
        ("login", &[], &["aws login"]),
        ("sso", &[], &["nobody has signed in", "aws sso login --profile sso"]),
        ("nosession", &[], &["[sso-session t]"]),
        (
            "",
            &[VARIABLES[0], VARIABLES[1], ("AWS_CREDENTIAL_EXPIRATION", "2025-12-31T00:00:00Z")],
            &["have ended"],
        ),
        ("", &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere"), ("AWS_REGION", "a-1")], &["AWS_ROLE_ARN"]),
        ("empty", &[], &["the profile empty", "container", "--instance-metadata"]),
    ];
    for (profile, variables, said) in rows {
        let error = aws(profile, variables).unwrap_err().to_string();
        for part in said {
            assert!(error.contains(part), "{profile} {variables:?}: {part}: {error}");
        }
        assert!(!error.replace("SECRET_ACCESS_KEY", "").contains("SECRET"), "{error}");
    }
    let error = find(Kind::Aws, "", "", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("AWS_ACCESS_KEY_ID") && error.contains(".aws/credentials"), "{error}");
}

#[test]
fn sources_of_eucalyptus_by_precedence() {
    let ini = "[global]\ndefault-region = here\n[region here]\nuser = me\n[user me]\nkey-id = INI\nsecret-key = SECRET\n\
        [user you]\nkey-id = YOU\nsecret-key = SECRET\n[user half]\nsecret-key = SECRET\n";
    let files = [
        (".euca/a.ini", ini),
        (".eucarc", "export AWS_ACCESS_KEY='RC'\nexport AWS_SECRET_KEY='SECRET'\n"),
        ("keys", "AWSAccessKeyId=FILE\nAWSSecretKey=SECRET\n"),
        (".aws/credentials", SHARED),
    ];
    let rows: [(&str, &str, Variables<'_>, &str); 7] = [
        ("", "", &[], "INI"),
        ("", "", &VARIABLES, "VARIABLE"),
        ("", "", &[("AWS_CREDENTIAL_FILE", "HOME/keys")], "FILE"),
        ("", "you@here", &VARIABLES, "YOU"),
        ("", "here", &VARIABLES, "INI"),
        ("both", "", &VARIABLES, "BOTH"),
        ("", "", &[("EUCA_CONFIG_PATH", "/nowhere")], "RC"),
    ];
    for (profile, region, variables, expected) in rows {
        let found = find(Kind::Euca, profile, region, variables, &files).unwrap();
        assert_eq!(found.id, expected, "{profile} {region} {variables:?}");
    }
    let error = find(Kind::Euca, "", "half@here", &[], &files).unwrap_err().to_string();
    assert!(error.contains("[user half]") && error.contains("key-id is not"), "{error}");
    let error = find(Kind::Euca, "", "", &[], &[]).unwrap_err().to_string();
    assert!(error.contains("eucarc") && error.contains("AWS_CREDENTIAL_FILE"), "{error}");
}

/// Seconds that have passed for the provider of the next test.
static PASSED: AtomicU64 = AtomicU64::new(0);

fn later() -> SystemTime {
    now() + Duration::from_secs(PASSED.load(Ordering::SeqCst))
}

#[test]
fn keys_are_kept_and_renewed_before_they_end() {
    let home = home(&[]);
    let line = "echo x >> COUNT; echo '{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"S\", \
        \"Expiration\": \"2026-01-01T01:00:00Z\"}'";
    let count = home.path().join("count");
    let line = line.replace("COUNT", &count.display().to_string()).replace('"', "\\\"");
    let config = format!("[default]\ncredential_process = /bin/sh -c \"{line}\"\n");
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    let environment = crate::Environment { now: later, ..environment(home.path(), &[]) };
    let provider = Provider::find(Kind::Aws, &PlaceOptions::default(), Arc::new(environment), false);
    let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(provider.get().unwrap().id, "A"));
        }
    });
    assert_eq!(runs(), 1);
    PASSED.store(3299, Ordering::SeqCst);
    provider.get().unwrap();
    assert_eq!(runs(), 1);
    PASSED.store(3301, Ordering::SeqCst);
    provider.clone().get().unwrap();
    assert_eq!(runs(), 2);
    // Nothing new is to be had: the old ones do until they end.
    std::fs::remove_file(home.path().join(".aws/config")).unwrap();
    PASSED.store(3599, Ordering::SeqCst);
    assert_eq!(provider.get().unwrap().id, "A");
    PASSED.store(3600, Ordering::SeqCst);
    assert!(provider.get().is_err());
}
