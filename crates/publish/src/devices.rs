//! Block devices as euca2ools writes them (`euca2ools/commands/argtypes.py`, `ec2_block_device_mapping`):
//! `DEVICE=[SNAPSHOT]:[GIB]:[true|false]:[TYPE[:IOPS]]`, `DEVICE=ephemeralN`, `DEVICE=none`.

use hardtack_cloud::ec2::Mapping;

use crate::Error;

/// What a mapping is, for people.
pub const FORM: &str =
    "it is DEVICE=SNAPSHOT:GIB:true|false:TYPE:IOPS (any of them empty), DEVICE=ephemeralN or DEVICE=none";

/// Reads mappings; a device has one of them.
///
/// # Errors
/// [`Error::Usage`], which names the part that is wrong.
pub fn mappings(given: &[String]) -> Result<Vec<Mapping>, Error> {
    let all = given.iter().map(|text| mapping(text)).collect::<Result<Vec<_>, _>>()?;
    for (index, one) in all.iter().enumerate() {
        if all.iter().take(index).any(|other| other.device == one.device) {
            return Err(Error::Usage(format!("--block-device-mapping {}: it is given twice", one.device)));
        }
    }
    Ok(all)
}

fn mapping(whole: &str) -> Result<Mapping, Error> {
    let bad = |what: &str| Error::Usage(format!("--block-device-mapping {whole}: {what}"));
    let (device, text) = whole.split_once('=').ok_or_else(|| bad("there is no = behind a device"))?;
    if device.is_empty() {
        return Err(bad("there is no device before the ="));
    }
    let plain = Mapping { device: device.to_owned(), ..Mapping::default() };
    if text.eq_ignore_ascii_case("none") {
        return Ok(Mapping { none: true, ..plain });
    }
    if text.starts_with("ephemeral") {
        return Ok(Mapping { virtual_name: Some(text.to_owned()), ..plain });
    }
    if text.is_empty() {
        return Err(bad("nothing is behind the =; none takes a device of the image away"));
    }
    if !["snap-", "vol-", ":"].iter().any(|begin| text.starts_with(begin)) {
        return Err(bad("its first part is no snapshot (snap-…), and not empty"));
    }
    let mut fields = text.split(':').map(|field| Some(field).filter(|field| !field.is_empty()));
    let mut next = || fields.next().flatten();
    let snapshot = next();
    let size = next().map(|size| size.parse().map_err(|_| bad("its second part is no number of GiB")));
    let delete = next().map(|word| match word.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad("its third part, whether it goes with its instance, is neither true nor false")),
    });
    let volume_type = next();
    let iops = next().map(|iops| match volume_type {
        Some("standard") => Err(bad("volumes of the type standard have no IOPS, the fifth part")),
        _ => iops.parse().map_err(|_| bad("its fifth part, IOPS, is no number")),
    });
    if fields.next().is_some() {
        return Err(bad("it has more than five parts"));
    }
    if snapshot.is_none() && size.is_none() && delete.is_none() && volume_type.is_none() && iops.is_none() {
        return Err(bad("all its parts are empty; none takes a device of the image away"));
    }
    Ok(Mapping {
        snapshot: snapshot.map(str::to_owned),
        size: size.transpose()?,
        delete_on_termination: delete.transpose()?,
        volume_type: volume_type.map(str::to_owned),
        iops: iops.transpose()?,
        ..plain
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn texts(given: &[&str]) -> Vec<String> {
        given.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn devices_are_read_as_euca2ools_writes_them() {
        let found = mappings(&texts(&[
            "/dev/sdb=snap-1:20:false:io1:300",
            "/dev/sdc=ephemeral0",
            "/dev/sdd=NONE",
            "/dev/sde=:5",
            "/dev/sda=::True",
            "/dev/sdf=:1::standard",
        ]));
        let found = found.unwrap();
        assert_eq!(found[0].snapshot.as_deref(), Some("snap-1"));
        assert_eq!(
            (found[0].size, found[0].iops, found[0].delete_on_termination),
            (Some(20), Some(300), Some(false))
        );
        assert_eq!(found[0].volume_type.as_deref(), Some("io1"));
        assert_eq!(found[1].virtual_name.as_deref(), Some("ephemeral0"));
        assert!(found[2].none);
        assert_eq!((found[3].size, found[3].snapshot.as_deref()), (Some(5), None));
        assert_eq!((found[4].size, found[4].delete_on_termination), (None, Some(true)));
        assert_eq!(found[5].volume_type.as_deref(), Some("standard"));
    }

    #[test]
    fn what_is_wrong_names_its_part() {
        for (bad, part) in [
            ("/dev/sdb", "no ="),
            ("=snap-1", "no device"),
            ("/dev/sdb=", "nothing is behind"),
            ("/dev/sdb=foo", "first part"),
            ("/dev/sdb=snap-1:x", "second part"),
            ("/dev/sdb=snap-1:1:maybe", "third part"),
            ("/dev/sdb=snap-1:1:true:io1:fast", "fifth part"),
            ("/dev/sdb=snap-1:1:true:standard:100", "standard"),
            ("a=:1:true:gp2:1:2", "more than five"),
            ("a=::::", "all its parts"),
        ] {
            let error = mappings(&texts(&[bad])).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(bad), "{bad}: {error}");
        }
        assert!(mappings(&texts(&["a=:1", "a=:2"])).unwrap_err().to_string().contains("twice"));
    }
}
