//! What a part of the store holds, by type: for those who may not see all of it.

use rusqlite::{params_from_iter, types::FromSql};

use super::{
    Store, StoreError, TypeSummary,
    plan::{Part, Plan},
    scan::unsigned,
};
use crate::query::Query;

impl Store {
    /// As [`Store::types`], but of the samples of `query` alone: nothing in the answer depends on
    /// any other. Its limit, offset and cursor do not count.
    pub fn types_of(&self, query: &Query) -> Result<Vec<TypeSummary>, StoreError> {
        self.parts_of(query, |part| {
            let count = match part.known_rows {
                Some(rows) => rows,
                None => unsigned(self.first(part, "count(*)", "")?),
            };
            if count == 0 {
                return Ok(None);
            }
            let sql = "SELECT unit FROM kind WHERE name = ?1";
            let mut unit = self.connection.prepare_cached(sql)?;
            Ok(Some(TypeSummary {
                kind: part.kind.clone(),
                unit: unit.query_row([&part.kind], |row| row.get(0))?,
                count,
                first_ms: self.first(part, "start_ms", "ORDER BY start_ms ASC LIMIT 1")?,
                last_ms: self.first(part, "start_ms", "ORDER BY start_ms DESC LIMIT 1")?,
            }))
        })
    }

    /// The names of [`Store::types_of`] alone, which need no count.
    pub fn names_of(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        self.parts_of(query, |part| {
            let is_held = if let Some(rows) = part.known_rows {
                rows > 0
            } else {
                let sql = format!("SELECT 1 FROM sample {} LIMIT 1", part.condition);
                let mut statement = self.connection.prepare_cached(&sql)?;
                statement.exists(params_from_iter(&part.parameters))?
            };
            Ok(is_held.then(|| part.kind.clone()))
        })
    }

    fn parts_of<T>(
        &self,
        query: &Query,
        tell: impl Fn(&Part) -> Result<Option<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let query = Query {
            limit: None,
            offset: 0,
            cursor: None,
            ..query.clone()
        };
        self.snapshot(|store| {
            let plan = Plan::new(&store.connection, &query)?;
            let told = plan.parts.iter().map(tell);
            told.filter_map(Result::transpose).collect()
        })
    }

    fn first<T: FromSql>(&self, part: &Part, what: &str, order: &str) -> Result<T, StoreError> {
        let sql = format!("SELECT {what} FROM sample {} {order}", part.condition);
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row(params_from_iter(&part.parameters), |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{kind::Kind, store::ImportOptions};

    fn store() -> Store {
        let mut store = Store::in_memory().unwrap();
        for (origin, days) in [("ana", 1..4), ("ben", 3..9)] {
            let mut export =
                "<HealthData><ExportDate value=\"2026-02-01 08:00:00 +0000\"/>".to_owned();
            for day in days {
                for (kind, value) in [
                    ("HKQuantityTypeIdentifierStepCount\" unit=\"count", "7"),
                    (
                        "HKCategoryTypeIdentifierSleepAnalysis",
                        if day % 2 == 0 {
                            "HKCategoryValueSleepAnalysisAsleepREM"
                        } else {
                            "HKCategoryValueSleepAnalysisInBed"
                        },
                    ),
                ] {
                    let record = format!(
                        "<Record type=\"{kind}\" sourceName=\"x\" creationDate=\"2026-01-0{day} 09:00:00 +0000\" \
                         startDate=\"2026-01-0{day} 08:00:00 +0000\" endDate=\"2026-01-0{day} 09:00:00 +0000\" \
                         value=\"{value}\"/>"
                    );
                    export.push_str(&record);
                }
            }
            export.push_str("</HealthData>");
            store
                .import(
                    origin,
                    &mut Cursor::new(export),
                    None,
                    &ImportOptions::default(),
                    &mut |_| (),
                )
                .unwrap();
        }
        store
    }

    #[test]
    fn a_part_of_the_store_says_nothing_about_the_rest() {
        let store = store();
        let check = |types: &[&str], origins: &[&str], expected: &[(&str, u64, i64, i64)]| {
            let query = Query {
                types: types
                    .iter()
                    .map(|text| Kind::parse(text).unwrap())
                    .collect(),
                origins: origins.iter().map(|&name| name.to_owned()).collect(),
                limit: Some(1),
                offset: 1,
                ..Query::default()
            };
            let day = |ms: i64| ms / 86_400_000 - 20_453;
            let found = store.types_of(&query).unwrap();
            let told: Vec<_> = found
                .iter()
                .map(|it| {
                    (
                        it.kind.as_str(),
                        it.count,
                        day(it.first_ms),
                        day(it.last_ms),
                    )
                })
                .collect();
            assert_eq!(told, expected, "{types:?} {origins:?}");
            let names: Vec<_> = expected.iter().map(|it| it.0).collect();
            assert_eq!(store.names_of(&query).unwrap(), names);
        };
        check(&[], &[], &[("sleepAnalysis", 9, 1, 8), ("steps", 9, 1, 8)]);
        check(&["steps"], &[], &[("steps", 9, 1, 8)]);
        check(&["steps"], &["ana"], &[("steps", 3, 1, 3)]);
        check(
            &[],
            &["ben"],
            &[("sleepAnalysis", 6, 3, 8), ("steps", 6, 3, 8)],
        );
        check(&["sleepREM"], &[], &[("sleepAnalysis", 4, 2, 8)]);
        check(&["sleepREM"], &["ana"], &[("sleepAnalysis", 1, 2, 2)]);
        check(&["heartRate"], &[], &[]);
        check(&[], &["nobody"], &[]);
        assert_eq!(
            store.types_of(&Query::default()).unwrap(),
            store.types().unwrap()
        );
    }
}
