use super::super::*;
use super::{answer, aws, euca};
use crate::served::refused;

#[test]
fn vpcs_and_subnets_are_read() {
    let served = aws([
        answer(
            "DescribeVpcs",
            "<vpcSet><item><vpcId>vpc-1</vpcId><state>available</state><cidrBlock>172.31.0.0/16</cidrBlock>\
             <isDefault>true</isDefault></item></vpcSet>",
        ),
        answer(
            "DescribeSubnets",
            "<subnetSet><item><subnetId>subnet-1</subnetId><state>available</state><vpcId>vpc-1</vpcId>\
             <cidrBlock>172.31.0.0/20</cidrBlock><availableIpAddressCount>251</availableIpAddressCount>\
             <availabilityZone>a</availabilityZone><defaultForAz>true</defaultForAz>\
             <mapPublicIpOnLaunch>false</mapPublicIpOnLaunch></item></subnetSet>",
        ),
    ]);
    let client = served.client();
    let filters = [("is-default".to_owned(), vec!["true".to_owned()])];
    let vpc = Vpc {
        id: "vpc-1".to_owned(),
        state: "available".to_owned(),
        network: "172.31.0.0/16".to_owned(),
        default: true,
        tags: Vec::new(),
    };
    assert_eq!(describe_vpcs(&client, &[], &filters).unwrap(), [vpc]);
    let subnet = Subnet {
        id: "subnet-1".to_owned(),
        state: "available".to_owned(),
        vpc: "vpc-1".to_owned(),
        zone: "a".to_owned(),
        network: "172.31.0.0/20".to_owned(),
        free: 251,
        default: true,
        public_addresses: false,
        tags: Vec::new(),
    };
    assert_eq!(describe_subnets(&client, &["subnet-1"], &[]).unwrap(), [subnet]);
    let sent = served.sent();
    let expected = ["Filter.1.Name=is-default", "Filter.1.Value.1=true", "MaxResults=1000"];
    assert_eq!(sent[0].form(), expected);
    assert_eq!(sent[1].form(), ["SubnetId.1=subnet-1"]);
}

#[test]
fn a_cloud_without_vpcs_has_none() {
    let served = euca([refused("InvalidAction"), refused("AccessDenied")]);
    let client = served.client();
    assert!(describe_vpcs(&client, &[], &[]).unwrap().is_empty());
    assert!(describe_subnets(&client, &[], &[]).is_err());
    assert!(describe_subnets(&aws([refused("InvalidAction")]).client(), &[], &[]).is_err());
}

#[test]
fn interfaces_tell_who_is_in_a_group() {
    let item = "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><status>in-use</status>\
        <interfaceType>lambda</interfaceType><requesterId>A</requesterId><description>d</description>\
        <groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet>\
        <attachment><instanceId>i-1</instanceId></attachment>\
        <tagSet><item><key>a</key><value>b</value></item></tagSet></item></networkInterfaceSet>";
    let name = "DescribeNetworkInterfaces";
    let served = aws([answer(name, item), answer(name, ""), answer(name, &item.replace("eni-1", ""))]);
    let client = served.client();
    let found = describe_interfaces(&client, &[], &[]).unwrap().remove(0);
    assert_eq!((found.id.as_str(), found.instance.as_deref()), ("eni-1", Some("i-1")));
    assert_eq!((found.kind.as_deref(), found.requester.as_deref()), (Some("lambda"), Some("A")));
    assert_eq!(found.groups[0].id, "sg-1");
    assert_eq!(found.tags.len(), 1);
    assert!(describe_interfaces(&client, &[], &[]).is_err());
    assert!(describe_interfaces(&client, &[], &[]).is_err());
}

#[test]
fn zones_are_read_as_both_clouds_write_them() {
    let served = euca([answer(
        "DescribeAvailabilityZones",
        "<availabilityZoneInfo><item><zoneName>one</zoneName><zoneState>available</zoneState>\
         <messageSet><item>m</item><item><message>n</message></item></messageSet></item>\
         <item><zoneName>|- m1.small</zoneName><zoneState>0004 / 0004   1    512     5</zoneState></item>\
         </availabilityZoneInfo>",
    )]);
    let found = describe_zones(&served.client(), &["verbose"]).unwrap();
    assert_eq!((found[0].name.as_str(), found[0].state.as_str()), ("one", "available"));
    assert_eq!(found[0].messages, ["m", "n"]);
    assert_eq!(found[1].name, "|- m1.small");
    assert_eq!(served.only().form(), ["ZoneName.1=verbose"]);
}
