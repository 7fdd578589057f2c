//! `hardtack launch` and `undo`.

use serde_json::{Value, json};

use super::server::Moto;

const USER_DATA: &str = "#cloud-config\nhostname: web-1\n";
/// What boto3 sees of an account's instances and of what was made for them.
const SEEN: &str = "\
def running():
    found = [i for r in ec2.describe_instances()['Reservations'] for i in r['Instances']]
    return [i for i in found if i['State']['Name'] not in ('terminated', 'shutting-down')]
tell(dict(
    instances=running(),
    user_data=[ec2.describe_instance_attribute(InstanceId=i['InstanceId'], Attribute='userData')['UserData'].get('Value') for i in running()],
    keys=ec2.describe_key_pairs()['KeyPairs'],
    groups=[g for g in ec2.describe_security_groups()['SecurityGroups'] if g['GroupName'] != 'default'],
    volumes=[v for v in ec2.describe_volumes()['Volumes'] if v['Size'] == 3]))
";

fn list<'a>(seen: &'a Value, name: &str) -> &'a Vec<Value> {
    seen[name].as_array().unwrap()
}

fn tags(entry: &Value) -> Vec<(&str, &str)> {
    let all = entry["Tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|tag| (tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap())).collect()
}

#[test]
fn all_that_a_launch_makes_is_there_and_undo_leaves_nothing() {
    let Some(moto) = Moto::start() else { return };
    moto.write("web.yaml", USER_DATA);
    let launched = moto.hardtack(&[
        "launch",
        "ami-12c6146b",
        "--on",
        "aws",
        "-f",
        "web.yaml",
        "-t",
        "t3.micro",
        "-n",
        "2",
        "--new-key",
        "web.pem",
        "--ssh-from",
        "192.0.2.0/24",
        "--volume",
        "3G:/dev/vdc",
        "--tag",
        "Name=web",
        "--journal",
        "web.journal",
    ]);
    let out = launched.good();
    let lines: Vec<&str> = out.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| **line == "INSTANCE").count(), 2, "{out}");
    assert!(lines.contains(&"RESERVATION"), "{out}");

    let seen = moto.python(SEEN);
    let instances = list(&seen, "instances");
    assert_eq!(instances.len(), 2, "{seen}");
    // boto3 gives it in base64, as EC2 does.
    let encoded = "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogd2ViLTEK";
    assert_eq!(seen["user_data"], json!([encoded, encoded]));
    let (keys, groups) = (list(&seen, "keys"), list(&seen, "groups"));
    assert_eq!((keys.len(), groups.len()), (1, 1), "{seen}");
    for instance in instances {
        assert!(tags(instance).contains(&("Name", "web")), "{instance}");
        assert_eq!(instance["KeyName"], keys[0]["KeyName"]);
        assert_eq!(instance["MetadataOptions"]["HttpTokens"], "required");
        assert_eq!(instance["InstanceType"], "t3.micro");
        assert_eq!(instance["SecurityGroups"][0]["GroupId"], groups[0]["GroupId"]);
        assert!(out.contains(instance["InstanceId"].as_str().unwrap()), "{out}");
    }
    let rules = groups[0]["IpPermissions"].as_array().unwrap();
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!((&rules[0]["FromPort"], &rules[0]["ToPort"]), (&json!(22), &json!(22)));
    assert_eq!(rules[0]["IpRanges"][0]["CidrIp"], "192.0.2.0/24");
    assert_eq!(list(&seen, "volumes").len(), 2, "one for each instance: {seen}");

    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(moto.path("web.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    moto.hardtack(&["undo", "web.journal"]).good();
    let seen = moto.python(SEEN);
    for kind in ["instances", "keys", "groups", "volumes"] {
        assert_eq!(seen[kind], json!([]), "{kind}");
    }
    assert!(!moto.path("web.journal").exists());
}

#[test]
fn a_public_key_of_ones_own_is_imported_once() {
    let Some(moto) = Moto::start() else { return };
    // moto's fingerprint of an ed25519 key is not EC2's.
    let key = moto.python(
        "from cryptography.hazmat.primitives.asymmetric import rsa\n\
         from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat\n\
         key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()\n\
         tell(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())",
    );
    moto.write("me.pub", &format!("{} me@here\n", key.as_str().unwrap()));
    moto.write("web.yaml", USER_DATA);
    for journal in ["one.journal", "two.journal"] {
        let arguments =
            ["launch", "ami-12c6146b", "--on", "aws", "-f", "web.yaml", "-k", "me.pub", "--journal", journal];
        moto.hardtack(&arguments).good();
    }
    let seen = moto.python(SEEN);
    let keys = list(&seen, "keys");
    assert_eq!((keys.len(), list(&seen, "instances").len()), (1, 2), "{seen}");
    assert_eq!((&keys[0]["KeyName"], &keys[0]["KeyType"]), (&json!("me@here"), &json!("rsa")));
}

#[test]
fn user_data_with_errors_starts_nothing() {
    let Some(moto) = Moto::start() else { return };
    moto.write("bad.yaml", "#cloud-config\nusers: [\n");
    let ran = moto.hardtack(&["launch", "ami-12c6146b", "--on", "aws", "-f", "bad.yaml"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_eq!(moto.python(SEEN)["instances"], json!([]));
}
