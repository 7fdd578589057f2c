use super::*;
use crate::Kind;
use crate::served::{Given, Served, ok};

fn answer(content: &str) -> Given {
    ok(format!(
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeAutoScalingGroupsResult>{content}</DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    ))
}

fn group(name: &str, instances: &str) -> String {
    format!(
        "<AutoScalingGroups><member><AutoScalingGroupName>{name}</AutoScalingGroupName>\
         <LaunchConfigurationName>lc</LaunchConfigurationName><MinSize>1</MinSize><MaxSize>3</MaxSize>\
         <DesiredCapacity>2</DesiredCapacity><AvailabilityZones><member>a</member></AvailabilityZones>\
         <Instances>{instances}</Instances></member></AutoScalingGroups>"
    )
}

const INSTANCE: &str = "<member><InstanceId>i-1</InstanceId><AvailabilityZone>a</AvailabilityZone>\
    <LifecycleState>InService</LifecycleState><HealthStatus>Healthy</HealthStatus>\
    <LaunchConfigurationName>lc</LaunchConfigurationName></member>";

#[test]
fn groups_are_read_page_by_page() {
    let first = format!("{}<NextToken>2</NextToken>", group("one", INSTANCE));
    let served = Served::new(Kind::Aws, [answer(&first), answer(&group("two", ""))]);
    let found = describe_groups(&served.client(), &["one", "two"]).unwrap();
    let expected = Group {
        name: "one".to_owned(),
        launch_configuration: Some("lc".to_owned()),
        launch_template: None,
        least: 1,
        most: 3,
        desired: 2,
        zones: vec!["a".to_owned()],
        status: None,
        instances: vec![Member {
            id: "i-1".to_owned(),
            zone: "a".to_owned(),
            state: "InService".to_owned(),
            health: "Healthy".to_owned(),
            launch_configuration: Some("lc".to_owned()),
        }],
    };
    assert_eq!(found[0], expected);
    assert_eq!((found[1].name.as_str(), found[1].instances.len()), ("two", 0));
    let sent = served.sent();
    let names = ["AutoScalingGroupNames.member.1=one", "AutoScalingGroupNames.member.2=two"];
    assert_eq!(sent[0].form(), names);
    assert_eq!(sent[1].form(), [names[0], names[1], "NextToken=2"]);
    assert!(String::from_utf8_lossy(&sent[0].body).contains("Version=2011-01-01"));
    assert!(sent[0].header("authorization").contains("/autoscaling/aws4_request"));
}

#[test]
fn answers_that_cannot_be_are_refused() {
    for content in [
        String::new(),
        group("", INSTANCE),
        group("one", &INSTANCE.replace("i-1", "i 1")),
        group("one", "").replace("<MinSize>1", "<MinSize>x"),
    ] {
        let error = describe_groups(&Served::new(Kind::Euca, [answer(&content)]).client(), &[]).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }
}
