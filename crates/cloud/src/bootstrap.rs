//! Eucalyptus' bootstrap service (`/services/Empyrean`), of version `eucalyptus`.
//!
//! Sources: `EmpyreanMessages.groovy` of Eucalyptus; euca2ools' `bundle/mixins.py`, which takes the entry of usage
//! `image-bundling` and service type `compute`. An old server does not know the filters: the entries are filtered
//! here.

use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const CERTIFICATES: Call = Call(Service::Bootstrap, "DescribeServiceCertificates");

/// The certificate for bundles (`DescribeServiceCertificates`, usage `image-bundling` of `compute`), as PEM.
///
/// # Errors
/// The service gives none; no right to ask (`euserv:DescribeServiceCertificates`); no answer.
pub fn bundling_certificate(client: &Client) -> Result<String, Error> {
    let mut query = Query::default();
    query.set("Format", "pem");
    let root = CERTIFICATES.query(client, &query)?;
    let certificate = entries(&root).find(|entry| {
        entry.at(&["certificateUsage"]) == Some("image-bundling")
            && entry.at(&["serviceType"]) == Some("compute")
    });
    let certificate = certificate
        .ok_or_else(|| CERTIFICATES.wrong("no certificate of usage image-bundling of the service compute"))?;
    let pem = CERTIFICATES.text(certificate, &["certificate"])?;
    if !pem.starts_with("-----BEGIN CERTIFICATE-----") {
        return Err(CERTIFICATES.wrong("certificate is no PEM"));
    }
    Ok(format!("{pem}\n"))
}

/// The entries of `serviceCertificates`, whatever they are called and however deep the list lies.
fn entries(root: &Element) -> Box<dyn Iterator<Item = &Element> + '_> {
    match root.child("serviceCertificates") {
        Some(list) => Box::new(list.children.iter()),
        None => Box::new(root.children.iter().flat_map(entries)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::served::{Served, ok};

    fn answer(entries: &[(&str, &str, &str)]) -> crate::served::Given {
        let entry = |(kind, usage, certificate): &(&str, &str, &str)| {
            format!(
                "<item><serviceType>{kind}</serviceType><certificateUsage>{usage}</certificateUsage>\
                 <certificateFormat>pem</certificateFormat><certificate>{certificate}</certificate></item>"
            )
        };
        let entries: String = entries.iter().map(entry).collect();
        ok(format!(
            "<DescribeServiceCertificatesResponse xmlns=\"http://msgs.eucalyptus.com\"><serviceCertificates>{entries}\
             </serviceCertificates></DescribeServiceCertificatesResponse>"
        ))
    }

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[test]
    fn the_certificate_for_bundles_is_found_among_others() {
        let other = PEM.replace("MIIB", "MIIC");
        let served = Served::new(
            Kind::Euca,
            [answer(&[
                ("compute", "other", &other),
                ("tokens", "image-bundling", &other),
                ("compute", "image-bundling", PEM),
            ])],
        );
        assert_eq!(bundling_certificate(&served.client()).unwrap(), PEM);
        let sent = served.only();
        assert_eq!(
            String::from_utf8_lossy(&sent.body),
            "Action=DescribeServiceCertificates&Version=eucalyptus&Format=pem"
        );
    }

    #[test]
    fn none_is_an_error() {
        for answer in [
            answer(&[]),
            answer(&[("compute", "image-bundling", "")]),
            answer(&[("compute", "image-bundling", "MIIB")]),
            answer(&[("tokens", "image-bundling", PEM)]),
            ok("<DescribeServiceCertificatesResponse/>"),
        ] {
            let error = bundling_certificate(&Served::new(Kind::Euca, [answer]).client()).unwrap_err();
            assert!(matches!(error, Error::Answer { .. }), "{error}");
        }
    }
}
