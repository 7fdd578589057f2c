//! Stacks, properties, and what is public.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_fake_cloud::{BucketOwnership, Cloud};

use crate::raw::{Answer, Ask, s3, send};

const TEMPLATE: &str = r#"{"Parameters":{"Image":{"Type":"String"},"Size":{"Type":"Number","Default":"2"}},"Resources":{
"Config":{"Type":"AWS::AutoScaling::LaunchConfiguration","Properties":{"ImageId":{"Ref":"Image"},"InstanceType":"t3.small",
"SecurityGroups":[{"Ref":"Group"}],"UserData":{"Fn::Base64":{"Fn::Join":["",["size=",{"Ref":"Size"}]]}}}},
"Nodes":{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"AvailabilityZones":{"Fn::GetAZs":""},
"LaunchConfigurationName":{"Ref":"Config"},"MinSize":"1","MaxSize":"9","DesiredCapacity":{"Ref":"Size"}}},
"Group":{"Type":"AWS::EC2::SecurityGroup","Properties":{"GroupDescription":"d","SecurityGroupIngress":[
{"IpProtocol":"tcp","FromPort":"22","ToPort":"22","CidrIp":"192.0.2.0/24"}]}}}}"#;

fn query(cloud: &Cloud, service: &str, pairs: &[(&str, &str)]) -> Answer {
    let version = if service == "cloudformation" { "2010-05-15" } else { "2011-01-01" };
    let mut body = format!("Version={version}");
    for (name, value) in pairs {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        body.push_str(&format!("&{name}={value}"));
    }
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    Ask { method: "POST", service, headers, body: body.as_bytes(), ..Ask::default() }.send(cloud)
}

fn image(cloud: &Cloud) -> String {
    let root = cloud.make_snapshot("us-east-1", "123456789012", 8, None, false, &[]);
    cloud.make_image("us-east-1", "image-n", &root, "x86_64", false)
}

fn create(cloud: &Cloud, template: &str, image: &str) -> Answer {
    let pairs = [
        ("Action", "CreateStack"),
        ("StackName", "one"),
        ("TemplateBody", template),
        ("Parameters.member.1.ParameterKey", "Image"),
        ("Parameters.member.1.ParameterValue", image),
    ];
    query(cloud, "cloudformation", &pairs)
}

fn status(cloud: &Cloud) -> String {
    let answer = query(cloud, "cloudformation", &[("Action", "DescribeStacks"), ("StackName", "one")]);
    format!("{}{}", answer.element("StackStatus"), answer.element("Code"))
}

#[test]
fn a_stack_is_made_step_by_step_and_removed() {
    let cloud = Cloud::start();
    let image = image(&cloud);
    assert_eq!(create(&cloud, "{", &image).element("Code"), "ValidationError");
    assert!(create(&cloud, TEMPLATE, "").text().contains("StackId"), "an empty value is one");
    assert_eq!(create(&cloud, TEMPLATE, &image).element("Code"), "AlreadyExistsException");
    let statuses: Vec<String> = (0..12).map(|_| status(&cloud)).collect();
    assert_eq!((statuses[0].as_str(), statuses[11].as_str()), ("CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"));
    query(&cloud, "cloudformation", &[("Action", "DeleteStack"), ("StackName", "one")]);
    assert!((0..5).any(|_| status(&cloud) == "ValidationError"));

    assert_eq!(create(&cloud, TEMPLATE, &image).status, 200);
    assert!((0..9).any(|_| status(&cloud) == "CREATE_COMPLETE"));
    let events = query(&cloud, "cloudformation", &[("Action", "DescribeStackEvents"), ("StackName", "one")]);
    assert_eq!(events.element("ResourceStatus"), "CREATE_COMPLETE", "the newest first: {}", events.text());
    let found = cloud.instances();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|instance| instance.user_data == b"size=2" && instance.groups.len() == 1));
    let groups = query(&cloud, "autoscaling", &[("Action", "DescribeAutoScalingGroups")]);
    assert_eq!(groups.element("DesiredCapacity"), "2", "{}", groups.text());
    assert!(groups.element("AutoScalingGroupName").starts_with("one-Nodes-"));
    query(&cloud, "cloudformation", &[("Action", "DeleteStack"), ("StackName", "one")]);
    assert!((0..9).any(|_| status(&cloud) == "ValidationError"));
    let left = cloud.leftovers();
    assert!(left.iter().all(|what| what.contains(" image ") || what.contains(" snapshot ")), "{left:?}");
}

#[test]
fn a_stack_that_fails_says_why() {
    let fails = Some(("Group".to_owned(), "no more groups".to_owned()));
    let cloud = Cloud::builder().with(|options| options.stack_fails = fails).start();
    let image = image(&cloud);
    create(&cloud, TEMPLATE, &image);
    assert!((0..9).any(|_| status(&cloud) == "ROLLBACK_COMPLETE"));
    let events = query(&cloud, "cloudformation", &[("Action", "DescribeStackEvents"), ("StackName", "one")]);
    assert!(events.text().contains("no more groups"), "{}", events.text());
}

#[test]
fn properties_are_the_administrators() {
    let cloud = Cloud::builder().eucalyptus().start();
    let ask = |query: &str, id: &str, secret: &str| {
        let query = format!("{query}&Version=eucalyptus");
        Ask { path: "/services/Properties", query: &query, id, secret, ..Ask::default() }.send(&cloud)
    };
    let (id, secret) = ("AKIDEXAMPLE", "secret/of+the-first+account");
    let answer = ask("Action=DescribeProperties&Property.1=loadbalancing.loadbalancer_e", id, secret);
    assert_eq!(
        (answer.element("name").as_str(), answer.element("value").as_str()),
        ("loadbalancing.loadbalancer_emi", "NULL")
    );
    let modify = "Action=ModifyPropertyValue&Name=loadbalancing.loadbalancer_emi&Value=emi-12345678";
    assert_eq!(ask(modify, "AKIDOTHER", "secret/of+the-second+account").status, 403);
    assert!(cloud.leftovers().is_empty());
    assert_eq!(ask(modify, id, secret).element("oldValue"), "NULL");
    assert_eq!(cloud.leftovers().len(), 1);
    ask("Action=ModifyPropertyValue&Name=loadbalancing.loadbalancer_emi&Reset=true", id, secret);
    assert!(cloud.leftovers().is_empty());
}

#[test]
fn what_is_public_answers_everybody() {
    let cloud = Cloud::start();
    for name in ["by-acl", "by-policy", "closed", "blocked"] {
        cloud.make_bucket(name, BucketOwnership::Writer);
        for key in ["a", "b"] {
            assert_eq!(s3(&cloud, "PUT", &format!("/{name}/{key}"), &[], b"hello").status, 200);
        }
    }
    cloud.make_public("by-acl", None);
    cloud.make_public("by-acl", Some("a"));
    cloud.make_public_by_policy("by-policy", true, false);
    cloud.make_public("blocked", Some("a"));
    cloud.block_public_buckets("blocked");
    let host = [("host".to_owned(), cloud.url().trim_start_matches("http://").to_owned())];
    let statuses = |bucket: &str| {
        ["", "/a", "/b", "/c"].map(|key| send(&cloud, "GET", &format!("/{bucket}{key}"), &host, b"").status)
    };
    assert_eq!(statuses("by-acl"), [200, 200, 403, 404]);
    assert_eq!(statuses("by-policy"), [403, 200, 200, 403]);
    assert_eq!(statuses("closed"), [403; 4]);
    assert_eq!(statuses("blocked"), [403; 4]);
    assert_eq!(statuses("nowhere"), [404; 4]);
    assert_eq!(send(&cloud, "HEAD", "/by-acl/a", &host, b"").status, 200);
    assert_eq!(send(&cloud, "PUT", "/by-acl/a", &host, b"").status, 403);
    assert_eq!(STANDARD.encode(send(&cloud, "GET", "/by-acl/a", &host, b"").body), STANDARD.encode("hello"));
}
