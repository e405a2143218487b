//! What is broken or too much is named, and the rest is kept.

use healthsync_core::document::Noun;

use crate::{
    documents::{documents, reasons, workouts},
    export::{PLAIN, document, element, steps, zip},
    fixtures::{import, store},
    health_auto_export::{file, kept},
    health_connect::{self, database},
};

const BROKEN: &str = "tags with something that is no attribute";

#[test]
fn elements_with_a_broken_tag_are_named() {
    let at = "2024-06-15 09:00:00 +0000";
    let frame = format!("sourceName=\"W\" startDate=\"{at}\" endDate=\"{at}\"");
    let text = format!(
        " <Me HKCharacteristicTypeIdentifierBloodType=\"A\" junk/>\n \
         <ActivitySummary dateComponents=\"2024-06-15\" appleStandHours=\"12\" junk/>\n \
         <VisionPrescription type=\"glasses\" dateIssued=\"{at}\" junk><RightEye sphere=\"1\"/></VisionPrescription>\n \
         <VisionPrescription type=\"contacts\" dateIssued=\"{at}\"><RightEye sphere=\"1\" junk/></VisionPrescription>\n \
         <ClinicalRecord type=\"T\" identifier=\"1\" receivedDate=\"{at}\" junk/>\n \
         <Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" {frame}>\n  \
         <WorkoutStatistics type=\"HKQuantityTypeIdentifierStepCount\" sum=\"5000\" junk/>\n  \
         <WorkoutEvent type=\"HKWorkoutEventTypeLap\" date=\"{at}\" junk/>\n  \
         <WorkoutRoute {frame}>\n   \
         <Location date=\"{at}\" latitude=\"1\" longitude=\"2\" junk/>\n   \
         <Location date=\"{at}\" latitude=\"1\" longitude=\"2\"/>\n  </WorkoutRoute>\n \
         </Workout>\n{}",
        element(PLAIN, &steps(1_718_442_000, 100.0))
    );
    let mut store = store();
    let imported = import(&mut store, document(PLAIN, &text).as_bytes()).expect("an import");
    assert_eq!(reasons(&imported), [(BROKEN, 8)]);
    assert_eq!(imported.new, 1);
    for noun in [
        Noun::ActivitySummary,
        Noun::Characteristics,
        Noun::ClinicalRecord,
    ] {
        assert_eq!(documents(&store, noun), [], "{noun}");
    }
    let vision = documents(&store, Noun::VisionPrescription);
    assert_eq!(vision.len(), 1);
    assert_eq!(vision[0].body, "{\"type\":\"contacts\"}");
    let workout = workouts(&store).remove(0);
    assert_eq!((workout.statistics.len(), workout.events.len()), (0, 0));
    assert_eq!(documents(&store, Noun::Route)[0].points, 1);
}

/// Each would get all points of the file.
#[test]
fn a_file_belongs_to_one_route() {
    let workout = |hour: u32| {
        let at = format!("2024-06-15 {hour:02}:00:00 +0000");
        let long = "x".repeat(5000);
        format!(
            " <Workout workoutActivityType=\"{long}\" sourceName=\"W\" startDate=\"{at}\" endDate=\"{at}\">\
             <WorkoutEvent type=\"{long}\" date=\"{at}\"/>\
             <WorkoutRoute><FileReference path=\"/a.gpx\"/><FileReference path=\"/a.gpx\"/></WorkoutRoute>\
             </Workout>\n"
        )
    };
    let text = document(PLAIN, &(workout(9) + &workout(10)));
    let gpx = "<gpx><trk><trkseg><trkpt lon=\"1\" lat=\"2\"/></trkseg></trk></gpx>";
    let archive = zip(&[("export.xml", text.as_bytes()), ("a.gpx", gpx.as_bytes())]);
    let mut store = store();
    let imported = import(&mut store, &archive).expect("an import");
    let points: Vec<_> = documents(&store, Noun::Route)
        .iter()
        .map(|it| it.points)
        .collect();
    assert_eq!(points, [1, 0]);
    assert_eq!(
        reasons(&imported),
        [(
            "routes that name the file of another one (kept without points)",
            1
        )]
    );
    let workout = workouts(&store).remove(0);
    assert_eq!(
        (workout.activity.len(), workout.events[0].name.len()),
        (1024, 1024)
    );
}

#[test]
fn members_of_a_workout_are_bounded() {
    let long = "x".repeat(3000);
    let members: Vec<_> = (0..1005).map(|n| format!("\"m{n}\":1,")).collect();
    let members = members.concat();
    let workout = format!(
        "{{\"notes\":\"{long}\",\"{long}\":{{\"a\":\"{long}\"}},{members}\"name\":\"Walking\",\
         \"start\":\"2021-12-24 08:02:43 +0800\",\"end\":\"2021-12-24 08:21:53 +0800\"}}"
    );
    let (store, imported) = kept(&file("", &workout));
    assert_eq!(imported.workouts.new, 1);
    assert_eq!(
        reasons(&imported),
        [
            ("metadata beyond the limit", 8),
            ("metadata beyond the limit (cut)", 3),
        ]
    );
    let metadata = workouts(&store).remove(0).metadata.expect("metadata");
    assert!(!metadata.contains(&"x".repeat(1025)), "bounded");
}

#[test]
fn routes_laps_and_notes_of_health_connect_are_bounded() {
    let many = |last: u32| {
        format!("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {last})")
    };
    let (points, laps) = (many(400_001), many(20_002));
    let (_, imported) = health_connect::kept(&database(&format!(
        "INSERT INTO exercise_route_table {points}
           SELECT 4, 1718449200000 + x, 48.0, 16.0, NULL, NULL, NULL FROM n;
         INSERT INTO exercise_laps_table {laps}
           SELECT 4, 1718449200000 + x, NULL, NULL FROM n;
         UPDATE exercise_session_record_table SET notes = hex(zeroblob(1000));
         UPDATE sleep_session_record_table SET notes = hex(zeroblob(1000));"
    )));
    let told = health_connect::reasons(&imported);
    assert_eq!(told["points of routes beyond the limit"], 1);
    assert_eq!(told["laps and segments beyond the limit"], 2);
    assert_eq!(told["titles and notes beyond the limit (cut)"], 4);
}
