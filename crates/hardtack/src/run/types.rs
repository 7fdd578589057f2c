//! `hardtack types`: as euca-describe-instance-types, with capacity by zone where that is told.

use std::collections::BTreeSet;
use std::io::Write as _;

use hardtack_launch::machine::Size;
use serde_json::{Value, json};

use super::machines::Fleet;
use crate::args::TypesArgs;
use crate::error::CliError;

/// Runs the verb.
pub(crate) fn run(arguments: &TypesArgs) -> Result<u8, CliError> {
    let sizes =
        Fleet::find(&arguments.place)?.with(|machines| machines.sizes(&arguments.types).map_err(unknown))?;
    let text = if arguments.json {
        format!("{}\n", Value::Array(sizes.iter().map(object).collect()))
    } else {
        text(&sizes)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
    Ok(0)
}

/// A type that there is not is a matter of the command line.
fn unknown(error: hardtack_publish::Error) -> CliError {
    match &error {
        hardtack_publish::Error::Cloud(cloud) if cloud.is("InvalidInstanceType") => {
            CliError::refused(error.to_string()).hint("`hardtack types` without names lists all")
        }
        _ => error.into(),
    }
}

fn object(size: &Size) -> Value {
    let free: Vec<Value> = size
        .free
        .iter()
        .map(|(zone, available, most)| json!({"zone": zone, "available": available, "most": most}))
        .collect();
    json!({
        "name": size.name,
        "processors": size.processors,
        "memory": size.memory,
        "disk": size.disk,
        "interfaces": size.interfaces,
        "architectures": size.architectures,
        "free": free,
    })
}

/// One table; one for each zone where capacity is told, with an empty line behind each
/// (`commands/ec2/describeinstancetypes.py` of euca2ools, `--show-capacity --by-zone`).
fn text(sizes: &[Size]) -> String {
    let zones: BTreeSet<&str> =
        sizes.iter().flat_map(|size| size.free.iter().map(|(zone, ..)| zone.as_str())).collect();
    if zones.is_empty() {
        return table(sizes.iter().map(|size| (size, None)).collect());
    }
    let mut text = String::new();
    for zone in zones {
        let room = |size: &Size| {
            size.free.iter().find(|(name, ..)| name == zone).map(|(_, free, most)| (*free, *most))
        };
        let rows = sizes.iter().filter_map(|size| Some((size, Some(room(size)?)))).collect();
        text.push_str(&format!("AVAILABILITYZONE\t{}\n{}\n", plain(zone), table(rows)));
    }
    text
}

/// What a service says is nothing that a terminal should obey.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '?' } else { char }).collect()
}

/// `INSTANCETYPE`, a tab, and columns: the name to the left, numbers to the right.
fn table(sizes: Vec<(&Size, Option<(u32, u32)>)>) -> String {
    let capacity = sizes.iter().any(|(_, room)| room.is_some());
    let mut rows: Vec<[String; 8]> = vec![
        ["Name", "CPUs", "Memory (MiB)", "Disk (GiB)", "NICs", "Used", "Total", "Used %"].map(str::to_owned),
    ];
    for (size, room) in sizes {
        let (free, most) = room.unwrap_or_default();
        let used = most.saturating_sub(free);
        let percent = match most {
            0 => String::new(),
            most => format!("{:.0}%", f64::from(used) * 100.0 / f64::from(most)),
        };
        rows.push([
            plain(&size.name),
            size.processors.to_string(),
            size.memory.to_string(),
            size.disk.map_or("0".to_owned(), |disk| disk.to_string()),
            size.interfaces.map_or(String::new(), |count| count.to_string()),
            used.to_string(),
            most.to_string(),
            percent,
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [name, cpus, memory, disk, nics, used, total, percent] = widths;
    let mut text = String::new();
    for [a, b, c, d, e, f, g, h] in &rows {
        text.push_str(&format!("INSTANCETYPE\t{a:<name$}  {b:>cpus$}  {c:>memory$}  {d:>disk$}  {e:>nics$}"));
        if capacity {
            text.push_str(&format!("  {f:>used$} / {g:>total$}  {h:>percent$}"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn tables_are_those_of_euca2ools() {
        let size = |name: &str, free: &[(&str, u32, u32)]| Size {
            name: name.into(),
            processors: 1,
            memory: 256,
            disk: Some(5),
            interfaces: Some(2),
            free: free.iter().map(|(zone, free, most)| ((*zone).to_owned(), *free, *most)).collect(),
            ..Size::default()
        };
        let expected = "INSTANCETYPE\tName      CPUs  Memory (MiB)  Disk (GiB)  NICs\n\
                        INSTANCETYPE\tm1.small     1           256           5     2\n";
        assert_eq!(text(&[size("m1.small", &[])]), expected);
        let told = [size("m1.small", &[("two", 3, 4), ("one", 0, 0)]), size("c1.xlarge", &[("two", 10, 10)])];
        let expected = "\
            AVAILABILITYZONE\tone\n\
            INSTANCETYPE\tName      CPUs  Memory (MiB)  Disk (GiB)  NICs  Used / Total  Used %\n\
            INSTANCETYPE\tm1.small     1           256           5     2     0 /     0        \n\
            \n\
            AVAILABILITYZONE\ttwo\n\
            INSTANCETYPE\tName       CPUs  Memory (MiB)  Disk (GiB)  NICs  Used / Total  Used %\n\
            INSTANCETYPE\tm1.small      1           256           5     2     1 /     4     25%\n\
            INSTANCETYPE\tc1.xlarge     1           256           5     2     0 /    10      0%\n\
            \n";
        assert_eq!(text(&told), expected);
    }
}
