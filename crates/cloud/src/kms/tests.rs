use super::*;
use crate::Kind;
use crate::served::{Given, Served, given, ok};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";

fn served(answers: impl IntoIterator<Item = Value>) -> Served {
    Served::new(Kind::Aws, answers.into_iter().map(|answer| ok(answer.to_string())))
}

fn metadata(manager: &str) -> Value {
    json!({ "KeyMetadata": {
        "AWSAccountId": "111122223333", "Arn": ARN, "KeyId": "1234abcd", "Enabled": true, "KeyManager": manager,
        "KeyState": "Enabled",
    } })
}

fn policy(statements: &Value) -> Value {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    json!({ "Policy": text, "PolicyName": "default" })
}

fn no_grants() -> Value {
    json!({ "Grants": [], "Truncated": false })
}

#[test]
fn a_key_is_described() {
    let served =
        served([metadata("CUSTOMER"), metadata("AWS"), json!({}), json!({ "KeyMetadata": { "Arn": ARN } })]);
    let client = served.client();
    let expected = Key {
        arn: ARN.to_owned(),
        managed_by_aws: false,
        state: "Enabled".to_owned(),
        account: "111122223333".to_owned(),
    };
    assert_eq!(describe_key(&client, "alias/images").unwrap(), expected);
    assert!(describe_key(&client, "alias/aws/ebs").unwrap().managed_by_aws);
    assert!(matches!(describe_key(&client, "k"), Err(Error::Answer { .. })));
    assert!(matches!(describe_key(&client, "k"), Err(Error::Answer { .. })));
    let sent = &served.sent()[0];
    assert_eq!(sent.header("x-amz-target"), "TrentService.DescribeKey");
    assert_eq!(sent.json(), json!({ "KeyId": "alias/images" }));
}

#[test]
fn grantees_come_from_all_grants_and_from_the_policy() {
    let grant = |who: &str, operations: Value| json!({ "GranteePrincipal": who, "Operations": operations });
    let statements = json!([
        { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": ["444455556666", "arn:aws:iam::777788889999:role/r"] },
          "Action": ["kms:DescribeKey", "KMS:Decr*"] },
        { "Effect": "Allow", "Principal": { "AWS": "000000000001" }, "Action": "kms:Encrypt" },
        { "Effect": "Deny", "Principal": { "AWS": "000000000002" }, "Action": "kms:*" },
        { "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "kms:*" },
        { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "kms:*", "Condition": {
            "StringEquals": { "kms:CallerAccount": "121212121212", "kms:ViaService": "ec2.eu-central-1.amazonaws.com" },
            "ForAnyValue:StringLike": { "aws:PrincipalOrgID": ["o-1", "o-2"] } } },
    ]);
    let served = served([
        metadata("CUSTOMER"),
        json!({ "Grants": [grant("arn:a", json!(["Decrypt"])), grant("arn:x", json!(["Encrypt"]))],
                "Truncated": true, "NextMarker": "m" }),
        json!({ "Grants": [grant("arn:b", json!(["Encrypt", "Decrypt"])), {}], "Truncated": false }),
        policy(&statements),
    ]);
    let found = grantees(&served.client(), "alias/images").unwrap();
    let expected = [
        "121212121212",
        "444455556666",
        "arn:a",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::777788889999:role/r",
        "arn:b",
        "o-1",
        "o-2",
    ];
    assert_eq!(found, expected);
    let sent = served.sent();
    assert_eq!(sent[1].json(), json!({ "KeyId": ARN, "Limit": 100 }));
    assert_eq!(sent[2].json(), json!({ "KeyId": ARN, "Limit": 100, "Marker": "m" }));
    assert_eq!(sent[3].json(), json!({ "KeyId": ARN, "PolicyName": "default" }));
}

#[test]
fn everybody_without_a_condition_is_everybody() {
    for principal in [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["*"] })] {
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "*" });
        let found = grantees(&served([no_grants(), policy(&statement)]).client(), ARN).unwrap();
        assert_eq!(found, ["*"]);
    }
}

#[test]
fn answers_that_cannot_be_are_refused() {
    let again = || json!({ "Grants": [], "Truncated": true, "NextMarker": "m" });
    for answers in [
        vec![json!({ "Grants": {} })],
        vec![json!({ "Grants": [], "Truncated": true })],
        vec![again(), again()],
        vec![no_grants(), json!({})],
        vec![no_grants(), json!({ "Policy": "{" })],
    ] {
        let error = grantees(&served(answers).client(), ARN).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }
    // Whatever else a policy may look like, it names nobody and nothing breaks.
    for statements in
        [json!(null), json!(7), json!([[], "x", { "Effect": "Allow" }]), json!({ "Principal": [] })]
    {
        let found = grantees(&served([no_grants(), policy(&statements)]).client(), ARN).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
    let refused: Given = given(400, r#"{"__type":"AccessDeniedException","message":"no"}"#);
    let served = Served::new(Kind::Aws, [refused]);
    assert!(grantees(&served.client(), ARN).unwrap_err().is("AccessDeniedException"));
}

#[test]
fn patterns_of_actions() {
    for fits in ["kms:decrypt", "*", "kms:*", "k*:d?crypt", "*decrypt", "**"] {
        assert!(matches(fits, DECRYPT), "{fits}");
    }
    for other in ["", "kms:", "kms:decryp", "kms:decrypt?", "ec2:*", "*x"] {
        assert!(!matches(other, DECRYPT), "{other}");
    }
}
