//! `DescribeInstanceTypes`: AWS's, in pages, and Eucalyptus', with what its zones have left (`VmTypes` there).

use super::Call;
use crate::cloud::Shared;
use crate::holdings;
use crate::refusal::{Answer, Refusal};
use crate::world::Region;
use crate::xml::Xml;

/// A type of instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) architecture: &'static str,
    /// Else Xen.
    pub(crate) nitro: bool,
    cores: u64,
    /// MiB.
    memory: u64,
    /// GiB: of the instance's own disks on AWS.
    disk: u64,
}

const fn of(
    name: &'static str,
    architecture: &'static str,
    nitro: bool,
    (cores, memory, disk): (u64, u64, u64),
) -> Type {
    Type { name, architecture, nitro, cores, memory, disk }
}

/// Some of AWS's, by name.
const AWS: [Type; 17] = [
    of("c5.large", "x86_64", true, (2, 4096, 0)),
    of("m1.small", "x86_64", false, (1, 1740, 160)),
    of("m3.medium", "x86_64", false, (1, 3840, 4)),
    of("m5.large", "x86_64", true, (2, 8192, 0)),
    of("m5d.large", "x86_64", true, (2, 8192, 75)),
    of("m6g.large", "arm64", true, (2, 8192, 0)),
    of("t2.medium", "x86_64", false, (2, 4096, 0)),
    of("t2.micro", "x86_64", false, (1, 1024, 0)),
    of("t2.small", "x86_64", false, (1, 2048, 0)),
    of("t3.large", "x86_64", true, (2, 8192, 0)),
    of("t3.medium", "x86_64", true, (2, 4096, 0)),
    of("t3.micro", "x86_64", true, (2, 1024, 0)),
    of("t3.nano", "x86_64", true, (2, 512, 0)),
    of("t3.small", "x86_64", true, (2, 2048, 0)),
    of("t4g.large", "arm64", true, (2, 8192, 0)),
    of("t4g.micro", "arm64", true, (2, 1024, 0)),
    of("t4g.small", "arm64", true, (2, 2048, 0)),
];

/// Eucalyptus', as they are before somebody changes them.
const EUCA: [Type; 18] = [
    of("t1.micro", "x86_64", false, (1, 256, 5)),
    of("m1.small", "x86_64", false, (1, 256, 5)),
    of("m1.medium", "x86_64", false, (1, 512, 10)),
    of("c1.medium", "x86_64", false, (2, 512, 10)),
    of("m1.large", "x86_64", false, (2, 512, 10)),
    of("m1.xlarge", "x86_64", false, (2, 1024, 10)),
    of("c1.xlarge", "x86_64", false, (2, 2048, 10)),
    of("m2.xlarge", "x86_64", false, (2, 2048, 10)),
    of("m3.xlarge", "x86_64", false, (4, 2048, 15)),
    of("m2.2xlarge", "x86_64", false, (2, 4096, 30)),
    of("m3.2xlarge", "x86_64", false, (4, 4096, 30)),
    of("cc1.4xlarge", "x86_64", false, (8, 3072, 60)),
    of("m2.4xlarge", "x86_64", false, (8, 4096, 60)),
    of("hi1.4xlarge", "x86_64", false, (8, 6144, 120)),
    of("cc2.8xlarge", "x86_64", false, (16, 6144, 120)),
    of("cg1.4xlarge", "x86_64", false, (16, 12288, 200)),
    of("cr1.8xlarge", "x86_64", false, (16, 16384, 240)),
    of("hs1.8xlarge", "x86_64", false, (48, 119_808, 24_000)),
];

fn all(shared: &Shared) -> &'static [Type] {
    if shared.euca() { &EUCA } else { &AWS }
}

/// The type of that name.
pub(crate) fn find(shared: &Shared, name: &str) -> Option<Type> {
    all(shared).iter().find(|kind| kind.name == name).copied()
}

/// Instances of a type that fit into a zone: now, and at most.
pub(crate) fn capacity(shared: &Shared, region: &Region, zone: &str, kind: Type) -> (u64, u64) {
    let alive = region
        .instances
        .values()
        .filter(|instance| instance.zone == zone && matches!(instance.state, "pending" | "running"));
    let used: u64 =
        alive.filter_map(|instance| find(shared, &instance.instance_type)).map(|kind| kind.cores).sum();
    let cores = shared.options.cores;
    (cores.saturating_sub(used) / kind.cores, cores / kind.cores)
}

/// `DescribeInstanceTypes`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    if call.shared.euca() { describe_euca(call) } else { describe_aws(call) }
}

fn describe_aws(call: &Call<'_>) -> Answer {
    let (wanted, filters) = (call.params.list("InstanceType"), call.params.filters()?);
    let most = call.params.number("MaxResults")?;
    if most.is_some_and(|most| !(5..=100).contains(&most) || !wanted.is_empty()) {
        return Err(Refusal::bad("InvalidParameterValue", "MaxResults is 5 to 100, without InstanceType"));
    }
    let (start, _) = call.paging_of(most)?;
    call.params.finish()?;
    let known = all(call.shared);
    let unknown: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !known.iter().any(|have| have.name == *name))
        .collect();
    if !unknown.is_empty() {
        let text = format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(Refusal::bad("InvalidInstanceType", text));
    }
    let mut list = Vec::new();
    for kind in known {
        let field = |name: &str| {
            Some(vec![match name {
                "instance-type" => kind.name.to_owned(),
                "hypervisor" => if kind.nitro { "nitro" } else { "xen" }.to_owned(),
                "processor-info.supported-architecture" => kind.architecture.to_owned(),
                "current-generation" => (!kind.name.starts_with("m1.")).to_string(),
                "instance-storage-supported" => (kind.disk > 0).to_string(),
                "vcpu-info.default-vcpus" => kind.cores.to_string(),
                "memory-info.size-in-mib" => kind.memory.to_string(),
                _ => return None,
            }])
        };
        let asked = wanted.is_empty() || wanted.iter().any(|name| name == kind.name);
        if asked && super::filter::holds(&filters, &Default::default(), field)? {
            list.push(*kind);
        }
    }
    let (page, next) = call.page(list, start, Some(most.unwrap_or(100)));
    Ok(Call::answer("DescribeInstanceTypes", |xml| {
        xml.items("instanceTypeSet", &page, write).maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, kind: &Type) {
    let modes: &[&str] = match (kind.architecture, kind.nitro) {
        ("arm64", _) => &["uefi"],
        (_, true) => &["legacy-bios", "uefi"],
        _ => &["legacy-bios"],
    };
    xml.text("instanceType", kind.name)
        .text("currentGeneration", (!kind.name.starts_with("m1.")).to_string())
        .text("bareMetal", "false")
        .text("hypervisor", if kind.nitro { "nitro" } else { "xen" })
        .nest("processorInfo", |xml| {
            xml.texts("supportedArchitectures", [kind.architecture]);
        })
        .nest("vCpuInfo", |xml| {
            xml.text("defaultVCpus", kind.cores.to_string());
        })
        .nest("memoryInfo", |xml| {
            xml.text("sizeInMiB", kind.memory.to_string());
        })
        .text("instanceStorageSupported", (kind.disk > 0).to_string());
    if kind.disk > 0 {
        xml.nest("instanceStorageInfo", |xml| {
            let nvme = if kind.nitro { "required" } else { "unsupported" };
            xml.text("totalSizeInGB", kind.disk.to_string()).text("nvmeSupport", nvme);
        });
    }
    xml.texts("supportedRootDeviceTypes", ["ebs"])
        .texts("supportedVirtualizationTypes", ["hvm"])
        .texts("supportedBootModes", modes);
}

fn describe_euca(call: &Call<'_>) -> Answer {
    let wanted = call.params.list("InstanceType");
    let availability = call.params.flag("Availability")? == Some(true);
    let _ = call.params.flag("Verbose")?;
    call.params.finish()?;
    let known = all(call.shared);
    if let Some(name) = wanted.iter().find(|name| !known.iter().any(|have| have.name == **name)) {
        return Err(Refusal::bad("InvalidParameterValue", format!("Invalid instance type: {name}")));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let zones = holdings::zones(&call.shared.options, &call.caller.region);
    let list = known.iter().filter(|kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.name));
    Ok(Call::answer("DescribeInstanceTypes", |xml| {
        xml.items("instanceTypeDetails", list, |xml, kind| {
            xml.text("name", kind.name)
                .text("cpu", kind.cores.to_string())
                .text("disk", kind.disk.to_string())
                .text("memory", kind.memory.to_string())
                .text("networkInterfaces", "1");
            if availability {
                xml.items("availability", &zones, |xml, zone| {
                    let (free, most) = capacity(call.shared, region, zone, *kind);
                    xml.text("zoneName", zone)
                        .text("max", most.to_string())
                        .text("available", free.to_string());
                });
            }
        });
    }))
}
