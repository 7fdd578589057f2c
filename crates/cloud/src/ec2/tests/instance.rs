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
        reservation: "r-1".to_owned(),
        ..Instance::default()
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

fn several() -> RunInstances {
    RunInstances {
        count: (2, 3),
        zone: Some("eu-central-1a".to_owned()),
        profile: Some("arn:aws:iam::111122223333:instance-profile/p".to_owned()),
        private_address: Some("10.0.0.7".to_owned()),
        hop_limit: Some(2),
        mappings: vec![
            Mapping {
                device: "/dev/xvda".to_owned(),
                size: Some(20),
                volume_type: Some("gp3".to_owned()),
                delete_on_termination: Some(true),
                iops: Some(3000),
                throughput: Some(125),
                encrypted: Some(true),
                ..Mapping::default()
            },
            Mapping {
                device: "/dev/sdb".to_owned(),
                virtual_name: Some("ephemeral0".to_owned()),
                ..Mapping::default()
            },
            Mapping { device: "/dev/sdc".to_owned(), none: true, ..Mapping::default() },
        ],
        ..RunInstances::from(&request())
    }
}

#[test]
fn several_instances_are_started_by_one_call() {
    let item = |id: &str, index: u32| {
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><name>pending</name></instanceState>\
             <amiLaunchIndex>{index}</amiLaunchIndex></item>"
        )
    };
    let made = format!(
        "<reservationId>r-9</reservationId><ownerId>111122223333</ownerId>\
         <groupSet><item><groupId>sg-1</groupId><groupName>default</groupName></item></groupSet>\
         <instancesSet>{}{}</instancesSet>",
        item("i-1", 0),
        item("i-2", 1)
    );
    let too_many = format!("<instancesSet>{}</instancesSet>", item("i-1", 0).repeat(4));
    let served = aws([answer("RunInstances", &made), answer("RunInstances", &too_many)]);
    let client = served.client();
    let found = run_instances(&client, &several()).unwrap();
    assert_eq!((found.id.as_str(), found.owner.as_str()), ("r-9", "111122223333"));
    assert_eq!(found.groups, [GroupRef { id: "sg-1".to_owned(), name: "default".to_owned() }]);
    let ids: Vec<_> =
        found.instances.iter().map(|instance| (instance.id.as_str(), instance.launch_index)).collect();
    assert_eq!(ids, [("i-1", Some(0)), ("i-2", Some(1))]);
    assert!(found.instances.iter().all(|instance| instance.reservation == "r-9"));
    let error = run_instances(&client, &several()).unwrap_err().to_string();
    assert!(error.contains("4 instances, and 3 were asked for"), "{error}");
    let expected = [
        "ImageId=ami-1",
        "MinCount=2",
        "MaxCount=3",
        "InstanceType=t3.small",
        "KeyName=me",
        "UserData=IyEvYmluL3NoCv8=",
        "Placement.AvailabilityZone=eu-central-1a",
        "SubnetId=subnet-1",
        "PrivateIpAddress=10.0.0.7",
        "SecurityGroupId.1=sg-1",
        "SecurityGroupId.2=sg-2",
        "BlockDeviceMapping.1.DeviceName=/dev/xvda",
        "BlockDeviceMapping.1.Ebs.VolumeSize=20",
        "BlockDeviceMapping.1.Ebs.VolumeType=gp3",
        "BlockDeviceMapping.1.Ebs.Iops=3000",
        "BlockDeviceMapping.1.Ebs.Throughput=125",
        "BlockDeviceMapping.1.Ebs.DeleteOnTermination=true",
        "BlockDeviceMapping.1.Ebs.Encrypted=true",
        "BlockDeviceMapping.2.DeviceName=/dev/sdb",
        "BlockDeviceMapping.2.VirtualName=ephemeral0",
        "BlockDeviceMapping.3.DeviceName=/dev/sdc",
        "BlockDeviceMapping.3.NoDevice=true",
        "IamInstanceProfile.Arn=arn:aws:iam::111122223333:instance-profile/p",
        "ClientToken=t",
        "MetadataOptions.HttpTokens=required",
        "MetadataOptions.HttpEndpoint=enabled",
        "MetadataOptions.HttpPutResponseHopLimit=2",
    ];
    assert_eq!(served.sent()[0].form()[..expected.len()], expected);
    assert!(!format!("{:?}", several()).contains("/bin/sh"));
}

#[test]
fn what_no_call_can_hold_is_not_sent() {
    let served = aws([]);
    let named = RunInstances { group_names: vec!["web".to_owned()], groups: Vec::new(), ..several() };
    for request in [
        RunInstances { count: (0, 1), ..several() },
        RunInstances { count: (3, 2), ..several() },
        RunInstances { public_address: Some(false), subnet: None, ..named.clone() },
        named.clone(),
    ] {
        let error = run_instances(&served.client(), &request).unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
    }
    let error = run_instances(&served.client(), &named).unwrap_err().to_string();
    assert!(error.contains("\"web\"") && error.contains("sg-"), "{error}");
    assert!(served.sent().is_empty());
}

#[test]
fn eucalyptus_is_sent_what_it_knows() {
    let served = euca([answer(
        "RunInstances",
        "<instancesSet><item><instanceId>i-1</instanceId><instanceState><name>pending</name></instanceState></item>\
         </instancesSet>",
    )]);
    let request = RunInstances {
        count: (1, 1),
        group_names: vec!["default".to_owned()],
        profile: Some("p".to_owned()),
        mappings: Vec::new(),
        private_address: None,
        groups: Vec::new(),
        subnet: None,
        tags: Vec::new(),
        ..several()
    };
    run_instances(&served.client(), &request).unwrap();
    let expected = [
        "ImageId=ami-1",
        "MinCount=1",
        "MaxCount=1",
        "InstanceType=t3.small",
        "KeyName=me",
        "UserData=IyEvYmluL3NoCv8=",
        "Placement.AvailabilityZone=eu-central-1a",
        "SecurityGroup.1=default",
        "IamInstanceProfile.Name=p",
        "ClientToken=t",
    ];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn a_missing_default_vpc_is_known() {
    let subnets = "<Response><Errors><Error><Code>MissingInput</Code><Message>No subnets found for the default VPC \
                   'vpc-1'. Please specify a subnet.</Message></Error></Errors></Response>";
    let other = subnets.replace("subnet", "volume").replace("subnets", "volumes");
    let served = aws([
        refused("VPCIdNotSpecified"),
        crate::served::given(400, subnets),
        crate::served::given(400, other),
        refused("InvalidAMIID.NotFound"),
    ]);
    let client = served.client();
    let lacks = [(); 4].map(|()| run_instance(&client, &request()).unwrap_err().lacks_subnet());
    assert_eq!(lacks, [true, true, false, false]);
}

/// All that euca-describe-instances prints.
const WHOLE: &str = "<item><instanceId>i-1</instanceId><imageId>ami-1</imageId>
    <instanceState><code>16</code><name>running</name></instanceState>
    <privateDnsName>ip-10-0-0-7.internal</privateDnsName><dnsName>ec2-1.example.com</dnsName><reason/>
    <keyName>me</keyName><amiLaunchIndex>0</amiLaunchIndex>
    <productCodes><item><productCode>pc</productCode><type>marketplace</type></item></productCodes>
    <instanceType>t3.small</instanceType><launchTime>2026-01-31T23:59:59.000Z</launchTime>
    <placement><availabilityZone>eu-central-1a</availabilityZone><groupName>pg</groupName><tenancy>default</tenancy></placement>
    <kernelId>aki-1</kernelId><ramdiskId>ari-1</ramdiskId><platform>windows</platform>
    <monitoring><state>disabled</state></monitoring><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
    <privateIpAddress>10.0.0.7</privateIpAddress><ipAddress>54.194.252.215</ipAddress>
    <groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet>
    <architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
    <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-1</volumeId><status>attached</status>
    <attachTime>2026-02-01T00:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
    <virtualizationType>hvm</virtualizationType><clientToken>t</clientToken><hypervisor>xen</hypervisor>
    <instanceLifecycle>spot</instanceLifecycle><ebsOptimized>false</ebsOptimized>
    <iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/p</arn><id>A</id></iamInstanceProfile>
    <metadataOptions><httpTokens>required</httpTokens></metadataOptions>
    <networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
    <ownerId>1</ownerId><status>in-use</status><privateIpAddress>10.0.0.7</privateIpAddress><sourceDestCheck>true</sourceDestCheck>
    <groupSet><item><groupId>sg-1</groupId><groupName>web</groupName></item></groupSet>
    <attachment><attachmentId>eni-attach-1</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>
    <attachTime>2026-02-01T00:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></attachment>
    <association><publicIp>54.194.252.215</publicIp><ipOwnerId>amazon</ipOwnerId></association>
    <privateIpAddressesSet><item><privateIpAddress>10.0.0.7</privateIpAddress><primary>true</primary></item></privateIpAddressesSet>
    </item></networkInterfaceSet></item>";

#[test]
fn all_of_an_instance_is_read() {
    let list = format!(
        "<reservationSet><item><reservationId>r-1</reservationId><ownerId>1</ownerId>\
         <instancesSet>{WHOLE}</instancesSet></item></reservationSet>"
    );
    let served = aws([answer("DescribeInstances", &list)]);
    let found = describe_instances(&served.client(), &["i-1"], &[]).unwrap().remove(0);
    let text = |text: &str| Some(text.to_owned());
    let web = GroupRef { id: "sg-1".to_owned(), name: "web".to_owned() };
    let expected = Instance {
        id: "i-1".to_owned(),
        image: "ami-1".to_owned(),
        state: InstanceState { name: "running".to_owned(), reason: None },
        public_address: text("54.194.252.215"),
        private_address: text("10.0.0.7"),
        tags: Vec::new(),
        reservation: "r-1".to_owned(),
        owner: "1".to_owned(),
        public_name: text("ec2-1.example.com"),
        private_name: text("ip-10-0-0-7.internal"),
        key_name: text("me"),
        launch_index: Some(0),
        product_codes: vec!["pc".to_owned()],
        instance_type: "t3.small".to_owned(),
        launched: "2026-01-31T23:59:59.000Z".to_owned(),
        zone: text("eu-central-1a"),
        placement_group: text("pg"),
        tenancy: text("default"),
        kernel: text("aki-1"),
        ramdisk: text("ari-1"),
        platform: text("windows"),
        monitoring: text("disabled"),
        vpc: text("vpc-1"),
        subnet: text("subnet-1"),
        root_type: text("ebs"),
        root_device: text("/dev/xvda"),
        lifecycle: text("spot"),
        virtualization: text("hvm"),
        hypervisor: text("xen"),
        token: text("t"),
        groups: vec![web.clone()],
        ebs_optimized: Some(false),
        profile: text("arn:aws:iam::1:instance-profile/p"),
        architecture: text("x86_64"),
        devices: vec![Device {
            device: "/dev/xvda".to_owned(),
            volume: text("vol-1"),
            attached: text("2026-02-01T00:00:00.000Z"),
            status: text("attached"),
            delete_on_termination: Some(true),
        }],
        interfaces: vec![Interface {
            id: "eni-1".to_owned(),
            subnet: text("subnet-1"),
            vpc: text("vpc-1"),
            owner: text("1"),
            status: "in-use".to_owned(),
            private_address: text("10.0.0.7"),
            public_address: text("54.194.252.215"),
            public_address_owner: text("amazon"),
            source_check: Some(true),
            groups: vec![web],
            attachment: text("eni-attach-1"),
            device_index: Some(0),
            attachment_status: text("attached"),
            attached: text("2026-02-01T00:00:00.000Z"),
            delete_on_termination: Some(true),
            addresses: vec![("10.0.0.7".to_owned(), None, true)],
            ..Interface::default()
        }],
        imds_tokens: text("required"),
    };
    assert_eq!(found, expected);
}

#[test]
fn reservations_are_kept_together_over_pages() {
    let page = |reservation: &str, id: &str, next: &str| {
        let item = format!(
            "<item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState></item>"
        );
        answer(
            "DescribeInstances",
            &format!(
                "<reservationSet><item><reservationId>{reservation}</reservationId><instancesSet>{item}</instancesSet>\
                 </item></reservationSet>{next}"
            ),
        )
    };
    let served = aws([
        page("r-1", "i-1", "<nextToken>2</nextToken>"),
        page("r-1", "i-2", "<nextToken>3</nextToken>"),
        page("r-2", "i-3", ""),
    ]);
    let found = describe_reservations(&served.client(), &[], &[]).unwrap();
    let ids = |reservation: &Reservation| {
        reservation.instances.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>().join(",")
    };
    let ids: Vec<_> = found.iter().map(|reservation| (reservation.id.as_str(), ids(reservation))).collect();
    assert_eq!(ids, [("r-1", "i-1,i-2".to_owned()), ("r-2", "i-3".to_owned())]);
    assert_eq!(served.sent()[1].form(), ["MaxResults=1000", "NextToken=2"]);
}

#[test]
fn the_end_of_what_is_not_there_is_told() {
    let served =
        aws([answer("TerminateInstances", "<instancesSet/>"), refused("InvalidInstanceID.NotFound")]);
    let client = served.client();
    assert!(terminate(&client, "i-1").unwrap());
    assert!(!terminate(&client, "i-1").unwrap());
}

#[test]
fn a_console_has_its_time() {
    let given = "<instanceId>i-1</instanceId><timestamp>2026-01-31T23:59:59.000Z</timestamp><output>TGludXgK</output>";
    let served = aws([answer("GetConsoleOutput", given), console("")]);
    let client = served.client();
    let found = super::super::console(&client, "i-1", false).unwrap();
    assert_eq!(
        found,
        Console { output: b"Linux\n".to_vec(), time: Some("2026-01-31T23:59:59.000Z".to_owned()) }
    );
    assert_eq!(super::super::console(&client, "i-1", false).unwrap(), Console::default());
}

#[test]
fn user_data_is_read_back() {
    let given = |content: &str| {
        answer("DescribeInstanceAttribute", &format!("<instanceId>i-1</instanceId>{content}"))
    };
    let served = aws([
        given("<userData><value>IyEvYmluL3NoCv8=</value></userData>"),
        given("<userData/>"),
        given("<userData><value>!</value></userData>"),
        answer("DescribeInstanceAttribute", ""),
    ]);
    let client = served.client();
    assert_eq!(user_data(&client, "i-1").unwrap().as_deref(), Some(&b"#!/bin/sh\n\xff"[..]));
    assert_eq!(user_data(&client, "i-1").unwrap(), None);
    assert!(user_data(&client, "i-1").is_err());
    assert!(user_data(&client, "i-1").is_err());
    assert_eq!(served.sent()[0].form(), ["InstanceId=i-1", "Attribute=userData"]);
}
