//! `RegisterImage`: from snapshots, and from a bundle's manifest, with all that is refused.

use std::collections::BTreeSet;

use super::Call;
use crate::bundle;
use crate::params::wrong;
use crate::refusal::{Answer, Refusal};
use crate::world::{Image, Mapping, Region, State};

/// Types of volumes.
pub(super) const VOLUMES: [&str; 7] = ["standard", "io1", "io2", "gp2", "gp3", "sc1", "st1"];

/// `RegisterImage`.
pub(crate) fn register(call: &Call<'_>) -> Answer {
    let (mut image, tags) = parse(call)?;
    call.params.finish()?;
    image.tags = tags;
    check_name(call, &image.name)?;
    let found = if image.location.is_empty() {
        None
    } else {
        Some(bundle::fetch(call.shared, &image.location, &call.caller.account)?)
    };
    let euca = call.shared.euca();
    let digest = match found {
        Some(found) => {
            if call.params.peek("Architecture").is_none() {
                image.architecture = found.manifest.architecture.clone();
            }
            image.kernel = image.kernel.take().or(found.manifest.kernel.clone());
            image.ramdisk = image.ramdisk.take().or(found.manifest.ramdisk.clone());
            image.kind = found.kind;
            Some(found.sha256)
        }
        None => None,
    };
    if euca && image.kind == "machine" && image.virtualization == "paravirtual" && image.kernel.is_none() {
        return Err(Refusal::bad("MissingParameter", "Kernel ID must be specified"));
    }
    let mut world = call.shared.world();
    let prefix = match (euca, image.kind) {
        (false, _) => "ami",
        (true, "kernel") => "eki",
        (true, "ramdisk") => "eri",
        (true, _) => "emi",
    };
    image.id = world.id(prefix, euca);
    let region = world.region(&call.caller.region);
    let same = |have: &&Image| have.owner == call.caller.account && have.name == image.name;
    if let Some(have) = region.images.values().find(same) {
        let text = format!("AMI name {} is already in use by AMI {}", image.name, have.id);
        return Err(Refusal::bad("InvalidAMIName.Duplicate", text));
    }
    if digest.is_none() {
        check_mappings(region, &mut image)?;
        image.location = format!("{}/{}", image.owner, image.name);
    }
    let id = image.id.clone();
    region.images.insert(id.clone(), image);
    if let Some(digest) = digest {
        world.unbundled.insert(id.clone(), digest);
    }
    Ok(Call::answer("RegisterImage", |xml| {
        xml.text("imageId", &id);
    }))
}

/// "The name must be 3-128 characters" of letters, digits and `()[] ./-'@_`.
pub(crate) fn check_name(call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let good = |char: char| char.is_ascii_alphanumeric() || "()[] ./-'@_".contains(char);
    let euca = call.shared.euca();
    if (3..=128).contains(&name.chars().count()) && (name.chars().all(good) || euca) {
        return Ok(());
    }
    let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', \
                '.', '-', '/' and '_'";
    Err(Refusal::bad("InvalidAMIName.Malformed", text))
}

fn parse(call: &Call<'_>) -> Result<(Image, crate::world::Tags), Refusal> {
    let (params, euca) = (&call.params, call.shared.euca());
    let architectures: &[&str] =
        if euca { &["i386", "x86_64"] } else { &["i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"] };
    let location = params.get("ImageLocation").unwrap_or_default();
    let (mappings, _) = mappings(call, false)?;
    if location.is_empty() && mappings.is_empty() {
        let text = "The request must contain the parameter ImageLocation or BlockDeviceMapping";
        return Err(Refusal::bad("MissingParameter", text));
    }
    let virtualization = params.one_of("VirtualizationType", &["hvm", "paravirtual"])?;
    let (boot_mode, tpm, imds, uefi_data, ena, sriov, platform, tags) = if euca {
        let platform = params.one_of("Platform", &["windows"])?;
        (None, None, None, None, None, None, platform, Default::default())
    } else {
        let mut tags = params.specified_tags(&["image"])?;
        (
            params.one_of("BootMode", &["legacy-bios", "uefi", "uefi-preferred"])?,
            params.one_of("TpmSupport", &["v2.0"])?,
            params.one_of("ImdsSupport", &["v2.0"])?,
            params.get("UefiData"),
            params.flag("EnaSupport")?,
            params.one_of("SriovNetSupport", &["simple"])?,
            None,
            tags.remove("image").unwrap_or_default(),
        )
    };
    let architecture = params.one_of("Architecture", architectures)?.unwrap_or_else(|| "i386".to_owned());
    let virtualization = virtualization.unwrap_or_else(|| "paravirtual".to_owned());
    let hvm_only = ena == Some(true) || sriov.is_some() || boot_mode.is_some();
    if hvm_only && virtualization != "hvm" {
        let text = "ENA, SR-IOV and boot modes are supported only by the virtualization type hvm";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let uefi = matches!(boot_mode.as_deref(), Some("uefi" | "uefi-preferred"));
    if tpm.is_some() && boot_mode.as_deref() != Some("uefi") {
        let text = "TpmSupport 'v2.0' requires the boot mode 'uefi'";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    if uefi_data.is_some() && !uefi {
        let text = "UefiData requires the boot mode 'uefi' or 'uefi-preferred'";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    if architecture == "arm64" && (virtualization != "hvm" || boot_mode.as_deref() == Some("legacy-bios")) {
        let text = "The architecture 'arm64' needs hvm, and boots by UEFI";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let description = params.get("Description");
    if description.as_ref().is_some_and(|text| text.chars().count() > 255) {
        return Err(wrong("Description", "more than 255 characters"));
    }
    let root_type = if location.is_empty() { "ebs" } else { "instance-store" };
    let root_device = params.get("RootDeviceName");
    let image = Image {
        id: String::new(),
        name: params.need("Name")?,
        description,
        owner: call.caller.account.clone(),
        location,
        architecture,
        virtualization,
        kind: "machine",
        root_device: root_device.or_else(|| Some("/dev/sda1".to_owned())),
        root_type,
        mappings,
        boot_mode,
        tpm,
        imds,
        uefi_data,
        ena,
        sriov,
        kernel: params.get("KernelId"),
        ramdisk: params.get("RamdiskId"),
        platform,
        created: call.shared.now(),
        state: State::Pending(Some(call.shared.options.image_polls)),
        tags: Default::default(),
        all_users: false,
        users: BTreeSet::new(),
        organizations: BTreeSet::new(),
        units: BTreeSet::new(),
        source: None,
        unseen: call.shared.options.describe_misses,
    };
    Ok((image, tags))
}

/// `BlockDeviceMapping.N`, and the names of those with `NoDevice`. `launch`: of instances, whose devices can be
/// encrypted whatever they are made of.
pub(super) fn mappings(call: &Call<'_>, launch: bool) -> Result<(Vec<Mapping>, Vec<String>), Refusal> {
    let params = &call.params;
    let (mut mappings, mut without): (Vec<Mapping>, Vec<String>) = (Vec::new(), Vec::new());
    for prefix in params.structures("BlockDeviceMapping") {
        let name = |rest: &str| format!("{prefix}.{rest}");
        let mut mapping = Mapping {
            device: params.need(&name("DeviceName"))?,
            virtual_name: params.get(&name("VirtualName")),
            snapshot: params.get(&name("Ebs.SnapshotId")),
            size: params.number(&name("Ebs.VolumeSize"))?,
            volume_type: params.one_of(&name("Ebs.VolumeType"), &VOLUMES)?,
            delete_on_termination: params.flag(&name("Ebs.DeleteOnTermination"))?,
            iops: params.number(&name("Ebs.Iops"))?,
            throughput: params.number(&name("Ebs.Throughput"))?,
            encrypted: false,
        };
        let encrypted = params.flag(&name("Ebs.Encrypted"))?;
        mapping.encrypted = launch && encrypted == Some(true);
        if launch {
            let _ = params.get(&name("Ebs.KmsKeyId"));
        }
        if encrypted.is_some() && mapping.snapshot.is_some() && !launch {
            let text = "The parameter encrypted cannot be used with the parameter snapshotId";
            return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
        }
        let none = params.peek(&name("NoDevice")).is_some();
        let _ = params.get(&name("NoDevice"));
        if mappings.iter().any(|have| have.device == mapping.device) {
            let text =
                format!("The device '{}' is used in more than one block-device mapping", mapping.device);
            return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
        }
        let fast = matches!(mapping.volume_type.as_deref(), Some("io1" | "io2" | "gp3"));
        if (mapping.iops.is_some() && !fast)
            || (mapping.throughput.is_some() && mapping.volume_type.as_deref() != Some("gp3"))
        {
            let text = "The parameter iops or throughput is not supported for this volume type";
            return Err(Refusal::bad("InvalidParameterCombination", text));
        }
        if none {
            without.push(mapping.device);
        } else {
            mappings.push(mapping);
        }
    }
    Ok((mappings, without))
}

/// The root is a snapshot, and every snapshot is the account's own, completed, and not larger than its volume.
fn check_mappings(region: &Region, image: &mut Image) -> Result<(), Refusal> {
    let root = image.root_device.clone().unwrap_or_default();
    let has = |mapping: &&Mapping| mapping.device == root && mapping.snapshot.is_some();
    if !image.mappings.iter().any(|mapping| has(&mapping)) {
        let text = format!("No root snapshot specified in device mapping ({root})");
        return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
    }
    for mapping in &mut image.mappings {
        let Some(id) = &mapping.snapshot else { continue };
        let snapshot = region.snapshots.get(id).filter(|have| super::snapshots::visible(have, &image.owner));
        let snapshot = snapshot.ok_or_else(|| {
            Refusal::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
        })?;
        if snapshot.owner != image.owner {
            let text = format!("The snapshot '{id}' is not the account's own: register a copy of it");
            return Err(Refusal::bad("InvalidSnapshot.NotFound", text));
        }
        if snapshot.state != State::Ready {
            let text = format!("Snapshot '{id}' is not in the state 'completed'");
            return Err(Refusal::bad("IncorrectState", text));
        }
        if mapping.size.is_some_and(|size| size < snapshot.size) {
            let text = format!(
                "Volume of size {}GB is smaller than snapshot '{id}', expect size >= {}GB",
                mapping.size.unwrap_or_default(),
                snapshot.size
            );
            return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
        }
        mapping.size = mapping.size.or(Some(snapshot.size));
        mapping.encrypted = snapshot.key.is_some();
    }
    Ok(())
}
