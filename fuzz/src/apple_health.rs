//! Apple's export, as XML or in a zip.

use crate::exports;

/// A file is read to its end, or refused.
pub fn run(data: &[u8]) -> bool {
    exports::read("Apple Health", data)
}

/// Every element, and what real exports do wrong.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const FRAME: &str = "sourceName=\"W\" sourceVersion=\"11.2\" device=\"&lt;&lt;HKDevice: 0x1&gt;, name:Watch, hardware:Watch7,1&gt;\" \
        creationDate=\"2026-01-01 08:10:30 +0000\" startDate=\"2026-01-01 08:10:00 +0000\" endDate=\"2026-01-01 08:10:30 +0000\"";
    let export = |inner: &str| {
        let inner = inner.replace("FRAME", FRAME);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData (ExportDate,Me)>\n]>\n\
             <HealthData locale=\"en_US\">\n <ExportDate value=\"2026-02-01 08:00:00 +0100\"/>\n <Me/>\n{inner}</HealthData>\n"
        )
        .into_bytes()
    };
    const STEPS: &str =
        "<Record type=\"HKQuantityTypeIdentifierStepCount\" unit=\"count\" value=\"34\" FRAME/>\n";
    const PRESSURE: &str = "<Record type=\"HKQuantityTypeIdentifierBloodPressureSystolic\" unit=\"mmHg\" value=\"120\" FRAME/>\n";
    const SLEEP: &str = "<Record type=\"HKCategoryTypeIdentifierSleepAnalysis\" value=\"HKCategoryValueSleepAnalysisAsleepREM\" FRAME>\
        <MetadataEntry key=\"HKTimeZone\" value=\"Europe/Vienna\"/></Record>\n";
    const BEATS: &str = "<Record type=\"HKQuantityTypeIdentifierHeartRateVariabilitySDNN\" unit=\"ms\" value=\"40.5\" FRAME>\
        <HeartRateVariabilityMetadataList><InstantaneousBeatsPerMinute bpm=\"61\" time=\"8:10:02.13\u{202f}AM\"/></HeartRateVariabilityMetadataList></Record>\n";
    const WORKOUT: &str = "<Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" duration=\"0.5\" durationUnit=\"min\" totalDistance=\"1\" \
        totalDistanceUnit=\"km\" FRAME><WorkoutEvent type=\"HKWorkoutEventTypePause\" date=\"2026-01-01 08:10:10 +0000\"/>\
        <WorkoutStatistics type=\"HKQuantityTypeIdentifierHeartRate\" average=\"100\" minimum=\"70\" maximum=\"150\" unit=\"count/min\"/>\
        <WorkoutActivity uuid=\"A\" startDate=\"2026-01-01 08:10:00 +0000\" duration=\"0.5\" durationUnit=\"min\"/>\
        <WorkoutRoute FRAME><Location date=\"2026-01-01 08:10:00 +0000\" latitude=\"40.1\" longitude=\"-73\" altitude=\"5\"/>\
        <FileReference path=\"/workout-routes/route.gpx\"/></WorkoutRoute></Workout>\n";
    const OTHERS: &str = "<ActivitySummary dateComponents=\"2026-01-01\" activeEnergyBurned=\"500\" activeEnergyBurnedUnit=\"Cal\" appleStandHours=\"12\"/>\n\
        <Audiogram type=\"HKDataTypeIdentifierAudiogram\" FRAME><SensitivityPoint frequencyValue=\"125\" frequencyUnit=\"Hz\" leftEarValue=\"5\" leftEarUnit=\"dBHL\"/></Audiogram>\n\
        <VisionPrescription type=\"glasses\" dateIssued=\"2026-01-01 08:10:00 +0000\"><RightEye sphere=\"-1.25\" sphereUnit=\"D\"/></VisionPrescription>\n\
        <StateOfMind kind=\"dailyMood\" valence=\"0.5\" FRAME/>\n\
        <ClinicalRecord type=\"LabResultRecord\" identifier=\"1\" sourceName=\"C\" fhirVersion=\"4.0.1\" receivedDate=\"2026-01-01 08:10:00 +0000\" resourceFilePath=\"/clinical-records/1.json\"/>\n";
    let correlation = format!(
        "{PRESSURE}<Correlation type=\"HKCorrelationTypeIdentifierBloodPressure\" FRAME>{PRESSURE}</Correlation>\n"
    );
    let all = export(&[STEPS, SLEEP, BEATS, &correlation, WORKOUT, OTHERS].concat());
    vec![
        ("steps", export(STEPS)),
        ("sleep", export(SLEEP)),
        ("beats", export(BEATS)),
        ("correlation", export(&correlation)),
        ("workout", export(&[STEPS, WORKOUT].concat())),
        ("others", export(&[STEPS, OTHERS].concat())),
        ("cut", all[..all.len() / 2].to_vec()),
        ("all", all),
        (
            "control",
            export(&STEPS.replacen("FRAME", "FRAME note=\"\u{b}\"", 1)),
        ),
        ("deep", export(&"<a>".repeat(100))),
        ("numbers", export(&STEPS.replace("34", "1e999"))),
        (
            "bare-dates",
            export(&STEPS.replace("FRAME", "startDate=\"20260101\" endDate=\"\"")),
        ),
        ("empty", export("")),
        ("zip", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
    ]
}
