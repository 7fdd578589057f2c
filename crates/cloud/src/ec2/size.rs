//! Instance types: `DescribeInstanceTypes`, which two clouds mean differently.
//!
//! Sources: the EC2 API reference; for Eucalyptus `VmTypeMessages.groovy` and `VmTypesManager.java`, the same from 3.4
//! to 4.4: only administrators are told of capacity (`Availability`), others are refused with `AuthFailure`.

use super::filter::{add_filters, entries, items, pages};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const TYPES: Call = Call(Service::Ec2, "DescribeInstanceTypes");

/// Types of a page: EC2 gives no more here.
const OF_PAGE: u16 = 100;

/// A type of instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceType {
    /// `t3.small`.
    pub name: String,
    /// Processors.
    pub processors: u32,
    /// MiB of memory.
    pub memory: u64,
    /// GB of disks of its own, all together; on Eucalyptus GiB, the root disk of an instance-store image among them.
    pub disk: Option<u64>,
    /// `x86_64`, `arm64`, `i386`; Eucalyptus does not say.
    pub architectures: Vec<String>,
    /// `nitro`, `xen`; nothing on bare metal and on Eucalyptus.
    pub hypervisor: Option<String>,
    /// It is a whole machine.
    pub bare_metal: bool,
    /// `legacy-bios`, `uefi`.
    pub boot_modes: Vec<String>,
    /// `hvm`, `paravirtual`.
    pub virtualizations: Vec<String>,
    /// Network interfaces, at most.
    pub interfaces: Option<u32>,
    /// What is free, by zone. Eucalyptus' administrators only.
    pub capacity: Vec<Capacity>,
}

/// How many instances of a type a zone has room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// The zone.
    pub zone: String,
    /// So many more could be started.
    pub available: u32,
    /// So many there could be at most.
    pub most: u32,
}

/// `DescribeInstanceTypes`: those of `names`, or all, in the cloud's order. Eucalyptus is asked for capacity too; who is
/// not told gets the types without it. `filters` are AWS'.
///
/// # Errors
/// `InvalidInstanceType`: one of the names is no type's; filters for Eucalyptus; no answer.
pub fn describe_instance_types(
    client: &Client,
    names: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<InstanceType>, Error> {
    let mut query = Query::default();
    query.list("InstanceType", names.iter().copied());
    if client.place().kind == Kind::Euca {
        if !filters.is_empty() {
            return Err(TYPES.unusable("Eucalyptus knows no filters of types; give names"));
        }
        return euca(client, &query);
    }
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    pages(TYPES, client, &query, Some(OF_PAGE).filter(|_| names.is_empty()), |root| {
        for entry in items(TYPES, root, "instanceTypeSet")? {
            found.push(of_aws(entry)?);
        }
        Ok(())
    })?;
    Ok(found)
}

fn euca(client: &Client, query: &Query) -> Result<Vec<InstanceType>, Error> {
    let mut whole = query.clone();
    whole.set("Availability", "true");
    let root = match TYPES.query(client, &whole) {
        Err(error)
            if ["AuthFailure", "AccessDenied", "UnauthorizedOperation"].iter().any(|code| error.is(code)) =>
        {
            TYPES.query(client, query)?
        }
        other => other?,
    };
    items(TYPES, &root, "instanceTypeDetails")?.map(of_euca).collect()
}

fn of_aws(entry: &Element) -> Result<InstanceType, Error> {
    let each = |path: &[&str], name: &str| -> Vec<String> {
        let inner = path.iter().try_fold(entry, |element, name| element.child(name));
        let texts = inner.into_iter().flat_map(|element| entries(element, name));
        texts.map(|item| item.text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    Ok(InstanceType {
        name: TYPES.text(entry, &["instanceType"])?.to_owned(),
        processors: TYPES.number(entry, &["vCpuInfo", "defaultVCpus"])?.unwrap_or(0),
        memory: TYPES.number(entry, &["memoryInfo", "sizeInMiB"])?.unwrap_or(0),
        disk: TYPES.number(entry, &["instanceStorageInfo", "totalSizeInGB"])?,
        architectures: each(&["processorInfo"], "supportedArchitectures"),
        hypervisor: entry.trimmed(&["hypervisor"]),
        bare_metal: TYPES.flag(entry, &["bareMetal"])?.unwrap_or(false),
        boot_modes: each(&[], "supportedBootModes"),
        virtualizations: each(&[], "supportedVirtualizationTypes"),
        interfaces: TYPES.number(entry, &["networkInfo", "maximumNetworkInterfaces"])?,
        capacity: Vec::new(),
    })
}

fn of_euca(entry: &Element) -> Result<InstanceType, Error> {
    let capacity = |item: &Element| {
        Ok(Capacity {
            zone: TYPES.text(item, &["zoneName"])?.to_owned(),
            available: TYPES.number(item, &["available"])?.unwrap_or(0),
            most: TYPES.number(item, &["max"])?.unwrap_or(0),
        })
    };
    Ok(InstanceType {
        name: TYPES.text(entry, &["name"])?.to_owned(),
        processors: TYPES.number(entry, &["cpu"])?.unwrap_or(0),
        memory: TYPES.number(entry, &["memory"])?.unwrap_or(0),
        disk: TYPES.number(entry, &["disk"])?,
        interfaces: TYPES.number(entry, &["networkInterfaces"])?,
        capacity: entries(entry, "availability").map(capacity).collect::<Result<_, Error>>()?,
        ..InstanceType::default()
    })
}
