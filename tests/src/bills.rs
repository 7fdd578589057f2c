//! Bills of materials judged by SPDX's and CycloneDX's own Python libraries, with the schemas in them.

use std::path::Path;
use std::process::Command;

/// Whether both documents are valid. An error where the libraries cannot be had: the test is to be skipped visibly then.
///
/// `scratch` is where the libraries go when neither `HARDTACK_CACHE` nor its usual place can be written.
pub fn assert_valid(spdx: &Path, cyclonedx: &Path, scratch: &Path) -> Result<(), String> {
    let packages =
        ["cyclonedx-python-lib[json-validation]==11.5.0", "spdx-tools==0.8.3", "packageurl-python"];
    let place = crate::python::environment("bills", &packages, scratch)?;
    let mut python = Command::new(place.join("bin/python"));
    let said = crate::tools::run(python.args(["-c", VALIDATE]).args([spdx, cyclonedx]));
    assert_eq!(said.trim(), "valid");
    Ok(())
}

const VALIDATE: &str = "\
import sys, json
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.schema import SchemaVersion
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from packageurl import PackageURL
document = parse_file(sys.argv[1])
wrong = validate_full_spdx_document(document)
assert not wrong, wrong[:3]
text = open(sys.argv[2]).read()
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
assert wrong is None, wrong
for component in json.loads(text)['components']:
    PackageURL.from_string(component['purl'])
print('valid')
";
