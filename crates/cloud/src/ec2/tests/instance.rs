use super::super::*;
use super::{answer, aws, done, euca, pairs};
use crate::Error;
use crate::served::refused;

const RUNNING: &str = "<item><instanceId>i-1234567890abcdef0</instanceId><imageId>ami-1</imageId>
    <instanceState><code>16</code><name>running</name></instanceState><reason/>
    <privateIpAddress>192.168.1.88</privateIpAddress><ipAddress>54.194.252.215</ipAddress>
    <tagSet><item><key>Name</key><value>n</value></item></tagSet></item>";

fn request() -> RunInstance {
    RunInstance {
        image: "ami-1".to_owned(),
        instance_type: "t3.small".to_owned(),
        user_data: b"#!/bin/sh\n\xff".to_vec(),
        key_name: Some("me".to_owned()),
        groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        subnet: Some("subnet-1".to_owned()),
        public_address: None,
        token: "t".to_owned(),
        imds_v2: true,
        tags: pairs(&[("a", "b")]),
    }
}

#[test]
fn one_instance_is_started() {
    let pending = "<reservationId>r-1</reservationId><instancesSet><item><instanceId>i-1</instanceId>\
        <imageId>ami-1</imageId><instanceState><code>0</code><name>pending</name></instanceState></item></instancesSet>";
    let served = aws([answer("RunInstances", pending), answer("RunInstances", "<instancesSet/>")]);
    let client = served.client();
    let instance = run_instance(&client, &request()).unwrap();
    assert_eq!((instance.id.as_str(), instance.state.name.as_str()), ("i-1", "pending"));
    assert!(matches!(run_instance(&client, &request()), Err(Error::Answer { .. })));
    let expected = [
        "ImageId=ami-1",
        "MinCount=1",
        "MaxCount=1",
        "InstanceType=t3.small",
        "KeyName=me",
        "UserData=IyEvYmluL3NoCv8=",
        "SubnetId=subnet-1",
        "SecurityGroupId.1=sg-1",
        "SecurityGroupId.2=sg-2",
        "ClientToken=t",
        "MetadataOptions.HttpTokens=required",
        "MetadataOptions.HttpEndpoint=enabled",
        "TagSpecification.1.ResourceType=instance",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
        "TagSpecification.2.ResourceType=volume",
        "TagSpecification.2.Tag.1.Key=a",
        "TagSpecification.2.Tag.1.Value=b",
    ];
    assert_eq!(served.sent()[0].form(), expected);
}

#[test]
fn an_address_is_asked_for_at_the_interface() {
    let served = aws([answer("RunInstances", &format!("<instancesSet>{RUNNING}</instancesSet>"))]);
    let request = RunInstance {
        public_address: Some(true),
        user_data: Vec::new(),
        imds_v2: false,
        tags: Vec::new(),
        key_name: None,
        ..request()
    };
    run_instance(&served.client(), &request).unwrap();
    let expected = [
        "ImageId=ami-1",
        "MinCount=1",
        "MaxCount=1",
        "InstanceType=t3.small",
        "NetworkInterface.1.DeviceIndex=0",
        "NetworkInterface.1.AssociatePublicIpAddress=true",
        "NetworkInterface.1.SubnetId=subnet-1",
        "NetworkInterface.1.SecurityGroupId.1=sg-1",
        "NetworkInterface.1.SecurityGroupId.2=sg-2",
        "ClientToken=t",
    ];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn eucalyptus_tags_an_instance_afterwards() {
    let served = euca([
        answer(
            "RunInstances",
            "<instancesSet><item><instanceId>i-1</instanceId><instanceState><name>pending</name>\
            </instanceState><ipAddress>0.0.0.0</ipAddress></item></instancesSet>",
        ),
        done("CreateTags"),
    ]);
    let instance = run_instance(&served.client(), &RunInstance { subnet: None, ..request() }).unwrap();
    assert_eq!(instance.tags, pairs(&[("a", "b")]));
    assert_eq!(instance.public_address, None);
    let sent = served.sent();
    let expected = [
        "ImageId=ami-1",
        "MinCount=1",
        "MaxCount=1",
        "InstanceType=t3.small",
        "KeyName=me",
        "UserData=IyEvYmluL3NoCv8=",
        "SecurityGroupId.1=sg-1",
        "SecurityGroupId.2=sg-2",
        "ClientToken=t",
    ];
    assert_eq!(sent[0].form(), expected);
    assert_eq!(sent[1].form(), ["ResourceId.1=i-1", "Tag.1.Key=a", "Tag.1.Value=b"]);
}

#[test]
fn too_much_user_data_is_not_sent() {
    let served = aws([]);
    let request = RunInstance { user_data: vec![b'x'; 16_385], ..request() };
    let error = run_instance(&served.client(), &request).unwrap_err();
    assert!(error.to_string().contains("16385"), "{error}");
}

#[test]
fn instances_are_read_as_the_reference_shows_them() {
    let terminated = "<item><instanceId>i-2</instanceId><instanceState><code>48</code><name>terminated</name>\
        </instanceState><reason>User initiated</reason><stateReason><code>Client.InstanceInitiatedShutdown</code>\
        <message>it shut down</message></stateReason></item>";
    let list = format!(
        "<reservationSet><item><reservationId>r-1</reservationId><groupSet/><instancesSet>{RUNNING}</instancesSet></item>\
         <item><instancesSet>{terminated}</instancesSet></item></reservationSet>"
    );
    let served = aws([answer("DescribeInstances", &list)]);
    let filters = [("tag:a".to_owned(), vec!["b".to_owned()])];
    let found = describe_instances(&served.client(), &[], &filters).unwrap();
    let first = Instance {
        id: "i-1234567890abcdef0".to_owned(),
        image: "ami-1".to_owned(),
        state: InstanceState { name: "running".to_owned(), reason: None },
        public_address: Some("54.194.252.215".to_owned()),
        private_address: Some("192.168.1.88".to_owned()),
        tags: pairs(&[("Name", "n")]),
    };
    assert_eq!(found[0], first);
    assert_eq!(found[1].state.reason.as_deref(), Some("it shut down"));
    let expected = ["Filter.1.Name=tag:a", "Filter.1.Value.1=b", "MaxResults=1000"];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn an_instance_is_ended_once() {
    let served = aws([
        answer(
            "TerminateInstances",
            "<instancesSet><item><instanceId>i-1</instanceId></item></instancesSet>",
        ),
        refused("InvalidInstanceID.NotFound"),
        refused("OperationNotPermitted"),
    ]);
    let client = served.client();
    terminate_instance(&client, "i-1").unwrap();
    terminate_instance(&client, "i-1").unwrap();
    assert!(terminate_instance(&client, "i-1").unwrap_err().is("OperationNotPermitted"));
    assert_eq!(served.sent()[0].form(), ["InstanceId.1=i-1"]);
}

fn console(output: &str) -> crate::served::Given {
    answer("GetConsoleOutput", &format!("<instanceId>i-1</instanceId><timestamp/>{output}"))
}

#[test]
fn a_console_is_decoded_whatever_its_base64_looks_like() {
    for (output, expected) in [
        ("<output>TGludXgK</output>", "Linux\n"),
        ("<output>\nTGlu\r\n dXgK\n</output>", "Linux\n"),
        ("<output>TGludXg=</output>", "Linux"),
        ("<output>TGludXg</output>", "Linux"),
        ("<output>TGludXgKT</output>", "Linux\n"),
        ("<output>TGludXgK…</output>", "Linux\n"),
        ("<output/>", ""),
        ("", ""),
    ] {
        let found = console_output(&aws([console(output)]).client(), "i-1", false).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{output}");
    }
    assert!(console_output(&aws([console("<output>!!</output>")]).client(), "i-1", false).is_err());
    assert!(console_output(&aws([answer("GetConsoleOutput", "")]).client(), "i-1", false).is_err());
}

#[test]
fn the_latest_console_is_asked_for_where_there_is_one() {
    let served = aws([console(""), refused("UnsupportedOperation")]);
    let client = served.client();
    console_output(&client, "i-1", true).unwrap();
    assert!(console_output(&client, "i-1", true).unwrap_err().is("UnsupportedOperation"));
    assert_eq!(served.sent()[0].form(), ["InstanceId=i-1", "Latest=true"]);
    let served = euca([console("")]);
    console_output(&served.client(), "i-1", true).unwrap();
    assert_eq!(served.only().form(), ["InstanceId=i-1"]);
}
