//! `hardtack audit`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::server::Moto;

const ACCOUNT: &str = "\
vpc = ec2.describe_vpcs()['Vpcs'][0]['VpcId']
def group(name): return ec2.create_security_group(GroupName=name, Description='of '+name, VpcId=vpc)['GroupId']
web, app, old = group('web'), group('app \"<1>'), group('old')
ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[
    dict(IpProtocol='tcp', FromPort=22, ToPort=22, IpRanges=[dict(CidrIp='0.0.0.0/1'), dict(CidrIp='128.0.0.0/1')]),
    dict(IpProtocol='tcp', FromPort=443, ToPort=443, IpRanges=[dict(CidrIp='10.0.0.0/8')], Ipv6Ranges=[dict(CidrIpv6='::/0')]),
    dict(IpProtocol='icmp', FromPort=8, ToPort=-1, IpRanges=[dict(CidrIp='192.0.2.0/24')])])
ec2.authorize_security_group_ingress(GroupId=app, IpPermissions=[
    dict(IpProtocol='tcp', FromPort=8000, ToPort=8100, UserIdGroupPairs=[dict(GroupId=web)])])
tags = [dict(ResourceType='instance', Tags=[dict(Key='Name', Value='web-1')])]
def run(group): return ec2.run_instances(ImageId='ami-12c6146b', MinCount=1, MaxCount=1, SecurityGroupIds=[group], TagSpecifications=tags)['Instances'][0]['InstanceId']
instance, gone = run(web), run(web)
ec2.terminate_instances(InstanceIds=[gone])
subnet = ec2.describe_subnets()['Subnets'][0]['SubnetId']
interface = ec2.create_network_interface(SubnetId=subnet, Groups=[app], Description='an endpoint')['NetworkInterface']['NetworkInterfaceId']
s3.create_bucket(Bucket='private-b', CreateBucketConfiguration=dict(LocationConstraint='eu-west-1'))
there = boto3.client('s3', region_name='us-west-2')
there.create_bucket(Bucket='public-b', CreateBucketConfiguration=dict(LocationConstraint='us-west-2'))
for i in range(12): s3.put_object(Bucket='private-b', Key='a b/ü+%%&%d?#' % i, Body=b'x')
there.put_object(Bucket='public-b', Key='index ü+&.html', Body=b'xyz', ACL='public-read')
there.put_object(Bucket='public-b', Key='empty', Body=b'', ACL='public-read')
there.put_object(Bucket='public-b', Key='secret', Body=b'xyz')
tell(dict(web=web, app=app, old=old, instance=instance, interface=interface))
";

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()
}

#[test]
fn what_others_made_is_found_and_told() {
    let Some(moto) = Moto::start() else { return };
    let made = moto.python(ACCOUNT);
    let ran = moto.hardtack(&["audit", "groups", "buckets", "--on", "aws", "--json", "--fail-on", "public"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["problems"], json!([]));

    let web = named(&report["groups"], "web");
    assert_eq!(web["id"], made["web"]);
    assert_eq!(web["open_to_world"], json!(["tcp/22", "tcp/443"]));
    let members: Vec<&Value> =
        web["members"].as_array().unwrap().iter().map(|member| &member["id"]).collect();
    assert_eq!(members, [&made["instance"]], "one is terminated");
    assert_eq!(web["members"][0]["name"], "web-1");
    assert!(web["members"][0]["private_address"].is_string(), "{web}");
    let rules: BTreeSet<String> = web["ingress"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            format!("{} {}", rule["ports"].as_str().unwrap(), rule["source"]["cidr"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "icmp/8 192.0.2.0/24",
        "tcp/22 0.0.0.0/1",
        "tcp/22 128.0.0.0/1",
        "tcp/443 10.0.0.0/8",
        "tcp/443 ::/0",
    ];
    assert_eq!(rules, expected.map(str::to_owned).into());
    let app = named(&report["groups"], "app \"<1>");
    assert_eq!(app["ingress"][0]["ports"], "tcp/8000-8100");
    assert_eq!(app["ingress"][0]["source"]["id"], made["web"]);
    assert_eq!(app["members"][0]["id"], made["interface"]);
    let unused = |name: &str| &named(&report["groups"], name)["unused"];
    assert_eq!(
        [unused("old"), unused("app \"<1>"), unused("default")],
        [&json!(true), &json!(false), &json!(false)]
    );

    let private = named(&report["buckets"], "private-b");
    assert_eq!(private["statuses"], json!({"403": 12}), "{private}");
    assert_eq!((&private["public_objects"], &private["cut"]), (&json!([]), &json!(false)));
    let public = named(&report["buckets"], "public-b");
    assert_eq!(public["region"], "us-west-2");
    assert_eq!(public["statuses"], json!({"200": 2, "403": 1}));
    let keys: Vec<&Value> =
        public["public_objects"].as_array().unwrap().iter().map(|object| &object["key"]).collect();
    assert_eq!(keys, ["empty", "index ü+&.html"]);

    // The same for people, and as graphs.
    let table = moto.hardtack(&["audit", "groups", "buckets", "--objects", "2", "--on", "aws"]).good();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("2: 403, there are more"), "{table}");
    let dot = moto.hardtack(&["audit", "--format", "dot", "--on", "aws"]).good();
    assert_eq!(dot.matches(" -> ").count(), 6, "{dot}");
    let svg = moto.hardtack(&["audit", "groups", "--format", "svg", "--on", "aws"]).good();
    assert!(svg.contains("app &quot;&lt;1&gt;"), "{svg}");
    let wrong = moto.hardtack(&["audit", "buckets", "--format", "svg", "--on", "aws"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert_eq!(moto.hardtack(&["audit"]).code, Some(2));
}
