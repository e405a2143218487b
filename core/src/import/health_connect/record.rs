//! What all records have in common: when, by whom, under which id.

use std::{collections::HashMap, sync::Arc};

use super::database::{Cells, Database, From};
use crate::{
    import::{ReadError, date, limits, provenance::HEALTH_CONNECT_ID},
    sample::{Metadata, Provenance},
};

/// Why a record cannot be kept.
pub(super) type Reason = &'static str;

/// Columns of the record under the alias `r` that [`Frame::read`] looks at.
pub(super) const COLUMNS: &[(&str, &str)] = &[
    ("r", "row_id"),
    ("r", "uuid"),
    ("r", "time"),
    ("r", "zone_offset"),
    ("r", "start_time"),
    ("r", "start_zone_offset"),
    ("r", "end_time"),
    ("r", "last_modified_time"),
    ("r", "client_record_id"),
    ("r", "recording_method"),
    ("r", "app_info_id"),
    ("r", "device_info_id"),
];

/// The columns of all records and these.
pub(super) fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    COLUMNS.iter().chain(more).copied().collect()
}

/// What a record says of itself beside its values.
pub(super) struct Frame {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) created_ms: Option<i64>,
    pub(super) provenance: Arc<Provenance>,
    /// The record's `uuid`.
    pub(super) id: Option<String>,
    pub(super) metadata: Metadata,
}

impl Frame {
    /// Reads the columns of [`COLUMNS`].
    pub(super) fn read(cells: &Cells<'_, '_>, writers: &mut Writers) -> Result<Self, Reason> {
        let instant = |column| {
            cells
                .integer("r", column)
                .filter(|ms| date::is_printable(*ms))
        };
        let start_ms = instant("time")
            .or_else(|| instant("start_time"))
            .ok_or("records without a time that is one")?;
        let end_ms = instant("end_time").unwrap_or(start_ms);
        if end_ms < start_ms {
            return Err("ends before their starts");
        }
        let id = cells.uuid("r", "uuid");
        let mut entries = Vec::new();
        let mut remember = |key: &str, text: Option<String>| {
            if let Some(text) = text {
                entries.push((key.to_owned(), text));
            }
        };
        remember(HEALTH_CONNECT_ID, id.clone());
        let offset = cells
            .integer("r", "start_zone_offset")
            .or_else(|| cells.integer("r", "zone_offset"));
        remember("HealthConnectZoneOffset", offset.and_then(offset_text));
        remember(
            "HealthConnectClientRecordId",
            cells.text("r", "client_record_id"),
        );
        let method = match cells.integer("r", "recording_method") {
            Some(1) => Some("activelyRecorded"),
            Some(2) => Some("automaticallyRecorded"),
            Some(3) => Some("manualEntry"),
            _ => None,
        };
        remember("HealthConnectRecordingMethod", method.map(str::to_owned));
        Ok(Self {
            start_ms,
            end_ms,
            created_ms: instant("last_modified_time"),
            provenance: writers.find(
                cells.integer("r", "app_info_id"),
                cells.integer("r", "device_info_id"),
            ),
            id,
            metadata: Metadata {
                entries,
                beats: Vec::new(),
            },
        })
    }
}

/// Seconds east of UTC as `+01:00`.
fn offset_text(seconds: i64) -> Option<String> {
    /// No zone is further away (ISO 8601 has two digits of hours).
    const FURTHEST: i64 = 18 * 3600;
    let (sign, away) = if seconds < 0 {
        ('-', -seconds.max(-FURTHEST - 1))
    } else {
        ('+', seconds)
    };
    let (hours, minutes, rest) = (away / 3600, away / 60 % 60, away % 60);
    (away <= FURTHEST).then(|| {
        if rest == 0 {
            format!("{sign}{hours:02}:{minutes:02}")
        } else {
            format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
        }
    })
}

/// Apps and devices, by their row.
pub(super) struct Writers {
    apps: HashMap<i64, (String, String)>,
    devices: HashMap<i64, (String, Option<String>)>,
    known: HashMap<(Option<i64>, Option<i64>), Arc<Provenance>>,
}

/// Nobody has more apps or devices.
const WRITERS: usize = 10_000;

impl Writers {
    pub(super) fn new(database: &Database) -> Result<Self, ReadError> {
        let mut apps = HashMap::new();
        database.rows(
            &From::one("application_info_table"),
            &[("r", "row_id"), ("r", "package_name"), ("r", "app_name")],
            &mut |cells| {
                if let (Some(row), Some(package)) = (
                    cells.integer("r", "row_id"),
                    cells.text("r", "package_name"),
                ) && apps.len() < WRITERS
                {
                    let name = cells.text("r", "app_name");
                    apps.insert(row, (name.unwrap_or_else(|| package.clone()), package));
                }
                Ok(())
            },
        )?;
        let mut devices = HashMap::new();
        database.rows(
            &From::one("device_info_table"),
            &[("r", "row_id"), ("r", "manufacturer"), ("r", "model")],
            &mut |cells| {
                let model = cells.text("r", "model");
                let fields = [
                    ("manufacturer", cells.text("r", "manufacturer")),
                    ("model", model.clone()),
                    ("hardware", model.clone()),
                ];
                let named = fields.into_iter().filter_map(|(name, text)| {
                    // A comma would begin the next field.
                    Some(format!("{name}:{}", text?.replace(", ", " ")))
                });
                let text = named.collect::<Vec<_>>().join(", ");
                if let Some(row) = cells.integer("r", "row_id")
                    && !text.is_empty()
                    && devices.len() < WRITERS
                {
                    devices.insert(row, (text, model.map(|model| model.replace(", ", " "))));
                }
                Ok(())
            },
        )?;
        Ok(Self {
            apps,
            devices,
            known: HashMap::new(),
        })
    }

    fn find(&mut self, app: Option<i64>, device: Option<i64>) -> Arc<Provenance> {
        if let Some(known) = self.known.get(&(app, device)) {
            return Arc::clone(known);
        }
        if self.known.len() >= limits::CACHE {
            self.known.clear();
        }
        let (name, package) = app
            .and_then(|app| self.apps.get(&app).cloned())
            .unwrap_or_else(|| ("Health Connect".to_owned(), "Health Connect".to_owned()));
        let found = device.and_then(|device| self.devices.get(&device).cloned());
        let (device_text, hardware) =
            found.map_or((None, None), |(text, model)| (Some(text), model));
        let provenance = Arc::new(Provenance {
            source_name: name,
            // Package names are the same in every language.
            canonical_source: package,
            source_version: None,
            device: device_text,
            hardware,
        });
        self.known.insert((app, device), Arc::clone(&provenance));
        provenance
    }
}

#[cfg(test)]
mod tests {
    use super::offset_text;

    #[test]
    fn offsets_are_seconds() {
        for (seconds, expected) in [
            (0, Some("+00:00")),
            (3600, Some("+01:00")),
            (-10_800, Some("-03:00")),
            (20_700, Some("+05:45")),
            (-1, Some("-00:00:01")),
            (3_600_000, None),
            (i64::MIN, None),
            (i64::MAX, None),
        ] {
            assert_eq!(offset_text(seconds).as_deref(), expected, "{seconds}");
        }
    }
}
