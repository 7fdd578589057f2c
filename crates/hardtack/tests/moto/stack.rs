//! `hardtack stack create` and `undo`: user-data reaches the instances of an auto-scaling group.

use serde_json::json;

use super::server::Moto;

const USER_DATA: &str = "#cloud-config\nhostname: member\n";
const TEMPLATE: &str = r#"{
  "AWSTemplateFormatVersion": "2010-09-09",
  "Parameters": {
    "ImageId": {"Type": "String"},
    "ClusterSize": {"Type": "Number", "Default": "1"}
  },
  "Resources": {
    "Config": {
      "Type": "AWS::AutoScaling::LaunchConfiguration",
      "Properties": {"ImageId": {"Ref": "ImageId"}, "InstanceType": "t3.micro", "UserData": {"Fn::Base64": ""}}
    },
    "Cluster": {
      "Type": "AWS::AutoScaling::AutoScalingGroup",
      "Properties": {
        "AvailabilityZones": ["eu-west-1a"],
        "LaunchConfigurationName": {"Ref": "Config"},
        "MinSize": {"Ref": "ClusterSize"}, "MaxSize": {"Ref": "ClusterSize"}, "DesiredCapacity": {"Ref": "ClusterSize"}
      }
    }
  }
}
"#;
const SEEN: &str = "\
found = [i for r in ec2.describe_instances()['Reservations'] for i in r['Instances'] if i['State']['Name'] not in ('terminated', 'shutting-down')]
tell(dict(
    instances=[i['InstanceId'] for i in found],
    user_data=[ec2.describe_instance_attribute(InstanceId=i['InstanceId'], Attribute='userData')['UserData'].get('Value') for i in found],
    stacks=[s['StackName'] for s in cloudformation.describe_stacks()['Stacks'] if s['StackStatus'] != 'DELETE_COMPLETE'],
    groups=[g['AutoScalingGroupName'] for g in autoscaling.describe_auto_scaling_groups()['AutoScalingGroups']]))
";

#[test]
fn user_data_reaches_the_instances_of_a_stack() {
    let Some(moto) = Moto::start() else { return };
    moto.write("cluster.template", TEMPLATE);
    moto.write("member.yaml", USER_DATA);
    let made = moto.hardtack(&[
        "stack",
        "create",
        "cluster.template",
        "--user-data",
        "member.yaml",
        "--name",
        "cluster",
        "-p",
        "ImageId=ami-12c6146b",
        "-p",
        "ClusterSize=2",
        "--journal",
        "cluster.journal",
        "--on",
        "aws",
    ]);
    let out = made.good();
    let seen = moto.python(SEEN);
    assert_eq!(seen["stacks"], json!(["cluster"]));
    let instances = seen["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 2, "{seen}");
    for instance in instances {
        assert!(out.contains(instance.as_str().unwrap()), "{out}");
    }
    let encoded = "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogbWVtYmVyCg==";
    assert_eq!(seen["user_data"], json!([encoded, encoded]));

    moto.hardtack(&["undo", "cluster.journal"]).good();
    let seen = moto.python(SEEN);
    for kind in ["instances", "stacks", "groups"] {
        assert_eq!(seen[kind], json!([]), "{kind}");
    }
}
