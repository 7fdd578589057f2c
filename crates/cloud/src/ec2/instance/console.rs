//! What an instance says and was told: `GetConsoleOutput`, `DescribeInstanceAttribute`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Kind, Service};

const CONSOLE: Call = Call(Service::Ec2, "GetConsoleOutput");
const ATTRIBUTE: Call = Call(Service::Ec2, "DescribeInstanceAttribute");

/// A part of an instance's console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// What was written, decoded; empty where there is none yet.
    pub output: Vec<u8>,
    /// When it was kept, as the service writes it (ISO 8601); Eucalyptus' and the latest have it too.
    pub time: Option<String>,
}

/// `GetConsoleOutput`, decoded; empty where there is none yet. `latest`: what is there now, where the type of the
/// instance can tell it. Eucalyptus always gives the last 64 KiB that are there, and is not asked for them in this way.
///
/// # Errors
/// The instance is gone; with `latest`, it is not on Nitro (`UnsupportedOperation`, `InvalidParameterCombination`); no
/// answer; an answer that is no base64.
pub fn console_output(client: &Client, instance: &str, latest: bool) -> Result<Vec<u8>, Error> {
    console(client, instance, latest).map(|console| console.output)
}

/// As [`console_output`], with the time.
///
/// # Errors
/// As there.
pub fn console(client: &Client, instance: &str, latest: bool) -> Result<Console, Error> {
    let mut query = Query::default();
    query.set("InstanceId", instance);
    if latest && client.place().kind == Kind::Aws {
        query.set("Latest", "true");
    }
    let root = CONSOLE.query(client, &query)?;
    CONSOLE.id(&root, &["instanceId"])?;
    let time = root.at(&["timestamp"]).map(str::trim).filter(|time| !time.is_empty());
    Ok(Console {
        output: decoded(CONSOLE, root.at(&["output"]).unwrap_or_default())?,
        time: time.map(crate::call::shown),
    })
}

/// `DescribeInstanceAttribute`, `userData`: what the instance was started with; `None` where that was nothing.
///
/// # Errors
/// There is no such instance, or no right to see it; an answer that is no base64; no answer.
pub fn user_data(client: &Client, instance: &str) -> Result<Option<Vec<u8>>, Error> {
    let mut query = Query::default();
    query.set("InstanceId", instance).set("Attribute", "userData");
    let root = ATTRIBUTE.query(client, &query)?;
    ATTRIBUTE.id(&root, &["instanceId"])?;
    root.at(&["userData", "value"]).map(|text| decoded(ATTRIBUTE, text)).transpose()
}

/// Base64, with or without padding, line breaks anywhere. What follows a break in the text is left away: the service
/// cuts long consoles, and what was read is better than nothing.
fn decoded(call: Call, text: &str) -> Result<Vec<u8>, Error> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut symbols: Vec<u8> =
        text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(symbol).collect();
    // One symbol alone holds no byte.
    if symbols.len() % 4 == 1 {
        symbols.pop();
    }
    if symbols.is_empty() && !text.trim().is_empty() {
        return Err(call.wrong("what it holds is not base64"));
    }
    TOLERANT.decode(&symbols).map_err(|_| call.wrong("what it holds is not base64"))
}
