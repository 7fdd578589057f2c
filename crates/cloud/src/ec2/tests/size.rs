use super::super::*;
use super::{answer, aws, euca};
use crate::Error;
use crate::served::refused;

#[test]
fn types_of_aws_are_read_page_by_page() {
    let page = |name: &str, next: &str| {
        answer(
            "DescribeInstanceTypes",
            &format!(
                "<instanceTypeSet><item><instanceType>{name}</instanceType><hypervisor>nitro</hypervisor>\
                 <bareMetal>false</bareMetal><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo>\
                 <memoryInfo><sizeInMiB>2048</sizeInMiB></memoryInfo>\
                 <processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo>\
                 <instanceStorageInfo><totalSizeInGB>59</totalSizeInGB></instanceStorageInfo>\
                 <supportedBootModes><item>uefi</item></supportedBootModes>\
                 <supportedVirtualizationTypes><item>hvm</item></supportedVirtualizationTypes>\
                 <networkInfo><maximumNetworkInterfaces>3</maximumNetworkInterfaces></networkInfo>\
                 </item></instanceTypeSet>{next}"
            ),
        )
    };
    let served = aws([page("t4g.small", "<nextToken>2</nextToken>"), page("m6g.metal", "")]);
    let found = describe_instance_types(&served.client(), &[], &[]).unwrap();
    let first = InstanceType {
        name: "t4g.small".to_owned(),
        processors: 2,
        memory: 2048,
        disk: Some(59),
        architectures: vec!["arm64".to_owned()],
        hypervisor: Some("nitro".to_owned()),
        bare_metal: false,
        boot_modes: vec!["uefi".to_owned()],
        virtualizations: vec!["hvm".to_owned()],
        interfaces: Some(3),
        capacity: Vec::new(),
    };
    assert_eq!(found[0], first);
    assert_eq!(found[1].name, "m6g.metal");
    assert_eq!(served.sent()[0].form(), ["MaxResults=100"]);
    assert_eq!(served.sent()[1].form(), ["MaxResults=100", "NextToken=2"]);
}

const EUCA: &str = "<instanceTypeDetails><item><name>m1.small</name><cpu>1</cpu><disk>5</disk><memory>512</memory>
    <availability><item><name>m1.small</name><zoneName>one</zoneName><max>8</max><available>6</available></item></availability>
    <ephemeralDisk/></item></instanceTypeDetails>";

#[test]
fn types_of_eucalyptus_have_free_capacity_for_administrators() {
    let served = euca([
        answer("DescribeInstanceTypes", EUCA),
        refused("AuthFailure"),
        answer("DescribeInstanceTypes", EUCA),
        answer("DescribeInstanceTypes", &EUCA.replace("<max>8", "<max>-8")),
    ]);
    let client = served.client();
    let found = describe_instance_types(&client, &["m1.small"], &[]).unwrap().remove(0);
    assert_eq!((found.processors, found.memory, found.disk), (1, 512, Some(5)));
    assert_eq!(found.capacity, [Capacity { zone: "one".to_owned(), available: 6, most: 8 }]);
    assert_eq!(describe_instance_types(&client, &[], &[]).unwrap()[0].name, "m1.small");
    assert!(describe_instance_types(&client, &[], &[]).is_err());
    let sent = served.sent();
    assert_eq!(sent[0].form(), ["InstanceType.1=m1.small", "Availability=true"]);
    assert_eq!(sent[1].form(), ["Availability=true"]);
    assert!(sent[2].form().is_empty());
    let filters = [("hypervisor".to_owned(), vec!["nitro".to_owned()])];
    assert!(matches!(describe_instance_types(&client, &[], &filters), Err(Error::Usage(_))));
}
