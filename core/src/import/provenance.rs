//! Who wrote a record: source, version and device, and what of them stays the same in every
//! language and export.

use std::{collections::HashMap, sync::Arc};

use super::limits;
use crate::sample::{Metadata, Provenance};

/// Writers that were met already. A file names few of them, again and again.
pub(super) struct Writers {
    make: Make,
    last: Option<(Raw, Arc<Provenance>)>,
    known: HashMap<Raw, Arc<Provenance>>,
}

/// The three attributes as the file prints them.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Raw {
    name: String,
    version: Option<String>,
    device: Option<String>,
}

impl Raw {
    fn is(&self, name: &str, version: Option<&str>, device: Option<&str>) -> bool {
        self.name == name && self.version.as_deref() == version && self.device.as_deref() == device
    }
}

/// Name, version and device become a provenance.
type Make = fn(&str, Option<&str>, Option<&str>) -> Provenance;

impl Default for Writers {
    /// Of a file that names devices as Apple Health does.
    fn default() -> Self {
        Self::new(provenance)
    }
}

impl Writers {
    /// Of a file in which the texts stand as the store keeps them.
    pub(super) fn stored() -> Self {
        Self::new(|name, version, device| Provenance {
            source_name: name.to_owned(),
            canonical_source: canonical_source(name),
            source_version: version.map(str::to_owned),
            hardware: device
                .and_then(|text| field(text, "hardware"))
                .map(str::to_owned),
            device: device.map(str::to_owned),
        })
    }

    fn new(make: Make) -> Self {
        Self {
            make,
            last: None,
            known: HashMap::new(),
        }
    }

    pub(super) fn find(
        &mut self,
        name: &str,
        version: Option<&str>,
        device: Option<&str>,
    ) -> Arc<Provenance> {
        let (name, version) = (limits::name(name), version.map(limits::name));
        let device = device.map(limits::name);
        if let Some((raw, found)) = &self.last
            && raw.is(name, version, device)
        {
            return Arc::clone(found);
        }
        let raw = Raw {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            device: device.map(str::to_owned),
        };
        if self.known.len() >= limits::CACHE {
            self.known.clear();
        }
        let found = self
            .known
            .entry(raw.clone())
            .or_insert_with(|| Arc::new((self.make)(name, version, device)));
        let found = Arc::clone(found);
        self.last = Some((raw, Arc::clone(&found)));
        found
    }
}

/// The writer's own stable id.
pub(super) fn external_id(metadata: &Metadata) -> Option<String> {
    EXTERNAL_IDS
        .iter()
        .filter_map(|key| metadata.value(key))
        .map(str::trim)
        .find(|id| !id.is_empty())
        .map(str::to_owned)
}

/// Where it stands. What comes back as CSV or Parquet has only the metadata to find it in, so every
/// importer keeps it there.
const EXTERNAL_IDS: &[&str] = &[
    "HKExternalUUID",
    "HKMetadataKeySyncIdentifier",
    HEALTH_CONNECT_ID,
];

/// The metadata key of a Health Connect record's `uuid`.
pub(super) const HEALTH_CONNECT_ID: &str = "HealthConnectUUID";

fn provenance(name: &str, version: Option<&str>, device: Option<&str>) -> Provenance {
    let device = device.map(without_address).filter(|text| !text.is_empty());
    Provenance {
        source_name: name.to_owned(),
        canonical_source: canonical_source(name),
        source_version: version.filter(|text| !text.is_empty()).map(str::to_owned),
        hardware: device
            .and_then(|text| field(text, "hardware"))
            .map(str::to_owned),
        device: device.map(str::to_owned),
    }
}

/// The same name in every typography and language: `Simon’s Apple\u{a0}Watch` and
/// `Simon's Apple Watch`, `Здоровье` and `Health`.
pub(crate) fn canonical_source(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            // Marks of direction and of width have no shape.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' => {}
            // All Unicode spaces, the one that does not break included.
            c if c.is_whitespace() => {
                if !plain.is_empty() && !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            other => plain.push(other),
        }
    }
    let plain = plain.trim_end();
    let apple = TRANSLATED.iter().find(|(_, names)| names.contains(&plain));
    apple.map_or(plain, |(name, _)| name).to_owned()
}

/// Names of Apple's own apps follow the language of the phone on the day of the export.
const TRANSLATED: &[(&str, &[&str])] = &[
    (
        "Health",
        &[
            "Santé",
            "Salud",
            "Salute",
            "Saúde",
            "Salut",
            "Gezondheid",
            "Hälsa",
            "Sundhed",
            "Helse",
            "Terveys",
            "Zdrowie",
            "Zdraví",
            "Zdravie",
            "Zdravlje",
            "Egészség",
            "Sănătate",
            "Здоровье",
            "Здоров'я",
            "Υγεία",
            "Sağlık",
            "בריאות",
            "صحتي",
            "الصحة",
            "स्वास्थ्य",
            "สุขภาพ",
            "Sức khỏe",
            "Kesehatan",
            "Kesihatan",
            "ヘルスケア",
            "건강",
            "健康",
        ],
    ),
    (
        "Clock",
        &[
            "Uhr",
            "Horloge",
            "Reloj",
            "Orologio",
            "Relógio",
            "Rellotge",
            "Klok",
            "Klocka",
            "Ur",
            "Klokke",
            "Kello",
            "Zegar",
            "Hodiny",
            "Sat",
            "Óra",
            "Ceas",
            "Часы",
            "Годинник",
            "Ρολόι",
            "Saat",
            "שעון",
            "الساعة",
            "घड़ी",
            "นาฬิกา",
            "Đồng hồ",
            "Jam",
            "時計",
            "시계",
            "时钟",
            "時鐘",
        ],
    ),
];

/// `<<HKDevice: 0x2a68e2d80>, name:Apple Watch, .., hardware:Watch7,2>` without its address, which
/// is another one in every export.
fn without_address(device: &str) -> &str {
    let Some(rest) = device.strip_prefix("<<HKDevice:") else {
        return device.trim();
    };
    let rest = rest.split_once('>').map_or("", |(_, rest)| rest);
    rest.strip_suffix('>')
        .unwrap_or(rest)
        .trim_start_matches([',', ' '])
        .trim_end()
}

const FIELDS: &[&str] = &[
    "name",
    "manufacturer",
    "model",
    "hardware",
    "firmware",
    "software",
    "localIdentifier",
    "UDIDeviceIdentifier",
    "creation date",
];

/// One field of a device. Values hold commas themselves (`Watch7,2`), so a value ends only where
/// another field begins.
fn field<'a>(device: &'a str, name: &str) -> Option<&'a str> {
    let begin = |name: &str| {
        let at_first = device
            .strip_prefix(name)
            .filter(|rest| rest.starts_with(':'));
        let length = device.len();
        at_first.map(|_| name.len() + 1).or_else(|| {
            let label = format!(", {name}:");
            device
                .find(&label)
                .map(|at| at + label.len())
                .filter(|at| *at <= length)
        })
    };
    let rest = device.get(begin(name)?..)?;
    let end = FIELDS
        .iter()
        .filter_map(|next| rest.find(&format!(", {next}:")))
        .min();
    let value = rest.get(..end.unwrap_or(rest.len()))?.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_has_one_name() {
        let cases = [
            ("Simon’s Apple\u{a0}Watch", "Simon's Apple Watch"),
            ("Simon's Apple Watch", "Simon's Apple Watch"),
            (" Simon’s\u{202f} iPhone ", "Simon's iPhone"),
            ("“Watch”", "\"Watch\""),
            ("Здоровье", "Health"),
            ("ヘルスケア", "Health"),
            ("Здоров’я", "Health"),
            ("\u{200e}Health", "Health"),
            ("Health Mate", "Health Mate"),
            ("Uhr", "Clock"),
            ("", ""),
        ];
        for (name, canonical) in cases {
            assert_eq!(canonical_source(name), canonical);
            assert_eq!(canonical_source(canonical), canonical, "not stable");
        }
    }

    #[test]
    fn devices_lose_their_address() {
        let check = |raw: &str, device: Option<&str>, hardware: Option<&str>| {
            let found = provenance("x", None, Some(raw));
            assert_eq!(
                (found.device.as_deref(), found.hardware.as_deref()),
                (device, hardware)
            );
        };
        check(
            "<<HKDevice: 0x2a68e2d80>, name:Apple Watch, manufacturer:Apple Inc., model:Watch, \
             hardware:Watch7,2, software:11.6.1, creation date:2025-08-14 23:49:07 +0000>",
            Some(
                "name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch7,2, \
                 software:11.6.1, creation date:2025-08-14 23:49:07 +0000",
            ),
            Some("Watch7,2"),
        );
        check(
            "<<HKDevice: 0x0>, name:Apple Watch>",
            Some("name:Apple Watch"),
            None,
        );
        check(
            "<<HKDevice: 0x0>, hardware:iPhone15,3>",
            Some("hardware:iPhone15,3"),
            Some("iPhone15,3"),
        );
        check(
            "hardware:iPhone15,3, software:1",
            Some("hardware:iPhone15,3, software:1"),
            Some("iPhone15,3"),
        );
        check("<<HKDevice: 0x0>>", None, None);
        check("<<HKDevice: 0x0", None, None);
        check("scale", Some("scale"), None);
        check("", None, None);
    }

    #[test]
    fn writers_are_shared() {
        let mut writers = Writers::default();
        let first = writers.find("a", Some("1"), None);
        let other = writers.find("b", Some("1"), None);
        let again = writers.find("a", Some("1"), None);
        assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &other));
    }
}
