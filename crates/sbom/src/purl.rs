//! Package URLs (the purl specification, types `deb`, `rpm`, `cargo` and `generic`).

use std::fmt::Write as _;

use crate::inventory::{Component, Manager, Origin};

/// `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12`.
pub(crate) fn purl(component: &Component, os: &Origin) -> String {
    let namespace = match component.manager {
        Manager::Dpkg => format!("deb/{}/", encoded(&os.id)),
        Manager::Rpm => format!("rpm/{}/", encoded(&os.id)),
        Manager::Cargo => "cargo/".to_owned(),
        Manager::None => "generic/".to_owned(),
    };
    // The epoch of an rpm is a qualifier, that of a deb a part of the version.
    let mut text = format!("pkg:{namespace}{}@{}", encoded(&component.name), encoded(&component.version));
    let mut qualifiers = Vec::new();
    if let Some(architecture) = &component.architecture {
        qualifiers.push(("arch", architecture.clone()));
    }
    if matches!(component.manager, Manager::Dpkg | Manager::Rpm) {
        match &os.version_id {
            Some(version) => qualifiers.push(("distro", format!("{}-{version}", os.id))),
            None => qualifiers.push(("distro", os.id.clone())),
        }
    }
    if let Some(epoch) = component.epoch.filter(|_| component.manager == Manager::Rpm) {
        qualifiers.push(("epoch", epoch.to_string()));
    }
    if let Some((name, version)) = &component.source {
        let source = match component.manager {
            Manager::Dpkg => format!("{name}@{version}"),
            _ => name.clone(),
        };
        qualifiers.push(("upstream", source));
    }
    for (index, (name, value)) in qualifiers.iter().enumerate() {
        let _ = write!(text, "{}{name}={}", if index == 0 { '?' } else { '&' }, encoded(value));
    }
    text
}

/// Everything but letters, digits and `.-_~:` in percent signs, as the specification has it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_letter_is_encoded() {
        let os = Origin { id: "debian".into(), version_id: Some("12".into()), ..Origin::default() };
        let component = Component {
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1".into(),
            architecture: Some("amd64".into()),
            source: Some(("gcc-12".into(), "12.2.0".into())),
            ..Component::default()
        };
        assert_eq!(
            purl(&component, &os),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0"
        );
    }

    #[test]
    fn the_epoch_of_an_rpm_is_a_qualifier() {
        let os = Origin { id: "centos".into(), version_id: Some("6".into()), ..Origin::default() };
        let component = Component {
            manager: Manager::Rpm,
            name: "bind".into(),
            version: "9.8.2-0.68".into(),
            epoch: Some(32),
            architecture: Some("x86_64".into()),
            ..Component::default()
        };
        assert_eq!(
            purl(&component, &os),
            "pkg:rpm/centos/bind@9.8.2-0.68?arch=x86_64&distro=centos-6&epoch=32"
        );
    }
}
