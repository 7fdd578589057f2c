//! Each data source's own rule (`dscheck_*` in `tools/ds-identify`).

use super::marks::Marks;
use super::{config, shell, vmware};

/// What a rule says.
pub(super) enum Answer {
    /// It is this one, since…
    Found(String),
    /// It may be this one, since…
    Maybe(String),
    /// It is not.
    No,
}

use Answer::{Found, Maybe, No};

/// What the rule of `name` says, and the line of configuration that goes with it. `None` where there is no rule.
pub(super) fn check(marks: &Marks<'_>, name: &str) -> Option<(Answer, Option<String>)> {
    let maker =
        |vendor: &str| found_if(marks.vendor_is(vendor), || format!("the machine's vendor is {vendor}"));
    let product = |name: &str| found_if(marks.product_is(name), || format!("the product is {name}"));
    let answer = match name {
        "CloudStack" => product_starting(marks, "CloudStack"),
        "Exoscale" => product_starting(marks, "Exoscale"),
        "CloudCIX" => product("CloudCIX"),
        "CloudSigma" => product("CloudSigma"),
        "Akamai" => first([maker("Linode"), maker("Akamai")]),
        "DigitalOcean" => maker("DigitalOcean"),
        "UpCloud" => maker("UpCloud"),
        "Hetzner" => maker("Hetzner"),
        "NWCS" => maker("NWCS"),
        "LXD" => lxd(marks),
        "NoCloud" => no_cloud(marks),
        "ConfigDrive" => config_drive(marks),
        "OpenNebula" => {
            first([seed(marks, "opennebula", &["meta-data"]), label(marks, &["CONTEXT", "CDROM"])])
        }
        "RbxCloud" => label(marks, &["CLOUDMD", "cloudmd"]),
        "OVF" => vmware::ovf(marks),
        "VMware" => vmware::check(marks),
        "Azure" => {
            let chassis = found_if(is_azure(marks), || "the chassis has Azure's asset tag".to_owned());
            first([chassis, seed(marks, "azure", &["ovf-env.xml"])])
        }
        "Bigstep" => file(marks, "/var/lib/cloud/data/seed/bigstep/url"),
        "Ec2" => return Some(super::ec2::check(marks)),
        "GCE" => {
            let serial = !marks.container && marks.product_serial.starts_with("GoogleCloud-");
            let serial = found_if(serial, || "the serial number starts with GoogleCloud-".to_owned());
            first([product("Google Compute Engine"), serial])
        }
        "OpenStack" => openstack(marks),
        "AliYun" => first([seed(marks, "AliYun", &["meta-data", "user-data"]), product("Alibaba Cloud ECS")]),
        "AltCloud" => alt_cloud(marks),
        "SmartOS" => smart_os(marks),
        "None" => No,
        "Scaleway" => {
            // This one counts in containers too.
            let vendor =
                found_if(marks.sys_vendor == "Scaleway", || "the machine's vendor is Scaleway".to_owned());
            first([vendor, word(marks, "scaleway"), file(marks, "/var/run/scaleway")])
        }
        "Oracle" => {
            found_if(marks.asset_is("OracleCloud.com"), || "the chassis has Oracle's asset tag".to_owned())
        }
        "IBMCloud" => ibm(marks),
        "Vultr" => first([maker("Vultr"), word(marks, "vultr"), file(marks, "/etc/vultr")]),
        "WSL" => super::wsl::check(marks),
        _ => return None,
    };
    Some((answer, None))
}

pub(super) fn found_if(is: bool, why: impl FnOnce() -> String) -> Answer {
    if is { Found(why()) } else { No }
}

/// The first answer that is not no.
pub(super) fn first<const N: usize>(answers: [Answer; N]) -> Answer {
    answers.into_iter().find(|answer| !matches!(answer, No)).unwrap_or(No)
}

pub(super) fn seed(marks: &Marks<'_>, name: &str, files: &[&str]) -> Answer {
    marks.seed(name, files).map_or(No, |path| Found(format!("there is a seed in {path}")))
}

fn label(marks: &Marks<'_>, labels: &[&str]) -> Answer {
    marks.label(labels).map_or(No, |label| Found(format!("a file system has the label {label}")))
}

fn file(marks: &Marks<'_>, path: &str) -> Answer {
    found_if(marks.is_file(path), || format!("there is {path}"))
}

fn word(marks: &Marks<'_>, word: &str) -> Answer {
    found_if(marks.has_word(word), || format!("the kernel's command line has the word {word}"))
}

fn product_starting(marks: &Marks<'_>, start: &str) -> Answer {
    found_if(marks.product_starts(start), || format!("the product's name starts with {start}"))
}

pub(super) fn is_azure(marks: &Marks<'_>) -> bool {
    marks.asset_is("7783-7084-3265-9085-8269-3286-77")
}

fn lxd(marks: &Marks<'_>) -> Answer {
    if marks.machine.exists("/dev/lxd/sock") {
        return Found("there is LXD's socket /dev/lxd/sock".to_owned());
    }
    if !matches!(marks.question.virtualization, "kvm" | "qemu") {
        return No;
    }
    const PORTS: &str = "/sys/class/virtio-ports";
    for port in marks.machine.list(PORTS).iter().filter(|port| !port.starts_with('.')) {
        let Some(name) = marks.machine.read(&format!("{PORTS}/{port}/name")) else { continue };
        let (name, _) = shell::read(&name);
        if matches!(name.as_str(), "com.canonical.lxd" | "org.linuxcontainers.lxd") {
            return Found(format!("the virtio port {port} is LXD's"));
        }
    }
    No
}

fn no_cloud(marks: &Marks<'_>) -> Answer {
    if format!(" {} ", marks.product_serial).contains(" ds=nocloud") {
        return Found("the serial number says ds=nocloud".to_owned());
    }
    const FILES: [&str; 2] = ["meta-data", "user-data"];
    for name in ["nocloud", "nocloud-net"] {
        if let Some(path) = marks.seed(name, &FILES).or_else(|| marks.writable_seed(name, &FILES)) {
            return Found(format!("there is a seed in {path}"));
        }
    }
    if let found @ Found(_) = label(marks, &["cidata", "CIDATA"]) {
        return found;
    }
    let configured = |key: &str| config::value(marks.machine, key).is_some();
    let of_config = configured("NoCloud")
        && ((configured("user-data") && configured("meta-data")) || configured("seedfrom"));
    found_if(of_config, || "/etc/cloud configures a seed for NoCloud".to_owned())
}

/// `check_configdrive_v2`.
fn config_drive(marks: &Marks<'_>) -> Answer {
    const SEED: &str = "/var/lib/cloud/seed/config_drive";
    for directory in ["/config-drive", SEED] {
        let mut versions = marks.machine.list(&format!("{directory}/openstack"));
        versions.sort_unstable();
        let path = versions
            .iter()
            .filter(|version| is_version(version))
            .map(|version| format!("{directory}/openstack/{version}/meta_data.json"))
            .find(|path| marks.machine.exists(path));
        if let Some(path) = path.filter(|path| marks.is_file(path)) {
            return Found(format!("there is {path}"));
        }
    }
    let latest = format!("{SEED}/openstack/latest/meta_data.json");
    if marks.machine.exists(&latest) {
        return Found(format!("there is {latest}"));
    }
    if shell::words(&marks.list).any(|name| name == "IBMCloud") && is_ibm(marks) {
        return No;
    }
    label(marks, &["CONFIG-2", "config-2"])
}

/// `2???-??-??`.
fn is_version(name: &str) -> bool {
    let characters: Vec<char> = name.chars().collect();
    characters.len() == 10
        && characters.first() == Some(&'2')
        && characters.get(4) == Some(&'-')
        && characters.get(7) == Some(&'-')
}

fn openstack(marks: &Marks<'_>) -> Answer {
    // With a config drive the service is not asked.
    if let Found(_) = config_drive(marks) {
        return No;
    }
    let named = ["OpenStack Nova", "OpenStack Compute"];
    if let Some(name) = named.iter().find(|name| marks.product_is(name)) {
        return Found(format!("the product is {name}"));
    }
    if marks.pid1_product_name == "OpenStack Nova" {
        return Found("process 1 has the product name OpenStack Nova in its environment".to_owned());
    }
    let tags = ["OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform"];
    if let Some(tag) = tags.iter().chain(&named).find(|tag| marks.asset_is(tag)) {
        return Found(format!("the chassis has the asset tag {tag}"));
    }
    if is_intel(marks.question.architecture) {
        return No;
    }
    Maybe("OpenStack leaves no mark on machines other than Intel's".to_owned())
}

/// `i?86 | x86_64`.
fn is_intel(architecture: &str) -> bool {
    let i86 = |rest: &str| {
        let mut characters = rest.chars();
        characters.next().is_some() && characters.as_str() == "86"
    };
    architecture == "x86_64" || architecture.strip_prefix('i').is_some_and(i86)
}

/// The script compares with the patterns themselves, so that neither kind is ever recognised.
fn alt_cloud(marks: &Marks<'_>) -> Answer {
    let kind = match marks.machine.read("/etc/sysconfig/cloud-info") {
        Some(bytes) => shell::read(&bytes).0,
        None => marks.product_name.clone(),
    };
    let device = match kind.as_str() {
        "[Rr][Hh][Ee][Vv]" => "/dev/floppy",
        "[Vv][Ss][Pp][Hh][Ee][Rr][Ee]" => "/dev/disk/by-label/CDROM",
        _ => return No,
    };
    if marks.machine.exists(device) { Maybe(format!("there is {device}")) } else { No }
}

fn smart_os(marks: &Marks<'_>) -> Answer {
    let brand =
        marks.kernel == "BrandZ virtual linux" && marks.machine.exists("/native/.zonecontrol/metadata.sock");
    let brand = found_if(brand, || "the kernel is SmartOS's own".to_owned());
    first([product_starting(marks, "SmartDC"), brand])
}

fn ibm(marks: &Marks<'_>) -> Answer {
    if is_ibm_provisioning(marks) {
        return No;
    }
    found_if(is_ibm(marks), || "Xen with the disks of IBM's cloud".to_owned())
}

fn is_ibm_provisioning(marks: &Marks<'_>) -> bool {
    marks.is_file("/root/provisioningConfiguration.cfg")
        && (!marks.is_file("/root/swinstall.log") || marks.question.answers.provisioned_in_this_boot)
}

fn is_ibm(marks: &Marks<'_>) -> bool {
    marks.question.virtualization == "xen"
        && (is_ibm_provisioning(marks)
            || marks.label(&["METADATA", "metadata"]).is_some()
            || (marks.has_uuid("9796-932E") && marks.label(&["CONFIG-2", "config-2"]).is_some()))
}
