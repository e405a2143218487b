//! The first of two walks through a file: what its metrics are.
//!
//! A metric may name itself behind its data, and only all its dates together show how long the
//! pieces are over which the app has summed. Both is known before the second walk.

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess};

use super::{
    json::{Array, Elements, Fields, Members, Object},
    metric, moment,
};
use crate::import::limits;

/// A file with more metrics is none of the app's.
const METRICS: usize = 5000;

/// What a metric says of itself, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) units: String,
    pub(super) bucket: Option<Bucket>,
    clock: Clock,
}

/// The span of time over which the app has summed or averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    Minute,
    Hour,
    Day,
}

impl Bucket {
    pub(super) fn ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            // The file does not say the zone, so a day when the clocks change is a little off.
            Self::Day => 86_400_000,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// Where on the clock the dates of a metric stand.
#[derive(Debug, Default)]
struct Clock {
    dates: u64,
    on_minutes: u64,
    on_hours: u64,
    on_midnights: u64,
    /// Points that are means of several values by their own words.
    means: bool,
}

impl Clock {
    fn add(&mut self, point: &Fields) {
        self.means |= metric::is_mean(point);
        let Some(time) = point.text("date").and_then(moment::time_of_day) else {
            return;
        };
        self.dates += 1;
        self.on_minutes += u64::from(time % 60_000 == 0);
        self.on_hours += u64::from(time % 3_600_000 == 0);
        self.on_midnights += u64::from(time == 0);
    }

    /// What all dates have in common. One date alone on a minute or an hour shows nothing: it may be a
    /// coincidence. One at midnight is a day, as it is in a file of the whole week: nearly none but
    /// sums stand there, and the sum of a day that passed for a record would be counted twice.
    fn bucket(&self) -> Option<Bucket> {
        let several = self.dates > 1;
        if self.dates > 0 && self.on_midnights == self.dates {
            Some(Bucket::Day)
        } else if several && self.on_hours == self.dates {
            Some(Bucket::Hour)
        } else if (several || self.means) && self.dates > 0 && self.on_minutes == self.dates {
            Some(Bucket::Minute)
        } else {
            None
        }
    }
}

/// Walks through a file and collects the heads of its metrics.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) heads: Vec<Head>,
}

impl Members for Survey {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "data" => map.next_value_seed(Object(self)),
            "metrics" => map.next_value_seed(Array(self)),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl Elements for Survey {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut head = Head::default();
        let found = list.next_element_seed(Object(&mut head))?.is_some();
        if found {
            if self.heads.len() >= METRICS {
                return Err(A::Error::custom("too many metrics"));
            }
            head.bucket = head.clock.bucket();
            self.heads.push(head);
        }
        Ok(found)
    }
}

impl Members for Head {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" | "units" => {
                let text: Option<String> = map.next_value()?;
                let text = limits::name(&text.unwrap_or_default()).to_owned();
                if key == "name" {
                    self.name = text;
                } else {
                    self.units = text;
                }
                Ok(())
            }
            "data" => map.next_value_seed(Array(&mut self.clock)),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl Elements for Clock {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        self.add(&point);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(dates: &[&str]) -> Option<Bucket> {
        let mut clock = Clock::default();
        for date in dates {
            let point = format!("{{\"date\":\"{date}\",\"qty\":1}}");
            clock.add(&serde_json::from_str(&point).unwrap());
        }
        clock.bucket()
    }

    #[test]
    fn the_dates_show_the_bucket() {
        let midnight = "2024-02-06 00:00:00 -0800";
        let summer = "2024-07-06 00:00:00 -0700";
        assert_eq!(bucket(&[midnight, summer]), Some(Bucket::Day));
        assert_eq!(
            bucket(&[midnight, "2024-02-06 05:00:00 -0800"]),
            Some(Bucket::Hour)
        );
        assert_eq!(
            bucket(&[midnight, "2024-02-06 05:07:00 -0800"]),
            Some(Bucket::Minute)
        );
        assert_eq!(bucket(&[midnight, "2024-02-06 05:07:09 -0800"]), None);
        // A file of one day must give the same point as one of the week that holds it.
        assert_eq!(bucket(&[midnight]), Some(Bucket::Day));
        assert_eq!(bucket(&["2024-02-06 05:00:00 -0800"]), None);
        assert_eq!(bucket(&[]), None);
    }
}
