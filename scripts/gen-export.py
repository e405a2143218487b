#!/usr/bin/env python3
"""Makes a synthetic Apple Health export, in the shape of HealthKit Export Version 14.

SYNTHETIC DATA: every value comes from a random number generator. Nothing here is anyone's data; what
it writes may be copied freely, under the licences of this project (MIT OR Apache-2.0).

  scripts/gen-export.py --records 500000 --out DIR

writes DIR/apple_health_export/{export.xml,export_cda.xml,workout-routes/*.gpx,
electrocardiograms/ecg_*.csv} and DIR/export.zip. The same arguments give the same bytes, the archive
too (fixed timestamps).

The mix of types follows the census of a real export of 7.4 million records that was published with a
pull request (neiltron/apple-health-mcp, 27): ActiveEnergy 32 %, HeartRate 15 %, BasalEnergy 15 %. Steps
and distance come from BOTH iPhone and Apple Watch with overlapping intervals, as in life. Blood
pressure: a Correlation, and the same two Records at top level, as the DTD's note says. HKDevice
pointers are fixed for each block of a type and change with --seed; --device-seed changes only them
(a second export of the same data has other pointers)."""
import argparse, os, random, zipfile
from datetime import datetime, timedelta, timezone

DTD = '''<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary|ClinicalRecord|Audiogram|VisionPrescription)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT ExportDate EMPTY>
<!ATTLIST ExportDate
  value CDATA #REQUIRED
>
<!ELEMENT Me EMPTY>
<!ATTLIST Me
  HKCharacteristicTypeIdentifierDateOfBirth                   CDATA #REQUIRED
  HKCharacteristicTypeIdentifierBiologicalSex                 CDATA #REQUIRED
  HKCharacteristicTypeIdentifierBloodType                     CDATA #REQUIRED
  HKCharacteristicTypeIdentifierFitzpatrickSkinType           CDATA #REQUIRED
  HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse   CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
  unit          CDATA #IMPLIED
  value         CDATA #IMPLIED
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!-- Note: Any Records that appear as children of a correlation also appear as top-level records in this document. -->
<!ELEMENT Correlation ((MetadataEntry|Record)*)>
<!ATTLIST Correlation
  type          CDATA #REQUIRED
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!ELEMENT Workout ((MetadataEntry|WorkoutEvent|WorkoutRoute|WorkoutStatistics)*)>
<!ATTLIST Workout
  workoutActivityType   CDATA #REQUIRED
  duration              CDATA #IMPLIED
  durationUnit          CDATA #IMPLIED
  totalDistance         CDATA #IMPLIED
  totalDistanceUnit     CDATA #IMPLIED
  totalEnergyBurned     CDATA #IMPLIED
  totalEnergyBurnedUnit CDATA #IMPLIED
  sourceName            CDATA #REQUIRED
  sourceVersion         CDATA #IMPLIED
  device                CDATA #IMPLIED
  creationDate          CDATA #IMPLIED
  startDate             CDATA #REQUIRED
  endDate               CDATA #REQUIRED
>
<!ELEMENT WorkoutEvent ((MetadataEntry)*)>
<!ATTLIST WorkoutEvent
  type                 CDATA #REQUIRED
  date                 CDATA #REQUIRED
  duration             CDATA #IMPLIED
  durationUnit         CDATA #IMPLIED
>
<!ELEMENT WorkoutStatistics EMPTY>
<!ATTLIST WorkoutStatistics
  type                 CDATA #REQUIRED
  startDate            CDATA #REQUIRED
  endDate              CDATA #REQUIRED
  average              CDATA #IMPLIED
  minimum              CDATA #IMPLIED
  maximum              CDATA #IMPLIED
  sum                  CDATA #IMPLIED
  unit                 CDATA #IMPLIED
>
<!ELEMENT WorkoutRoute ((MetadataEntry|FileReference)*)>
<!ATTLIST WorkoutRoute
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!ELEMENT FileReference EMPTY>
<!ATTLIST FileReference
  path CDATA #REQUIRED
>
<!ELEMENT ActivitySummary EMPTY>
<!ATTLIST ActivitySummary
  dateComponents           CDATA #IMPLIED
  activeEnergyBurned       CDATA #IMPLIED
  activeEnergyBurnedGoal   CDATA #IMPLIED
  activeEnergyBurnedUnit   CDATA #IMPLIED
  appleMoveTime            CDATA #IMPLIED
  appleMoveTimeGoal        CDATA #IMPLIED
  appleExerciseTime        CDATA #IMPLIED
  appleExerciseTimeGoal    CDATA #IMPLIED
  appleStandHours          CDATA #IMPLIED
  appleStandHoursGoal      CDATA #IMPLIED
>
<!ELEMENT MetadataEntry EMPTY>
<!ATTLIST MetadataEntry
  key   CDATA #REQUIRED
  value CDATA #REQUIRED
>
<!-- Note: Heart Rate Variability records captured by Apple Watch may include an associated list of instantaneous beats-per-minute readings. -->
<!ELEMENT HeartRateVariabilityMetadataList (InstantaneousBeatsPerMinute*)>
<!ELEMENT InstantaneousBeatsPerMinute EMPTY>
<!ATTLIST InstantaneousBeatsPerMinute
  bpm  CDATA #REQUIRED
  time CDATA #REQUIRED
>%s
]>
'''
DTD16 = '''
<!ELEMENT VisionPrescription ((RightEye|LeftEye|Attachment|MetadataEntry)*)>
<!ATTLIST VisionPrescription
  type             CDATA #REQUIRED
  dateIssued       CDATA #REQUIRED
  expirationDate   CDATA #REQUIRED
  brand            CDATA #IMPLIED
<!ELEMENT RightEye EMPTY>
<!ATTLIST RightEye
  sphere           CDATA #IMPLIED
  sphereUnit       CDATA #IMPLIED
>
<!ELEMENT LeftEye EMPTY>
<!ATTLIST LeftEye
  sphere           CDATA #IMPLIED
  sphereUnit       CDATA #IMPLIED
>
>'''    # iOS 16.0 (Export Version 12): ATTLIST of VisionPrescription never closed, one '>' too many before ']>'

# A real export prints EVERY date with ONE offset: that of the phone on the day of the export,
# summer and winter alike.  --offset makes "the same data, exported in summer".
_cache = {}; OFF = -5
def f(ts):
    """epoch s -> 'YYYY-MM-DD HH:MM:SS -0500'"""
    h = ts // 3600
    c = _cache.get(h)
    if c is None:
        c = _cache[h] = ((datetime(1970, 1, 1) + timedelta(hours=h + OFF)).strftime('%Y-%m-%d %H:'), ' %s%02d00' % ('-' if OFF < 0 else '+', abs(OFF)))
        if len(_cache) > 200000: _cache.clear()
    s = ts - h * 3600
    return '%s%02d:%02d%s' % (c[0], s // 60, s % 60, c[1])

PHONE, WATCH = 'Alex\u2019s iPhone', 'Alex\u2019s Apple\u00a0Watch'

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--records', type=int, default=500000)
    ap.add_argument('--out', default='.')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--device-seed', type=int, default=None)
    ap.add_argument('--end', default='2026-01-10')
    ap.add_argument('--days', type=int, default=0, help='0 = records/2000, at least 30')
    ap.add_argument('--locale', default='en_US')
    ap.add_argument('--xml-name', default='export.xml')
    ap.add_argument('--zip-name', default='export.zip')
    ap.add_argument('--no-zip', action='store_true')
    ap.add_argument('--defect', choices=['none', 'dtd16', 'vt', 'truncated'], default='none')
    ap.add_argument('--routes', type=int, default=3)
    ap.add_argument('--ecgs', type=int, default=1)
    ap.add_argument('--offset', type=int, default=-5, help='whole hours east of UTC of the exporting phone')
    a = ap.parse_args()
    global OFF; OFF = a.offset
    R = random.Random(a.seed); D = random.Random(a.seed * 7919 + 1 if a.device_seed is None else a.device_seed)
    days = a.days or max(30, a.records // 2000)
    end = int(datetime.fromisoformat(a.end + 'T05:00:00').replace(tzinfo=timezone.utc).timestamp())
    start = end - days * 86400
    base = os.path.join(a.out, 'apple_health_export')
    for d in ('workout-routes', 'electrocardiograms'): os.makedirs(os.path.join(base, d), exist_ok=True)

    def dev(kind):
        p = '0x%x' % D.randrange(0x280000000, 0x2ffffffff, 16)
        if kind == 'w':
            return '&lt;&lt;HKDevice: %s&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,2, software:11.2, creation date:2025-08-14 23:49:07 +0000&gt;' % p
        return '&lt;&lt;HKDevice: %s&gt;, name:iPhone, manufacturer:Apple Inc., model:iPhone, hardware:iPhone15,3, software:18.2&gt;' % p
    P, W = PHONE, WATCH
    Q = 'HKQuantityTypeIdentifier'
    # type, unit, share, source, gap?, value fn, duration range s
    mix = [
        (Q+'HeartRate', 'count/min', .15, W, lambda: '%d' % R.randint(48, 165), 0),
        (Q+'ActiveEnergyBurned', 'Cal', .32, W, lambda: '%.3f' % R.expovariate(1/0.6), 60),
        (Q+'BasalEnergyBurned', 'Cal', .15, W, lambda: '%.3f' % R.uniform(.1, 19), 600),
        (Q+'StepCount', 'count', .05, P, lambda: '%d' % R.randint(3, 900), 540),
        (Q+'StepCount', 'count', .06, W, lambda: '%d' % R.randint(3, 700), 480),
        (Q+'DistanceWalkingRunning', 'mi', .05, P, lambda: '%.6f' % R.uniform(.002, .5), 540),
        (Q+'DistanceWalkingRunning', 'mi', .05, W, lambda: '%.7f' % R.uniform(.002, .05), 60),
        (Q+'FlightsClimbed', 'count', .005, P, lambda: '%d' % R.randint(1, 6), 120),
        (Q+'AppleExerciseTime', 'min', .02, W, lambda: '1', 60),
        (Q+'AppleStandTime', 'min', .03, W, lambda: '%d' % R.randint(1, 5), 300),
        (Q+'RespiratoryRate', 'count/min', .02, W, lambda: '%.1f' % R.uniform(11, 20), 0),
        (Q+'OxygenSaturation', '%', .015, W, lambda: '%.2f' % R.uniform(.91, 1), 0),
        (Q+'RestingHeartRate', 'count/min', .002, W, lambda: '%d' % R.randint(48, 66), 80000),
        (Q+'VO2Max', 'mL/min\u00b7kg', .0005, W, lambda: '%.2f' % R.uniform(36, 48), 0),
        (Q+'WalkingSpeed', 'mi/hr', .015, P, lambda: '%.4f' % R.uniform(1.8, 3.6), 60),
        (Q+'PhysicalEffort', 'kcal/hr\u00b7kg', .02, W, lambda: '%.1f' % R.uniform(1, 9), 300),
        (Q+'EnvironmentalAudioExposure', 'dBASPL', .01, W, lambda: '%.4f' % R.uniform(35, 88), 1800),
        (Q+'BodyMass', 'lb', .0005, 'Withings', lambda: '%.2f' % R.uniform(150, 160), 0),
        (Q+'DietaryWater', 'fl_oz_us', .0005, 'Water \u2014 H\u2082O \U0001F4A7', lambda: '%.1f' % R.uniform(4, 24), 0),
    ]
    def meta(kv): return ''.join('  <MetadataEntry key="%s" value="%s"/>\n' % x for x in kv)
    xml = os.path.join(base, a.xml_name)
    made = 0; routes = []
    with open(xml, 'w', encoding='utf-8', newline='\n', buffering=1 << 20) as o:
        w = o.write
        w('<?xml version="1.0" encoding="UTF-8"?>\n'); w(DTD % (DTD16 if a.defect == 'dtd16' else ''))
        w('<HealthData locale="%s">\n <ExportDate value="%s"/>\n' % (a.locale, f(end + 3600)))
        w(' <Me HKCharacteristicTypeIdentifierDateOfBirth="1985-06-15" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexNotSet" HKCharacteristicTypeIdentifierBloodType="HKBloodTypeNotSet" HKCharacteristicTypeIdentifierFitzpatrickSkinType="HKFitzpatrickSkinTypeNotSet" HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse="None"/>\n')
        bp, nights, hrv = max(4, days // 7), days, max(1, a.records // 400)
        stage_rec = nights * 12
        stand = days * 8
        left = max(0, a.records - 2 * bp - stage_rec - hrv - stand)
        tot = sum(m[2] for m in mix)
        for typ, unit, share, src, val, dur in mix:
            n = int(left * share / tot)
            if not n: continue
            d = '' if src not in (P, W) else ' device="%s"' % dev('w' if src == W else 'p')
            ver = {P: '18.2', W: '11.2'}.get(src, '7.1.1')
            head = ' <Record type="%s" sourceName="%s" sourceVersion="%s"%s unit="%s" creationDate="' % (typ, src, ver, d, unit)
            hr = typ.endswith('HeartRate'); ue = src not in (P, W)
            step = (end - start) / n; t = float(start)
            for i in range(n):
                t += step * R.uniform(.5, 1.5)
                s = int(t); s = s if s < end else end - 1 - i % 3600
                e = s + (R.randint(1, dur) if dur else 0)
                line = '%s%s" startDate="%s" endDate="%s" value="%s"' % (head, f(e + R.randint(1, 900)), f(s), f(e), val())
                if hr: w(line + '>\n' + meta([('HKMetadataKeyHeartRateMotionContext', R.randint(0, 2))]) + ' </Record>\n')
                elif ue: w(line + '>\n' + meta([('HKWasUserEntered', 1)]) + ' </Record>\n')
                else: w(line + '/>\n')
            made += n
        # sleep stages (no unit, textual value)
        d = dev('w')
        for k in range(nights):
            t = start + k * 86400 + 3 * 3600 + R.randint(-1800, 1800)
            for j, st in enumerate(['InBed', 'AsleepCore', 'AsleepDeep', 'AsleepCore', 'AsleepREM', 'Awake', 'AsleepCore', 'AsleepDeep', 'AsleepCore', 'AsleepREM', 'AsleepCore', 'AsleepREM']):
                L = 8 * 3600 if j == 0 else R.randint(300, 4200)
                src, dd, ver = (P, '', '18.2') if j == 0 else (W, ' device="%s"' % d, '11.2')
                w(' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="%s" sourceVersion="%s"%s creationDate="%s" startDate="%s" endDate="%s" value="HKCategoryValueSleepAnalysis%s">\n%s </Record>\n' % (src, ver, dd, f(t + 30000), f(t), f(t + L), st, meta([('HKTimeZone', 'America/New_York')])))
                made += 1
                if j: t += L
        for k in range(stand):
            s = start + (k // 8) * 86400 + (13 + k % 8) * 3600
            w(' <Record type="HKCategoryTypeIdentifierAppleStandHour" sourceName="%s" sourceVersion="11.2" creationDate="%s" startDate="%s" endDate="%s" value="HKCategoryValueAppleStandHour%s"/>\n' % (W, f(s + 3700), f(s), f(s + 3600), 'Stood' if R.random() < .8 else 'Idle')); made += 1
        # HRV with per beat list; time uses a narrow no-break space before AM/PM as iOS 17+ does
        d = dev('w')
        for k in range(hrv):
            s = start + int((end - start) * (k + R.random()) / hrv)
            w(' <Record type="%sHeartRateVariabilitySDNN" sourceName="%s" sourceVersion="11.2" device="%s" unit="ms" creationDate="%s" startDate="%s" endDate="%s" value="%.4f">\n  <HeartRateVariabilityMetadataList>\n' % (Q, W, d, f(s + 65), f(s), f(s + 60), R.uniform(18, 95)))
            for j in range(20): w('   <InstantaneousBeatsPerMinute bpm="%d" time="%d:%02d:%05.2f\u202fAM"/>\n' % (R.randint(50, 80), 7, j, j * 1.3))
            w('  </HeartRateVariabilityMetadataList>\n </Record>\n'); made += 1
        # blood pressure: top-level records, then the Correlation that repeats them
        corr = []
        for k in range(bp):
            s = start + k * 7 * 86400 + 43200 + R.randint(0, 7200)
            if s >= end: s = end - 60 * (k + 1)
            rs = [' <Record type="%sBloodPressure%s" sourceName="OMRON" sourceVersion="6.2" unit="mmHg" creationDate="%s" startDate="%s" endDate="%s" value="%d"/>\n' % (Q, n, f(s + 30), f(s), f(s), v) for n, v in (('Systolic', R.randint(108, 139)), ('Diastolic', R.randint(66, 92)))]
            for r in rs: w(r); made += 1
            corr.append(' <Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="OMRON" sourceVersion="6.2" creationDate="%s" startDate="%s" endDate="%s">\n' % (f(s + 30), f(s), f(s)) + ''.join(' ' + r for r in rs) + ' </Correlation>\n')
        for c in corr: w(c)
        # workouts
        nw = max(a.routes, days // 3)
        for k in range(nw):
            s = start + int((end - start) * (k + .3) / nw); L = R.randint(900, 5400); e = s + L
            act = R.choice(['Running', 'Walking', 'Cycling', 'FunctionalStrengthTraining'])
            att = 'workoutActivityType="HKWorkoutActivityType%s" duration="%.10f" durationUnit="min" sourceName="%s" sourceVersion="11.2" device="%s" creationDate="%s" startDate="%s" endDate="%s"' % (act, (L - 60) / 60, W, dev('w'), f(e + 5), f(s), f(e))
            w(' <Workout %s>\n' % att)
            w(meta([('HKIndoorWorkout', 0), ('HKTimeZone', 'America/New_York'), ('HKAverageMETs', '%.4f kcal/hr\u00b7kg' % R.uniform(3, 11)), ('HKElevationAscended', '%d cm' % R.randint(50, 9000))]))
            w('  <WorkoutEvent type="HKWorkoutEventTypePause" date="%s"/>\n  <WorkoutEvent type="HKWorkoutEventTypeResume" date="%s"/>\n' % (f(s + L // 2), f(s + L // 2 + 60)))
            se = 'startDate="%s" endDate="%s"' % (f(s), f(e))
            w('  <WorkoutStatistics type="%sActiveEnergyBurned" %s sum="%.3f" unit="Cal"/>\n' % (Q, se, L / 60 * R.uniform(4, 12)))
            if act != 'FunctionalStrengthTraining': w('  <WorkoutStatistics type="%sDistance%s" %s sum="%.5f" unit="mi"/>\n' % (Q, 'Cycling' if act == 'Cycling' else 'WalkingRunning', se, L / 3600 * R.uniform(3, 8)))
            w('  <WorkoutStatistics type="%sHeartRate" %s average="%.3f" minimum="%d" maximum="%d" unit="count/min"/>\n' % (Q, se, R.uniform(100, 150), R.randint(70, 99), R.randint(151, 185)))
            if len(routes) < a.routes and act != 'FunctionalStrengthTraining':
                lt = datetime(1970, 1, 1) + timedelta(seconds=e, hours=-5)
                name = 'route_%s_%d.%02d%s.gpx' % (lt.strftime('%Y-%m-%d'), (lt.hour - 1) % 12 + 1, lt.minute, 'am' if lt.hour < 12 else 'pm')
                routes.append((name, s, L))
                w('  <WorkoutRoute sourceName="%s" sourceVersion="11.2" creationDate="%s" startDate="%s" endDate="%s">\n   <MetadataEntry key="HKMetadataKeySyncVersion" value="2"/>\n   <FileReference path="/workout-routes/%s"/>\n  </WorkoutRoute>\n' % (W, f(e + 5), f(s), f(e), name))
            w(' </Workout>\n')
        for k in range(days):
            dd = (datetime(1970, 1, 1) + timedelta(seconds=start + k * 86400)).strftime('%Y-%m-%d')
            w(' <ActivitySummary dateComponents="%s" activeEnergyBurned="%.3f" activeEnergyBurnedGoal="500" activeEnergyBurnedUnit="Cal" appleMoveTime="0" appleMoveTimeGoal="0" appleExerciseTime="%d" appleExerciseTimeGoal="30" appleStandHours="%d" appleStandHoursGoal="12"/>\n' % (dd, R.uniform(150, 900), R.randint(0, 95), R.randint(4, 16)))
        if a.defect == 'vt':
            w(' <Record type="%sDietaryCaffeine" sourceName="Bad\x0bApp" unit="mg" startDate="%s" endDate="%s" value="90"/>\n' % (Q, f(end - 60), f(end - 60))); made += 1
        if a.defect == 'truncated': w(' <Record type="%sStepCount" sourceName="' % Q)
        else: w('</HealthData>\n')
    with open(os.path.join(base, 'export_cda.xml'), 'w') as o:
        o.write('<?xml version="1.0"?>\n<?xml-stylesheet type="text/xsl" href="CDA.xsl"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">\n <title>Health Data Export</title>\n</ClinicalDocument>\n')
    for name, s, L in routes:
        lat, lon = 40.0, -73.0
        with open(os.path.join(base, 'workout-routes', name), 'w') as o:
            o.write('<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="Apple Health Export" xmlns="http://www.topografix.com/GPX/1/1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.topografix.com/GPX/1/1 http://www.topografix.com/GPX/1/1/gpx.xsd">\n  <metadata>\n    <time>%s</time>\n  </metadata>\n  <trk>\n    <name>%s</name>\n    <trkseg>\n' % (datetime.fromtimestamp(s, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'), name[:-4]))
            for j in range(0, L, 2):
                lat += R.uniform(-2e-5, 3e-5); lon += R.uniform(-2e-5, 3e-5)
                o.write('      <trkpt lon="%.6f" lat="%.6f"><ele>%.6f</ele><time>%s</time><extensions><speed>%.6f</speed><course>%.6f</course><hAcc>%.6f</hAcc><vAcc>%.6f</vAcc></extensions></trkpt>\n' % (lon, lat, R.uniform(5, 50), datetime.fromtimestamp(s + j, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'), R.uniform(1, 4), R.uniform(0, 360), R.uniform(1, 8), R.uniform(1, 6)))
            o.write('    </trkseg>\n  </trk>\n</gpx>\n')
    for k in range(a.ecgs):
        s = end - 86400 * (k + 1); day = (datetime(1970, 1, 1) + timedelta(seconds=s)).strftime('%Y-%m-%d')
        with open(os.path.join(base, 'electrocardiograms', 'ecg_%s.csv' % day), 'w', encoding='utf-8') as o:
            o.write('Name,Test Person\nDate of Birth,"Jun 15, 1985"\nRecorded Date,%s\nClassification,Sinus Rhythm\nSymptoms,\nSoftware Version,2.0\nDevice,"Watch6,2"\nSample Rate,512 hertz\n\n\nLead,Lead I\nUnit,\u00b5V\n\n' % f(s))
            for j in range(512 * 30): o.write('%.3f\n' % (R.gauss(0, 40) + (900 if j % 430 < 8 else 0)))
    size = os.path.getsize(xml)
    if not a.no_zip:
        z = os.path.join(a.out, a.zip_name)
        with zipfile.ZipFile(z, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as zf:
            for root, _, fs in sorted(os.walk(base)):
                for n in sorted(fs):
                    p = os.path.join(root, n)
                    zi = zipfile.ZipInfo(os.path.relpath(p, a.out), (2026, 1, 10, 1, 0, 0)); zi.compress_type = zipfile.ZIP_DEFLATED
                    with open(p, 'rb') as i, zf.open(zi, 'w') as q:
                        while b := i.read(1 << 20): q.write(b)
    print('top-level Records %d, Correlations %d (2 nested Records each), Workouts %d, ActivitySummary %d, days %d, routes %d; export.xml %.1f MB' % (made, bp, nw, days, days, len(routes), size / 1e6))
main()
