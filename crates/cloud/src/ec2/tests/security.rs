use super::super::*;
use super::{answer, aws, done, euca, pairs};
use crate::served::refused;

const GROUP: &str = "<securityGroupInfo><item><ownerId>1</ownerId><groupId>sg-1</groupId><groupName>web</groupName>
    <groupDescription>d</groupDescription><vpcId>vpc-1</vpcId>
    <ipPermissions>
      <item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><groups/>
        <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item><item><cidrIp>10.0.0.0/8</cidrIp><description>in</description></item></ipRanges>
        <ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges>
        <prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item>
      <item><ipProtocol>-1</ipProtocol><groups><item><userId>2</userId><groupId>sg-2</groupId><vpcId>vpc-2</vpcId>
        <vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><peeringStatus>active</peeringStatus></item></groups></item>
    </ipPermissions>
    <ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>
    </ipPermissionsEgress><tagSet><item><key>a</key><value>b</value></item></tagSet></item></securityGroupInfo>";

fn ssh() -> Rule {
    Rule {
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        networks: vec!["192.0.2.1/32".to_owned()],
        ..Rule::default()
    }
}

#[test]
fn groups_are_read_with_all_kinds_of_sources() {
    let served = aws([answer("DescribeSecurityGroups", GROUP)]);
    let found = describe_security_groups(&served.client(), &[], &[]).unwrap().remove(0);
    let text = |text: &str| Some(text.to_owned());
    let expected = SecurityGroup {
        id: "sg-1".to_owned(),
        name: "web".to_owned(),
        description: "d".to_owned(),
        owner: "1".to_owned(),
        vpc: text("vpc-1"),
        ingress: vec![
            Rule {
                networks: vec!["0.0.0.0/0".to_owned(), "10.0.0.0/8".to_owned()],
                networks_v6: vec!["::/0".to_owned()],
                prefix_lists: vec!["pl-1".to_owned()],
                ..ssh()
            },
            Rule {
                protocol: "-1".to_owned(),
                groups: vec![RuleGroup {
                    account: text("2"),
                    id: text("sg-2"),
                    name: None,
                    vpc: text("vpc-2"),
                    peering: text("pcx-1"),
                    peering_status: text("active"),
                }],
                ..Rule::default()
            },
        ],
        egress: vec![Rule {
            protocol: "-1".to_owned(),
            networks: vec!["0.0.0.0/0".to_owned()],
            ..Rule::default()
        }],
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(found, expected);
    assert_eq!(served.only().form(), ["MaxResults=1000"]);
}

#[test]
fn rules_that_cannot_be_are_refused() {
    for (from, to) in [("<fromPort>22<", "<fromPort>ssh<"), ("tcp", ""), ("sg-1", "s g")] {
        let served = aws([answer("DescribeSecurityGroups", &GROUP.replace(from, to))]);
        assert!(describe_security_groups(&served.client(), &["sg-1"], &[]).is_err(), "{to}");
    }
}

#[test]
fn a_group_is_made_and_one_thing_let_in() {
    let served = aws([
        answer("CreateSecurityGroup", "<return>true</return><groupId>sg-1</groupId>"),
        done("AuthorizeSecurityGroupIngress"),
        refused("VPCIdNotSpecified"),
    ]);
    let client = served.client();
    let request = CreateSecurityGroup {
        name: "n".to_owned(),
        description: "d".to_owned(),
        vpc: Some("vpc-1".to_owned()),
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(create_security_group(&client, &request).unwrap(), "sg-1");
    let all = Rule {
        networks_v6: vec!["::/0".to_owned()],
        prefix_lists: vec!["pl-1".to_owned()],
        groups: vec![RuleGroup {
            account: Some("2".to_owned()),
            id: Some("sg-2".to_owned()),
            ..RuleGroup::default()
        }],
        ..ssh()
    };
    authorize_ingress(&client, "sg-1", &[all]).unwrap();
    assert!(create_security_group(&client, &request).unwrap_err().lacks_subnet());
    let sent = served.sent();
    let expected = [
        "GroupName=n",
        "GroupDescription=d",
        "VpcId=vpc-1",
        "TagSpecification.1.ResourceType=security-group",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
    ];
    assert_eq!(sent[0].form(), expected);
    let expected = [
        "GroupId=sg-1",
        "IpPermissions.1.IpProtocol=tcp",
        "IpPermissions.1.FromPort=22",
        "IpPermissions.1.ToPort=22",
        "IpPermissions.1.IpRanges.1.CidrIp=192.0.2.1/32",
        "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0",
        "IpPermissions.1.PrefixListIds.1.PrefixListId=pl-1",
        "IpPermissions.1.Groups.1.UserId=2",
        "IpPermissions.1.Groups.1.GroupId=sg-2",
    ];
    assert_eq!(sent[1].form(), expected);
}

#[test]
fn eucalyptus_tags_a_group_afterwards() {
    let made = answer("CreateSecurityGroup", "<groupId>sg-1</groupId>");
    let served = euca([made, refused("AccessDenied")]);
    let request =
        CreateSecurityGroup { tags: pairs(&[("a", "b")]), name: "n".to_owned(), ..Default::default() };
    assert_eq!(create_security_group(&served.client(), &request).unwrap(), "sg-1");
    let sent = served.sent();
    assert_eq!(sent[0].form(), ["GroupName=n", "GroupDescription="]);
    assert_eq!(sent[1].form(), ["ResourceId.1=sg-1", "Tag.1.Key=a", "Tag.1.Value=b"]);
}

#[test]
fn what_is_let_in_already_is_no_error() {
    let (name, again) = ("AuthorizeSecurityGroupIngress", || refused("InvalidPermission.Duplicate"));
    let served = aws([again(), again(), again(), done(name), refused("InvalidGroup.NotFound")]);
    let client = served.client();
    authorize_ingress(&client, "sg-1", &[ssh()]).unwrap();
    authorize_ingress(&client, "sg-1", &[ssh(), ssh()]).unwrap();
    authorize_ingress(&client, "sg-1", &[]).unwrap();
    assert!(authorize_ingress(&client, "sg-1", &[ssh()]).is_err());
    assert_eq!(served.sent().len(), 5);
}

#[test]
fn a_group_is_removed_once() {
    let served =
        aws([done("DeleteSecurityGroup"), refused("InvalidGroup.NotFound"), refused("DependencyViolation")]);
    let client = served.client();
    delete_security_group(&client, "sg-1").unwrap();
    delete_security_group(&client, "sg-1").unwrap();
    assert!(delete_security_group(&client, "sg-1").unwrap_err().is("DependencyViolation"));
    assert_eq!(served.sent()[0].form(), ["GroupId=sg-1"]);
}
