//! The JSON of Health Auto Export.

use crate::exports;

/// A file is read to its end, or refused.
pub fn run(data: &[u8]) -> bool {
    exports::read("Health Auto Export", data)
}

/// Both versions, aggregated or not, and what goes wrong with them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const METRICS: &str = r#"{"data":{"metrics":[{"name":"step_count","units":"count","data":[
        {"qty":34,"date":"2021-03-14 00:01:00 +0000","source":"Watch|iPhone"},
        {"qty":8.27,"date":"2021-03-14 1:13:00 AM +0000"}]},
        {"data":[{"Min":65,"Avg":72,"Max":85,"date":"2024-02-06 14:30:00 -0800"}],"units":"bpm","name":"heart_rate"},
        {"name":"blood_pressure","units":"mmHg","data":[{"systolic":120,"diastolic":80,"date":"2024-02-06 14:30:00 -0800"}]},
        {"name":"x","units":"degC","data":null}]}}"#;
    const SLEEP: &str = r#"{"data":{"metrics":[{"name":"sleep_analysis","units":"hr","data":[
        {"date":"2023-01-31","core":3.3,"rem":1.2,"inBed":8.1,"sleepStart":"2023-01-31 00:23:47 +0800",
         "sleepEnd":"2023-01-31 08:39:12 +0800","source":"A|B"},
        {"startDate":"2021-12-18 02:21:06 +0800","endDate":"2021-12-18 08:57:06 +0800","value":"Core","qty":6.1}]}]}}"#;
    const WORKOUT: &str = r#"{"data":{"workouts":[{"id":"A","name":"Outdoor Walk","start":"2021-12-24 08:02:43 +0800",
        "end":"2021-12-24 08:21:53 +0800","duration":1150,"heartRateData":[{"qty":108,"units":"bpm"}],
        "activeEnergyBurned":{"qty":226.2,"units":"kJ"},"stepCount":[{"qty":9}],
        "route":[{"latitude":38.9,"longitude":-77.0,"timestamp":"2021-12-24 08:04:45 +0800"}]}],
        "stateOfMind":[{}],"ecg":null}}"#;
    const EVENTS: &str = r#"{"data":{"ecg":[{"start":"2024-09-21 7:57:00 AM +1000","end":"2024-09-21 07:57:30 +1000",
        "classification":"Sinus Rhythm","samplingFrequency":512,"voltageMeasurements":[{"voltage":-265.8,"units":"mcV"}]}],
        "stateOfMind":[{"id":"A","start":"2024-09-21 07:57:00 +1000","labels":["calm"],"valence":0.25,"metadata":{"a":"b"}}],
        "medications":[{"displayText":"A","start":"2024-09-21 07:57:00 +1000","codings":[{"code":"1","system":"x"}]}],
        "symptoms":[{"start":"2024-09-21 07:57:00 +1000","name":"Headache","severity":"Mild"}],
        "cycleTracking":[{"start":"2024-09-21 07:57:00 +1000","name":"Menstruation","value":"Heavy"}],
        "heartRateNotifications":[{"start":"2024-09-21 07:57:00 +1000","threshold":120,"heartRate":[{"hr":130}]}]}}"#;
    vec![
        ("events", EVENTS.into()),
        ("metrics", METRICS.into()),
        ("sleep", SLEEP.into()),
        ("workout", WORKOUT.into()),
        ("empty", br#"{"data":{"metrics":[]}}"#.to_vec()),
        ("cut", METRICS.as_bytes()[..METRICS.len() / 2].to_vec()),
        (
            "deep",
            format!("{{\"data\":{{\"metrics\":{}", "[".repeat(300)).into(),
        ),
        ("numbers", METRICS.replace("34", "1e999").into()),
    ]
}
