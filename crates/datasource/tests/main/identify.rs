//! ds-identify's rules against the real script: our own machines (`data/identify.py` makes them), and
//! cloud-init's own test table where it is at hand.

use std::path::Path;

use hardtack_datasource::BlockDevice;
use hardtack_datasource::identify::{Answers, Question, Verdict, identify, virtualization};
use hardtack_modules::testing::Tree;
use serde_json::Value as Json;

fn tree(case: &Json) -> Tree {
    let mut tree = Tree::new();
    for path in case["directories"].as_array().into_iter().flatten() {
        tree = tree.with_directory(path.as_str().unwrap());
    }
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        tree = tree.with(&format!("/{}", path.trim_start_matches('/')), text.as_str().unwrap());
    }
    tree
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_real_script_says_the_same() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in include_str!("../data/identify.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let devices: Vec<BlockDevice> = case["devices"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|device| BlockDevice {
                path: text(&device["path"]),
                file_system: text(&device["type"]),
                label: text(&device["label"]),
                boot_label: text(&device["boot_label"]),
                uuid: text(&device["uuid"]),
            })
            .collect();
        let given = &case["answers"];
        let answers = Answers {
            guestinfo_in_environment: given["guestinfo_in_environment"] == true,
            vmware_tools: given["vmware_tools"] == true,
            guestinfo: given["guestinfo"] == true,
            ovf_environment: given["ovf_environment"].as_str().map(str::to_owned),
            ..Answers::default()
        };
        let tree = tree(&case);
        let found = identify(&Question {
            machine: &tree,
            devices: &devices,
            virtualization: case["virtualization"].as_str().unwrap_or("none"),
            architecture: case["architecture"].as_str().unwrap_or("x86_64"),
            answers: &answers,
        });
        let wanted = (case["exit"].as_u64(), case["text"].as_str());
        if (Some(u64::from(found.exit)), found.text.as_deref()) != wanted {
            wrong.push(format!("{line}\n  we: {} {:?} {:?}", found.exit, found.text, found.candidates));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 900, "{count}");
}

/// A mock of the table: a function of the script, what it returns, says, and answers with.
fn mock<'a>(case: &'a Json, name: &str) -> Option<&'a Json> {
    case["mocks"].as_array()?.iter().find(|mock| mock["name"] == name)
}

/// What its dmidecode, kenv or sysctl say, at the place where Linux has it; what geom says as blkid would.
fn table_machine(case: &Json) -> (Tree, Vec<BlockDevice>) {
    let mut tree = tree(case);
    for name in ["dmi_decode", "get_kenv_field", "get_sysctl_field"] {
        if let Some(mock) = mock(case, name).filter(|mock| mock["ret"] == 0) {
            for field in ["product_name", "sys_vendor", "product_serial", "product_uuid", "chassis_asset_tag"]
            {
                tree = tree.with(&format!("/sys/class/dmi/id/{field}"), format!("{}\n", text(&mock["RET"])));
            }
        }
    }
    if mock(case, "is_socket_file").is_some_and(|mock| mock["ret"] == 0) {
        tree = tree.with("/dev/lxd/sock", "");
    }
    if let Some(uname) = mock(case, "uname") {
        let out = text(&uname["out"]);
        let words: Vec<&str> = out.split(' ').collect();
        tree = tree.with("/proc/sys/kernel/version", words[1..words.len() - 1].join(" "));
    }
    if case["files"]["etc/cloud/cloud.cfg"].is_null() {
        // The image's own has no list either, only an example in a comment.
        tree = tree.with("/etc/cloud/cloud.cfg", "#    Ec2:\n#      metadata_urls: [ 'blah.com' ]\n");
    }
    if let Some(setting) = case["files"]["ds-identify-env"].as_str() {
        let line = setting.trim_start_matches("DI_KERNEL_CMDLINE=").trim_matches('"');
        tree = tree.with("/proc/cmdline", format!("{line}\n"));
    }
    let mut devices: Vec<BlockDevice> = Vec::new();
    let blkid = mock(case, "blkid").map(|mock| text(&mock["out"])).unwrap_or_default();
    for line in blkid.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key == "DEVNAME" {
            devices.push(BlockDevice { path: value.to_owned(), ..BlockDevice::default() });
        }
        let Some(device) = devices.last_mut() else { continue };
        match key {
            "TYPE" => device.file_system = value.to_owned(),
            "LABEL" => device.label = value.to_owned(),
            "LABEL_FATBOOT" => device.boot_label = value.to_owned(),
            "UUID" => device.uuid = value.to_owned(),
            _ => {}
        }
    }
    if let Some(geom) = mock(case, "geom") {
        let label = text(&geom["out"]).split([' ', '/']).nth(1).unwrap().to_owned();
        devices.push(BlockDevice { label, ..BlockDevice::default() });
    }
    (tree, devices)
}

#[test]
fn cloud_inits_own_table() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/ds_identify_valid_cfg.json");
    let Ok(table) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no {}", path.display());
        return;
    };
    let table: Json = serde_json::from_str(&table).unwrap();
    // Where the table's tests want nothing to be found.
    let negative = [
        "Ec2-brightbox-negative",
        "Ec2-E24Cloud-negative",
        "Ec2-Outscale-negative-sysvendor",
        "Ec2-Outscale-negative-productname",
        "VMware-NoValidTransports",
        "VMware-EnvVar-NoData",
        "VMware-GuestInfo-NoData-Rpctool",
        "VMware-GuestInfo-NoData-Vmtoolsd",
        "VMware-GuestInfo-NoVirtID",
        "Not-WSL",
        "WSL-no-host-mounts",
        // Its tests put the files of Windows there one by one; as it stands there are none.
        "WSL-supported",
        "WSL-supported-debian",
        "LXD-virtio-wrong-name",
        "LXD-virtio-empty",
        "IBMCloud-nodisks",
        "flow_sequence-control",
    ];
    let mut wrong = Vec::new();
    for (name, case) in table.as_object().unwrap() {
        // The script reads no list of several lines, and the test of it is expected to fail.
        if name == "LXD-kvm-not-azure" {
            continue;
        }
        let (tree, devices) = table_machine(case);
        let says = |mock_name: &str| mock(case, mock_name).is_some_and(|mock| mock["ret"] == 0);
        let answers = Answers {
            guestinfo_in_environment: says("vmware_has_envvar_vmx_guestinfo")
                && ["metadata", "userdata", "vendordata"]
                    .iter()
                    .any(|kind| says(&format!("vmware_has_envvar_vmx_guestinfo_{kind}"))),
            vmware_tools: ["vmware_has_rpctool", "vmware_has_vmtoolsd", "ovf_vmware_transport_guestinfo"]
                .iter()
                .any(|mock_name| says(mock_name)),
            guestinfo: ["metadata", "userdata", "vendordata"]
                .iter()
                .any(|kind| says(&format!("vmware_guestinfo_{kind}"))),
            ovf_environment: mock(case, "ovf_vmware_transport_guestinfo").map(|mock| text(&mock["out"])),
            ..Answers::default()
        };
        let of_environment = text(&case["env_vars"]["SYSTEMD_VIRTUALIZATION"]);
        let of_environment = of_environment.rsplit(':').next().filter(|kind| !kind.is_empty());
        let mocked = mock(case, "detect_virt").and_then(|mock| mock["RET"].as_str());
        let found = identify(&Question {
            machine: &tree,
            devices: &devices,
            virtualization: of_environment.or(mocked).unwrap_or("none"),
            architecture: "x86_64",
            answers: &answers,
        });
        let mut wanted: Vec<&str> = case["ds"].as_str().unwrap().split(", ").collect();
        if negative.contains(&name.as_str()) {
            wanted.clear();
        } else if wanted != ["None"] {
            wanted.push("None");
        }
        let runs = !wanted.is_empty();
        if found.list != wanted || found.runs() != runs {
            wrong.push(format!("{name}: {:?} instead of {wanted:?} {:?}", found.list, found.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_windows_has_for_a_wsl() {
    let machine = Tree::new()
        .with("/proc/mounts", "C:\\134 /mnt/c 9p rw,dirsync,aname=drvfs;path=C:\\;uid=0 0 0\n")
        .with("/etc/os-release", "NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"24.04\"\n");
    let ask = |file: &str| {
        let windows = Tree::new().with(&format!("/mnt/c/Users/me/{file}"), "");
        let wsl = hardtack_datasource::identify::Wsl {
            files: &windows,
            profile: "/mnt/c/Users/me".to_owned(),
            instance: "Noble".to_owned(),
        };
        let answers = Answers { wsl: Some(wsl), ..Answers::default() };
        let question = Question {
            machine: &machine,
            devices: &[],
            virtualization: "wsl",
            architecture: "x86_64",
            answers: &answers,
        };
        identify(&question).verdict
    };
    for file in [
        ".ubuntupro/.cloud-init/Noble.user-data",
        ".ubuntupro/.cloud-init/agent.yaml",
        ".cloud-init/Noble.user-data",
        ".cloud-init/ubuntu-24.04.user-data",
        ".cloud-init/ubuntu-all.user-data",
        ".cloud-init/default.user-data",
    ] {
        assert_eq!(ask(file), Verdict::Found, "{file}");
    }
    for file in [".cloud-init/debian-all.user-data", ".cloud-init/x", "default.user-data"] {
        assert_eq!(ask(file), Verdict::NotFound, "{file}");
    }
}

#[test]
fn what_a_machine_runs_in() {
    let hypervisor = "processor : 0\nflags\t\t: fpu hypervisor sse\n";
    let dmi = |name: &str| {
        Tree::new().with("/sys/class/dmi/id/product_name", name).with("/proc/cpuinfo", hypervisor)
    };
    for (tree, wanted) in [
        (Tree::new(), "none"),
        (Tree::new().with("/proc/cpuinfo", hypervisor), "vm-other"),
        (dmi("KVM\n"), "kvm"),
        (dmi("OpenStack Nova\n"), "kvm"),
        (dmi("VMware Virtual Platform\n"), "vmware"),
        (dmi("VirtualBox\n"), "oracle"),
        (dmi("HVM domU\n").with("/sys/hypervisor/type", "xen\n"), "xen"),
        (
            Tree::new().with("/sys/hypervisor/type", "xen\n").with("/proc/xen/capabilities", "control_d\n"),
            "none",
        ),
        (Tree::new().with("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n"), "none"),
        (dmi("x").with("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n"), "microsoft"),
        (Tree::new().with("/proc/1/environ", "A=b\0container=lxc\0"), "lxc"),
        (Tree::new().with("/proc/1/environ", "container=oci\0"), "container-other"),
        (Tree::new().with("/run/systemd/container", "systemd-nspawn\n"), "systemd-nspawn"),
        (Tree::new().with("/.dockerenv", ""), "docker"),
        (Tree::new().with("/proc/sys/kernel/osrelease", "5.15.1-microsoft-standard-WSL2\n"), "wsl"),
    ] {
        assert_eq!(virtualization(&tree), wanted);
    }
}
