//! SPDX 2.3 as JSON (spdx.github.io/spdx-spec/v2.3).

use serde_json::{Value, json};

use crate::inventory::{Component, Inventory, Manager};
use crate::{Document, timestamp, uuid_of};

const ROOT: &str = "SPDXRef-Image";

/// The bill of materials as an SPDX document.
#[must_use]
pub fn spdx(inventory: &Inventory, document: &Document) -> Value {
    let ids: Vec<String> =
        inventory.components.iter().enumerate().map(|(index, one)| id_of(index, one)).collect();
    let mut packages = vec![image(inventory, document)];
    packages.extend(inventory.components.iter().zip(&ids).map(|(one, id)| package(one, id)));
    let mut relationships = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)];
    relationships.extend(ids.iter().map(|id| relation(ROOT, "CONTAINS", id)));
    for (one, id) in inventory.components.iter().zip(&ids) {
        relationships.extend(one.depends.iter().map(|index| relation(id, "DEPENDS_ON", &ids[*index])));
    }
    let purls: Vec<&str> = inventory.components.iter().map(|one| one.purl.as_str()).collect();
    let number = uuid_of(&[&[document.name.as_str(), &timestamp(document.created)], &purls[..]].concat());
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": document.name,
        "documentNamespace": format!("urn:uuid:{number}"),
        "creationInfo": {
            "created": timestamp(document.created),
            "creators": [format!("Tool: hardtack-{}", document.tool_version)],
        },
        "packages": packages,
        "relationships": relationships,
    })
}

/// What the document is about.
fn image(inventory: &Inventory, document: &Document) -> Value {
    let system = inventory.os.version_id.as_deref().unwrap_or("unknown");
    let (kind, summary) = match inventory.release {
        Some(_) => ("APPLICATION", "static programs and what is linked into them"),
        None => ("OPERATING-SYSTEM", inventory.os.pretty.as_deref().unwrap_or("an image without os-release")),
    };
    json!({
        "SPDXID": ROOT,
        "name": document.name,
        "versionInfo": inventory.release.as_deref().unwrap_or(system),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": kind,
        "summary": summary,
    })
}

fn package(one: &Component, id: &str) -> Value {
    let version = match (one.manager, one.epoch) {
        (Manager::Rpm, Some(epoch)) => format!("{epoch}:{}", one.version),
        _ => one.version.clone(),
    };
    let mut package = json!({
        "SPDXID": id,
        "name": one.name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        // Names of licences in the distribution's words are no SPDX expressions: they stand in the comment.
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "supplier": one.supplier.as_deref().map_or_else(|| "NOASSERTION".to_owned(), supplier),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": one.purl,
        }],
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            package[name] = value;
        }
    };
    // SPDX takes URLs only, and what people write here is not always one.
    let url = |text: &&String| ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    set("homepage", one.homepage.as_ref().filter(url).map(|text| json!(text)));
    set("summary", one.summary.as_ref().map(|text| json!(text)));
    set("sourceInfo", one.source.as_ref().map(|(name, version)| json!(format!("built of {name} {version}"))));
    let declared = one.licenses.first().filter(|_| one.is_expression());
    set("licenseDeclared", declared.map(|expression| json!(expression)));
    set(
        "licenseComments",
        (declared.is_none() && !one.licenses.is_empty())
            .then(|| json!(format!("named by the package: {}", one.licenses.join(", ")))),
    );
    set(
        "checksums",
        one.sha256.as_ref().map(|digest| json!([{"algorithm": "SHA256", "checksumValue": digest}])),
    );
    package
}

/// `Organization: Debian OpenSSH Maintainers (list@debian.org)`: what stands in angle brackets goes in parentheses.
fn supplier(text: &str) -> String {
    match text.rsplit_once('<') {
        Some((name, address)) if !name.trim().is_empty() && address.trim_end().ends_with('>') => {
            let plain = |text: &str| text.trim().trim_matches('"').replace(['(', ')', '<', '>'], "");
            format!("Organization: {} ({})", plain(name), plain(address))
        }
        _ => format!("Organization: {}", text.replace(['(', ')'], "")),
    }
}

/// Letters, digits, `.` and `-`; the place in the list tells two of one name apart.
fn id_of(index: usize, one: &Component) -> String {
    let name: String = one
        .name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' })
        .collect();
    format!("SPDXRef-Package-{index}-{name}")
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}
