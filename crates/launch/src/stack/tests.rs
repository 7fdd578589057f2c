//! Templates that people write, with user-data put in.

use serde_json::{Value as Json, json};

use super::*;
use crate::Error;

const CLUSTER: &str = "#cloud-config\ncoreos:\n  etcd:\n    discovery: https://d.example/1\n    addr: $private_ipv4:4001\n    \
                       peer-addr: $private_ipv4:7001\n  units:\n    - name: etcd.service\n      command: start\n";

/// §4: what was edited by hand, in its shape.
const BY_HAND: &str = r##"{
  "AWSTemplateFormatVersion": "2010-09-09",
  "Parameters": {
    "UserKeyPair": { "Type": "String" },
    "ClusterSize": {"Default": "3", "Type": "Number"},
    "AcctId" : { "Type": "String", "NoEcho": "true" }
  },
  "Resources": {
    "CoreOsGroup": {
      "Type": "AWS::AutoScaling::AutoScalingGroup",
      "Properties": { "LaunchConfigurationName": { "Ref": "CoreOsLaunchConfig" } }
    },
    "CoreOsLaunchConfig": {
      "Type": "AWS::AutoScaling::LaunchConfiguration",
      "Properties": {
        "KeyName": { "Ref": "UserKeyPair" },
        "UserData": { "Fn::Base64": { "Fn::Join": ["", [
          "#cloud-config\n",
          "coreos:\n"
        ]]}},
        "ImageId":   "emi-1"
      }
    }
  }
}
"##;

fn filling(user_data: &str) -> Filling {
    Filling { name: "u.yaml".to_owned(), user_data: user_data.as_bytes().to_vec(), ..Filling::default() }
}

fn rendered(template: &str, user_data: &str) -> Result<String, Error> {
    let template = Template::parse("t", template.as_bytes())?;
    Ok(render(&template, &filling(user_data))?.text)
}

fn refused(template: &str, user_data: &str) -> String {
    rendered(template, user_data).unwrap_err().to_string()
}

/// What a machine would get, with `X` for every substitution.
fn decoded(value: &Json) -> String {
    let inner = &value["Fn::Base64"];
    match inner.as_str() {
        Some(text) => text.to_owned(),
        None => {
            assert_eq!(inner["Fn::Join"][0], "");
            let item = |item: &Json| item.as_str().map_or_else(|| "X".to_owned(), str::to_owned);
            inner["Fn::Join"][1].as_array().unwrap().iter().map(item).collect()
        }
    }
}

#[test]
fn a_text_becomes_base64_and_all_else_stays_to_the_byte() {
    let text = rendered(BY_HAND, CLUSTER).unwrap();
    let (before, rest) = BY_HAND.split_once("{ \"Fn::Base64\"").unwrap();
    let (_, behind) = rest.split_once("]]}}").unwrap();
    let middle = text.strip_prefix(before).unwrap().strip_suffix(behind).unwrap();
    let value: Json = serde_json::from_str(middle).unwrap();
    assert_eq!(value, json!({"Fn::Base64": CLUSTER}));
    // What is rendered can be rendered again.
    assert_eq!(rendered(&text, CLUSTER).unwrap(), text);
}

#[test]
fn substitutions_become_items_of_a_join() {
    let user_data = CLUSTER.replace(
        "https://d.example/1",
        "https://{ \"Ref\": \"ClusterSize\" }.example/{\"Ref\":\"AWS::StackName\"}",
    );
    let json: Json = serde_json::from_str(&rendered(BY_HAND, &user_data).unwrap()).unwrap();
    let value = &json["Resources"]["CoreOsLaunchConfig"]["Properties"]["UserData"];
    let items = value["Fn::Base64"]["Fn::Join"][1].as_array().unwrap();
    assert!(
        items.contains(&json!({"Ref": "ClusterSize"})) && items.contains(&json!({"Ref": "AWS::StackName"})),
        "{items:?}"
    );
    assert_eq!(decoded(value), CLUSTER.replace("https://d.example/1", "https://X.example/X"));
}

#[test]
fn user_data_is_added_where_there_is_none() {
    for (template, at) in [
        (
            "{\"Resources\": {\"A\": {\"Type\": \"AWS::EC2::Instance\", \"Properties\": {\"ImageId\": \"x\"}}}}",
            "/Resources/A/Properties",
        ),
        (
            "{\"Resources\": {\"A\": {\"Type\": \"AWS::EC2::LaunchTemplate\",\n\"Properties\": {\"LaunchTemplateData\": {\n  \"ImageId\": \"x\"\n}}}}}",
            "/Resources/A/Properties/LaunchTemplateData",
        ),
    ] {
        let json: Json = serde_json::from_str(&rendered(template, CLUSTER).unwrap()).unwrap();
        let home = json.pointer(at).unwrap();
        assert_eq!(decoded(&home["UserData"]), CLUSTER);
        assert_eq!(home["ImageId"], "x");
    }
}

const YAML: &str = "\
# A comment.
Parameters:
  Size: {Type: Number, Default: 3}
Resources:
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: !Ref Size
      Name: !Sub \"${AWS::StackName}-x\"
  Launch:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties:
      ImageId: !If [A, b, !GetAtt Group.Arn]
      UserData: OLD
      InstanceType: m1.small # the last
Outputs:
  Zones: {Value: !Join [',', !GetAZs '']}
";

#[test]
fn yaml_keeps_its_tags_and_comments() {
    for old in [
        "!Base64 |\n        #cloud-config\n        a: b\n\n",
        "!Base64 text",
        "!Base64\n        Fn::Sub: |\n          #!/bin/sh\n          x",
        "\n        Fn::Base64: !Sub |\n          #!/bin/sh",
        "\n        Fn::Base64:\n          Fn::Join:\n            - ''\n            - - a\n              - !Ref Size",
        "{'Fn::Base64': x}",
        "!Base64\n        - a # of a list",
        "'quoted'",
        "",
    ] {
        let template = YAML.replace("OLD", old);
        for user_data in [CLUSTER.to_owned(), CLUSTER.replace("d.example", "{ \"Ref\": \"Size\" }.example")] {
            let text = rendered(&template, &user_data).unwrap();
            let (before, _) = YAML.split_once(" OLD").unwrap();
            let rest = text.strip_prefix(before).unwrap_or_else(|| panic!("{text}"));
            let (value, behind) =
                rest.split_at(rest.find("\n      InstanceType").unwrap_or_else(|| panic!("{text}")));
            assert!(
                behind
                    .ends_with("m1.small # the last\nOutputs:\n  Zones: {Value: !Join [',', !GetAZs '']}\n")
            );
            let value = value.split(" # of").next().unwrap();
            let json: Json =
                serde_json::from_str(value.trim()).unwrap_or_else(|error| panic!("{error}: {value}"));
            assert_eq!(decoded(&json), user_data.replace("{ \"Ref\": \"Size\" }", "X"));
        }
    }
    let without = YAML.replace("      UserData: OLD\n", "");
    let text = rendered(&without, CLUSTER).unwrap();
    let (line, rest) = text.split_once("UserData: ").unwrap().1.split_once('\n').unwrap();
    assert_eq!(decoded(&serde_json::from_str(line).unwrap()), CLUSTER);
    assert!(rest.starts_with("      ImageId: !If"), "{text}");
    assert!(
        refused(&YAML.replace("OLD", "*x").replace("Default: 3", "Default: &x 3"), CLUSTER).contains("alias")
    );
}

#[test]
fn the_resource_is_the_only_one_or_named() {
    let two = |first: &str, second: &str| {
        format!(
            "{{\"Resources\": {{\"Bastion\": {{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {{\"ImageId\": \"a\"{first}}}}}, \
             \"Worker\": {{\"Type\": \"AWS::EC2::Instance\", \"Properties\": {{\"ImageId\": \"b\"{second}}}}}, \
             \"Store\": {{\"Type\": \"AWS::S3::Bucket\"}}}}}}"
        )
    };
    let none = two("", "");
    let said = refused(&none, CLUSTER);
    assert!(said.contains("Bastion (AWS::EC2::Instance), Worker") && said.contains("--resource"), "{said}");
    let taker = |template: &str, wanted| Template::parse("t", template.as_bytes()).unwrap().taker(wanted);
    assert_eq!(taker(&none, Some("Worker")).unwrap(), "Worker");
    assert!(taker(&none, Some("Wroker")).unwrap_err().to_string().contains("did you mean Worker?"));
    assert!(taker(&none, Some("Store")).unwrap_err().to_string().contains("AWS::S3::Bucket, which takes no"));
    assert_eq!(taker(&two("", ", \"UserData\": \"\""), None).unwrap(), "Worker");
    assert!(taker(&two(", \"UserData\": \"\"", ", \"UserData\": \"\""), None).is_err());
    assert!(
        refused("{\"Resources\": {\"A\": {\"Type\": \"AWS::S3::Bucket\"}}}", CLUSTER)
            .contains("none of its resources")
    );
}

#[test]
fn what_names_nothing_is_told_with_its_line() {
    let said = refused(
        BY_HAND,
        "#cloud-config\nhostname: {\"Ref\": \"ClusterSiez\"}\nfqdn: {\"Ref\": \"CoreOsLaunchConfig\"}\n",
    );
    assert!(said.contains("u.yaml:2: ") && said.contains("did you mean ClusterSize?"), "{said}");
    assert!(said.contains("u.yaml:3: ") && said.contains("cannot name itself"), "{said}");
}

#[test]
fn user_data_is_checked_with_something_in_the_place_of_substitutions() {
    assert!(refused(BY_HAND, "#cloud-config\nusers: 5\n").contains("users"));
    assert!(
        refused(BY_HAND, "#cloud-config\nusers: 5\nhostname: {\"Ref\": \"ClusterSize\"}\n").contains("users")
    );
    // A number may become anything.
    let text = "#cloud-config\nusers: {\"Ref\": \"ClusterSize\"}\n";
    let template = Template::parse("t", BY_HAND.as_bytes()).unwrap();
    assert!(!render(&template, &filling(text)).unwrap().warnings.is_empty());
    let mut forced = filling("#cloud-config\nusers: 5\n");
    forced.force = true;
    assert!(!render(&template, &forced).unwrap().warnings.is_empty());
    // A secret's default is in no picture.
    let secret = BY_HAND.replace("\"NoEcho\": \"true\"", "\"NoEcho\": true, \"Default\": \"hunter2\"");
    let template = Template::parse("t", secret.as_bytes()).unwrap();
    let warnings =
        render(&template, &filling("#cloud-config\nusers: {\"Ref\": \"AcctId\"}\n")).unwrap().warnings;
    assert!(!warnings.join("").contains("hunter2"), "{warnings:?}");
}

#[test]
fn what_is_no_text_is_encoded_here_and_sizes_have_limits() {
    let long =
        format!("#cloud-config\nruncmd:\n{}", "  - [echo, aaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n".repeat(1000));
    let json: Json = serde_json::from_str(&rendered(BY_HAND, &long).unwrap()).unwrap();
    let value =
        json["Resources"]["CoreOsLaunchConfig"]["Properties"]["UserData"].as_str().unwrap().to_owned();
    assert!(value.starts_with("H4sI"), "{value}");
    let said = refused(BY_HAND, &format!("{long}hostname: {{\"Ref\": \"UserKeyPair\"}}\n"));
    assert!(said.contains("at most 16384"), "{said}");
}

#[test]
fn what_is_no_template_is_refused() {
    for (text, said) in [
        ("", "no Resources"),
        ("{}", "no Resources"),
        ("{\"Resources\": {}}", "no Resources"),
        ("{\"Resources\": {\"A\": }}", "line 1"),
        ("Resources:\n\tA: 1\n", "t:2"),
        ("Resources: [1]\n", "no Resources"),
        ("just text", "no Resources"),
    ] {
        let error = Template::parse("t", text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(Template::parse("t", b"\xff\xfe").is_err());
    assert!(
        refused("{\"Resources\": {\"A\": {\"Type\": \"AWS::EC2::Instance\"}}}", CLUSTER)
            .contains("no Properties")
    );
}

#[test]
fn parameters_are_read() {
    let template = Template::parse("t", BY_HAND.as_bytes()).unwrap();
    let parameters = template.parameters();
    assert_eq!(parameters["ClusterSize"].default.as_deref(), Some("3"));
    assert!(parameters["AcctId"].secret && parameters["UserKeyPair"].default.is_none());
    let yaml = Template::parse("t", YAML.replace("OLD", "").as_bytes()).unwrap();
    assert_eq!(yaml.parameters()["Size"].kind, "Number");
    assert!(!yaml.is_json() && template.is_json());
}
